"""A session's stocks beside each other: their ranks."""

import polars as pl

from stock_pipeline.core.columns import SESSION


def session_rank(name: str) -> pl.Expr:
    """The rank of column ``name`` within its session, Float64 from -0.5 (lowest) to 0.5 (highest).

    Ties share their mean rank. Nulls and NaN stay null and do not count; a value alone in its session gets 0.
    """
    value = pl.col(name).cast(pl.Float64).fill_nan(None)
    others = (value.count().cast(pl.Float64) - 1.0).over(SESSION)
    above_lowest = (value.rank("average") - 1.0).over(SESSION)
    return pl.when(others > 0).then(above_lowest / others - 0.5).when(value.is_not_null()).then(0.0).alias(name)
