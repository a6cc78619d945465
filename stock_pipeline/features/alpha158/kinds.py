"""Builders of Alpha158's features: one feature per window, and the three kinds made of a series' rises and falls."""

from collections.abc import Callable
from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.features.feature import Feature, Series, WindowFamily
from stock_pipeline.features.windows import total

WINDOWS: Final = (5, 10, 20, 30, 60)
QLIB: Final = "Yang et al. (2020), Qlib's Alpha158"


def in_each_window(
    kind: str,
    formula: str,
    expression: Callable[..., pl.Expr],
    inputs: Callable[[int], tuple[Series, ...]] = lambda _window: (),
    *,
    family: WindowFamily,
    idea: str | None = None,
    of_changes: bool = False,
) -> tuple[Feature, ...]:
    """The features ``kind``5 to ``kind``60.

    Args:
        kind: Qlib's name without the window.
        formula: in words, with {d} where the number of sessions stands.
        expression: makes the expression of a window, from its sessions and the columns of ``inputs``.
        inputs: the series that the expression of a window shares with other kinds.
        family: as in ``Feature``.
        idea: the publication, where the idea is older than Alpha158; None where it is not.
        of_changes: each of the window's values reaches back to the session before it, so that the formula spans one more.
    """
    source = QLIB if idea is None else f"{idea}, in {QLIB}"

    def of_window(window: int) -> Feature:
        shared = inputs(window)
        made = expression(window, *(series.column for series in shared))
        return Feature(f"{kind}{window}", formula.format(d=window), window + of_changes, source, made, family=family, inputs=shared)

    return tuple(map(of_window, WINDOWS))


def way_features(
    kind: str,
    name: str,
    change: pl.Expr,
    family: WindowFamily,
    idea: str | None = None,
    idea_of_balance: str | None = None,
) -> tuple[Feature, ...]:
    """The kinds ``kind``P, ``kind``N and ``kind``D: rises, falls and their balance over the whole way.

    Args:
        kind: Qlib's name without the last letter and the window.
        name: of the series.
        change: of the series, from session to session.
        family, idea, idea_of_balance: as for ``in_each_window``.
    """
    rise, fall = (
        Series(f"{which}_of_{name}", pl.when(step > 0).then(step).when(step.is_not_null()).then(0.0))
        for which, step in (("rise", change), ("fall", -change))
    )

    def summed(window: int) -> tuple[Series, Series]:
        return (
            Series(f"rises_of_{name}_{window}", total(rise.column, window), (rise,)),
            Series(f"falls_of_{name}_{window}", total(fall.column, window), (fall,)),
        )

    way = partial(in_each_window, inputs=summed, family=family, of_changes=True)
    together = "over rises and falls together, of {d} sessions"
    return (
        *way(f"{kind}P", f"rises of the {name} {together}", lambda _d, rises, falls: rises / (rises + falls), idea=idea),
        *way(f"{kind}N", f"falls of the {name} {together}", lambda _d, rises, falls: falls / (rises + falls), idea=idea),
        *way(
            f"{kind}D",
            f"rises less falls of the {name}, {together}",
            lambda _d, rises, falls: (rises - falls) / (rises + falls),
            idea=idea_of_balance,
        ),
    )
