"""How much of a series' way in a window went up, and how much down."""

from functools import partial

import polars as pl

from stock_pipeline.features.alpha158.kinds import in_each_window
from stock_pipeline.features.feature import Feature, Series, WindowFamily
from stock_pipeline.features.windows import total


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

    way = partial(in_each_window, made_of=summed, family=family, of_changes=True)
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
