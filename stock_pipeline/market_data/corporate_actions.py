"""Corporate actions derived from an adjusted close, where a source gives only that."""

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, KNOWN_FROM, SESSION, SYMBOL, VALUE
from stock_pipeline.market_data.sources.source import ACTIONS, CAPTURED, KIND

SPLIT, DIVIDEND = "split", "dividend"
# The ratios of new shares to old that companies use. A step of the adjustment factor near one of them is a split.
SPLIT_RATIOS = tuple(
    new / old for new, old in ((2, 1), (3, 1), (4, 1), (3, 2), (5, 1), (7, 1), (10, 1), (5, 4), (4, 3), (1, 2), (1, 5), (1, 10))
)
SPLIT_TOLERANCE = 0.02
SMALLEST_YIELD = 2e-4  # an adjusted close rounded to the cent moves the factor by less


def derive_actions(bars: pl.DataFrame) -> pl.DataFrame:
    """Splits and dividends that explain how the ratio of adjusted to raw close steps from bar to bar.

    On the ex-session that ratio grows by the split ratio, or by close / (close - dividend) of the session before. Only bars of
    one capture are compared: each capture adjusts the past for what had happened by then.

    Args:
        bars: symbol, session, raw close, adj_close (nullable), captured (nullable) and known_from, one row per symbol, session
            and capture.

    Returns:
        symbol, session (the ex-session), kind, value (new shares per old share, or cash per share), captured and known_from of the
        bar that told of it; one row per action and capture.
    """
    factor = pl.col(ADJ_CLOSE) / pl.col(CLOSE)
    series = [SYMBOL, CAPTURED]
    steps = (
        bars.filter(pl.col(ADJ_CLOSE).is_not_null() & (pl.col(CLOSE) > 0))
        .sort(*series, SESSION)
        .with_columns((factor / factor.shift(1).over(series)).alias("step"), pl.col(CLOSE).shift(1).over(series).alias("close_before"))
        .filter((pl.col("step") - 1).abs() > SMALLEST_YIELD)
    )
    ratio = pl.lit(None, pl.Float64)
    for candidate in SPLIT_RATIOS:
        ratio = pl.when((pl.col("step") / candidate - 1).abs() < SPLIT_TOLERANCE).then(candidate).otherwise(ratio)
    dividend = pl.col("close_before") * (1 - 1 / pl.col("step"))
    return (
        steps.with_columns(ratio.alias("ratio"))
        .with_columns(
            pl.when(pl.col("ratio").is_null()).then(pl.lit(DIVIDEND)).otherwise(pl.lit(SPLIT)).alias(KIND),
            pl.coalesce("ratio", dividend).alias(VALUE),
        )
        .filter(pl.col(VALUE) > 0)
        .select(*(pl.col(name).cast(dtype) for name, dtype in ACTIONS.items()), CAPTURED, KNOWN_FROM)
    )
