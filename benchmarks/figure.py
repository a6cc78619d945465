"""One measured figure, and the line of JSON that it is printed as."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured.

    Attributes:
        name: what the figure is of, such as ``features/daily_features seconds``.
        value: the measurement; None where this machine cannot measure it.
        unit: unit of the value, such as ``s``, ``rows`` or ``MiB``.
        target: the most that the value should be, in the same unit; None where there is no target.
    """

    name: str
    value: float | None
    unit: str
    target: float | None = None


def json_line(benchmark: str, figure: Figure) -> str:
    """The figure of a benchmark as one JSON object on one line."""
    shown = {
        "benchmark": benchmark,
        "figure": figure.name,
        "value": figure.value,
        "unit": figure.unit,
        "target": figure.target,
    }
    return json.dumps(shown, allow_nan=False)


def seconds(name: str, value: float, target: float | None = None) -> Figure:
    """A duration, to the millisecond."""
    return Figure(name, round(value, 3), "s", target)


def mebibytes(name: str, value_in_bytes: int | None, target: float | None = None) -> Figure:
    """An amount of memory or of disk given in bytes, or None."""
    return Figure(name, None if value_in_bytes is None else round(value_in_bytes / 2**20, 1), "MiB", target)
