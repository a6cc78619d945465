"""What every model of trees shares: how leaves grow with the data, and the file of what a fit depended on."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from stock_pipeline.models.estimators.estimator import Conditions

SETTINGS_FILE: Final = "settings.json"


@dataclass(frozen=True)
class Settings:
    """What a fitted model is besides its trees.

    Attributes:
        conditions: what it was fitted under.
        arguments: the class's own arguments by keyword.
        feature_names: its features, in the order of the columns.
        numbers: what the fit found besides the trees.
    """

    conditions: Conditions
    arguments: Mapping[str, Any]
    feature_names: tuple[str, ...]
    numbers: Mapping[str, float]


def min_data_in_leaf(samples: int) -> int:
    """Fewest samples in a leaf: a hundredth of ``samples``, but at least 5 (to learn from small panels) and at most 1,000.

    The ridge penalty on leaves has the same size, so that the smallest leaf says half of what its own mean would.
    """
    return min(max(samples // 100, 5), 1000)


def write_settings(folder: Path, settings: Settings) -> None:
    """Write ``settings.json`` into ``folder``."""
    (folder / SETTINGS_FILE).write_text(json.dumps(asdict(settings), sort_keys=True) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> Settings:
    """What ``write_settings`` wrote into ``folder``."""
    content = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    return Settings(
        conditions=Conditions(**content["conditions"]),
        arguments=content["arguments"],
        feature_names=tuple(content["feature_names"]),
        numbers=content["numbers"],
    )
