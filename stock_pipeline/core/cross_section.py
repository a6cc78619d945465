"""A session's stocks beside each other: their ranks, and the one definition of the best and the worst of them."""

from collections.abc import Sequence

import polars as pl

from stock_pipeline.core.columns import SESSION
from stock_pipeline.core.scores import spread_beyond_rounding


def session_rank(name: str) -> pl.Expr:
    """The rank of column ``name`` within its session, Float64 from -0.5 (lowest) to 0.5 (highest).

    Ties share their mean rank. Nulls and NaN stay null and do not count; a value alone in its session gets 0.
    """
    value = pl.col(name).cast(pl.Float64).fill_nan(None)
    others = (value.count().cast(pl.Float64) - 1.0).over(SESSION)
    above_lowest = (value.rank("average") - 1.0).over(SESSION)
    return pl.when(others > 0).then(above_lowest / others - 0.5).when(value.is_not_null()).then(0.0).alias(name)


def in_best_share(score: str, share: float, by: Sequence[str] = (SESSION,)) -> pl.Expr:
    """True for the best ``share`` of the rows of each group ``by``, at least one row; false where the score is null.

    Stocks that tie with the last one taken are taken too, so no choice depends on the order of rows or symbols. Where all scores of
    a group of two or more tie, rounding aside, the score tells no stocks apart: none of them is among the best, nor among the worst.
    """
    return _in_share(score, share, by, descending=True)


def in_worst_share(score: str, share: float, by: Sequence[str] = (SESSION,)) -> pl.Expr:
    """True for the worst ``share`` of the rows of each group ``by``; the mirror image of ``in_best_share``."""
    return _in_share(score, share, by, descending=False)


def _in_share(score: str, share: float, by: Sequence[str], descending: bool) -> pl.Expr:
    place = pl.col(score).rank("min", descending=descending).over(by)
    # The small addend keeps 0.29 * 100 = 28.999999999999996 from counting as 28.
    wanted = (pl.col(score).count().over(by) * share + 1e-9).floor().clip(lower_bound=1)
    return ((place <= wanted) & ~_all_tie(score).over(by)).fill_null(False)


def _all_tie(score: str) -> pl.Expr:
    return (pl.col(score).count() > 1) & ~spread_beyond_rounding(pl.col(score))
