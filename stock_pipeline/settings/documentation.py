"""The documentation of every setting, made from the sections."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from stock_pipeline.settings.loading import Settings
from stock_pipeline.settings.values import all_values


def descriptions(section: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The name of every single setting, such as ``labels.horizons``, and its description."""
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from descriptions(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.description or ""


def as_markdown(effects: Mapping[str, str]) -> str:
    """A table of all settings: name, default, meaning, and the effect of a change from ``effects``, empty where it has none on rows."""
    defaults = all_values(Settings.model_construct())
    rows = [f"| `{name}` | {_shown(defaults[name])} | {text} | {effects.get(name, '')} |" for name, text in descriptions()]
    return "\n".join(["| setting | default | meaning | a change |", "| --- | --- | --- | --- |", *rows])


def _shown(value: object) -> str:
    if value is None or value == []:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
