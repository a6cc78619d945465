"""The values of settings by their names, sections included."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.settings.loading import Settings


def all_values(settings: Settings) -> dict[str, Any]:
    """Every single setting, such as ``labels.horizons``, with its value as JSON has it."""
    return dict(_leaves(settings, settings.model_dump(mode="json"), ""))


def values_of(settings: Settings, names: Iterable[str]) -> dict[str, Any]:
    """The single settings named, or in the sections named, with their values as JSON has them.

    Raises:
        StockPipelineError: a name is neither a setting nor a section.
    """
    everything = all_values(settings)
    found: dict[str, Any] = {}
    for name in names:
        inside = {path: value for path, value in everything.items() if path == name or path.startswith(f"{name}.")}
        if not inside:
            raise StockPipelineError(f"there is no setting {name!r}")
        found |= inside
    return dict(sorted(found.items()))


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The changes from ``before`` to ``now`` in words, as in "backtest.top_share is 0.2, was 0.1"; None where nothing did."""
    changed = [name for name in now if name not in before or before[name] != now[name]]
    parts = (f"{name} is {_shown(now[name])}" + (f", was {_shown(before[name])}" if name in before else "") for name in changed)
    return "; ".join(parts) or None


def _shown(value: Any) -> str:
    return "not set" if value is None else json.dumps(value)


def _leaves(section: BaseModel, dumped: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name in type(section).model_fields:
        value, path = getattr(section, name), f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from _leaves(value, dumped[name], f"{path}.")
        else:
            yield path, dumped[name]
