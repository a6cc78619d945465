"""How a kind of Alpha158's features becomes one feature per window."""

from collections.abc import Callable
from typing import Final

import polars as pl

from stock_pipeline.features.feature import Feature, Series, WindowFamily

WINDOWS: Final = (5, 10, 20, 30, 60)
QLIB: Final = "Yang et al. (2020), Qlib's Alpha158"


def in_each_window(
    kind: str,
    formula: str,
    expression: Callable[..., pl.Expr],
    made_of: Callable[[int], tuple[Series, ...]] = lambda _window: (),
    *,
    family: WindowFamily,
    idea: str | None = None,
    of_changes: bool = False,
) -> tuple[Feature, ...]:
    """The features ``kind``5 to ``kind``60.

    Args:
        kind: Qlib's name without the window.
        formula: in words, with {d} where the number of sessions stands.
        expression: makes the expression of a window, from its sessions and the columns of ``made_of``.
        made_of: the series that the expression of a window shares with other kinds.
        family: as in ``Feature``.
        idea: who published it, where it is older than Alpha158.
        of_changes: each of the window's values reaches back to the session before it, so that the formula spans one more.
    """
    source = QLIB if idea is None else f"{idea}, in {QLIB}"

    def of_window(window: int) -> Feature:
        shared = made_of(window)
        made = expression(window, *(series.column for series in shared))
        return Feature(f"{kind}{window}", formula.format(d=window), window + of_changes, source, made, family=family, made_of=shared)

    return tuple(map(of_window, WINDOWS))
