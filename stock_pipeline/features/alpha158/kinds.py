"""How a kind of Alpha158's features becomes one feature per window."""

from collections.abc import Callable
from typing import Final, Literal

import polars as pl

from stock_pipeline.features.feature import Feature, Series

WINDOWS: Final = (5, 10, 20, 30, 60)
QLIB: Final = "Yang et al. (2020), Qlib's Alpha158"


def in_each_window(
    kind: str,
    family: Literal["price_window", "volume_window"],
    formula: str,
    expression: Callable[[int], pl.Expr],
    *,
    idea: str | None = None,
    of_changes: bool = False,
    made_of: Callable[[int], tuple[Series, ...]] = lambda _window: (),
) -> tuple[Feature, ...]:
    """The features ``kind``5 to ``kind``60.

    Args:
        kind: Qlib's name without the window.
        family: as in ``Feature``.
        formula: in words, with {d} where the number of sessions stands.
        expression: makes the expression of a window.
        idea: who published it, where it is older than Alpha158.
        of_changes: each of the window's values reaches back to the session before it, so that the formula spans one more.
        made_of: the columns that the expression of a window shares with other kinds.
    """
    source = QLIB if idea is None else f"{idea}, in {QLIB}"
    return tuple(
        Feature(
            f"{kind}{window}",
            family,
            formula.format(d=window),
            window + of_changes,
            source,
            expression(window),
            made_of=made_of(window),
        )
        for window in WINDOWS
    )
