"""Corporate actions derived from an adjusted close, where a source gives only that."""

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, KNOWN_FROM, PRICES, SESSION, SYMBOL, VALUE, VOLUME
from stock_pipeline.market_data.adjustments import with_later_splits
from stock_pipeline.market_data.sources.source import ACTIONS
from stock_pipeline.market_data.tables import BASIS, CAPTURED, DIVIDEND, KIND, RAW, SPLIT

# A step of the adjustment factor near a ratio of new shares to old that companies use is a split: n for 1, 1 for n, or one of these.
BROKEN_RATIOS = tuple(new / old for new, old in ((3, 2), (4, 3), (5, 4), (5, 2), (5, 3), (2, 3), (3, 4), (4, 5)))
MOST_SHARES = 100  # n
SPLIT_TOLERANCE = 0.02
# The factor goes down where shares are put together, and nowhere else; less than that is noise.
LEAST_STEP_DOWN = 0.9
SMALLEST_YIELD = 2e-4  # an adjusted close rounded to the cent moves the factor by less


def undo_splits(bars: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Bars as traded, from bars that came adjusted for splits.

    Args:
        bars: symbol, session, prices and volume of basis ``split``.
        splits: every action up to the night on which the bars came; see ``with_later_splits``.

    Returns:
        The bars in their order with basis ``raw``: prices times, volume by the product of the ratios of the later splits.
    """
    ratio = pl.col("ratio")
    return (
        with_later_splits(bars, splits, SESSION, "ratio")
        .with_columns(*(pl.col(name) * ratio for name in PRICES), pl.col(VOLUME) / ratio, pl.lit(RAW).alias(BASIS))
        .select(bars.columns)
    )


def derive_actions(bars: pl.DataFrame) -> pl.DataFrame:
    """Splits and dividends that explain how the ratio of adjusted to raw close changes from bar to bar.

    On the ex-session that ratio grows by the split ratio, or by close / (close - dividend) of the session before. Only bars of
    one capture are compared: each capture adjusts the past for what had happened by then.

    Args:
        bars: symbol, session, raw close, adj_close (nullable), captured (nullable) and known_from, one row per symbol, session
            and capture.

    Returns:
        symbol, session (the ex-session), kind, value (new shares per old share, or cash per share), captured and known_from of the
        bar that shows it; one row per action and capture.
    """
    factor = pl.col(ADJ_CLOSE) / pl.col(CLOSE)
    series = [SYMBOL, CAPTURED]
    steps = (
        bars.filter(pl.col(ADJ_CLOSE).is_not_null() & (pl.col(CLOSE) > 0))
        .sort(*series, SESSION)
        .with_columns((factor / factor.shift(1).over(series)).alias("step"), pl.col(CLOSE).shift(1).over(series).alias("close_before"))
        .filter((pl.col("step") - 1).abs() > SMALLEST_YIELD)
    )
    dividend = pl.col("close_before") * (1 - 1 / pl.col("step"))
    return (
        steps.with_columns(_split_ratio(pl.col("step")).alias("ratio"))
        .with_columns(
            pl.when(pl.col("ratio").is_null()).then(pl.lit(DIVIDEND)).otherwise(pl.lit(SPLIT)).alias(KIND),
            pl.coalesce("ratio", dividend).alias(VALUE),
        )
        .filter(pl.col(VALUE) > 0)
        .select(*(pl.col(name).cast(dtype) for name, dtype in ACTIONS.items()), KNOWN_FROM)
    )


def _split_ratio(step: pl.Expr) -> pl.Expr:
    """The ratio of the split that explains a step of the adjustment factor; null where none does."""
    up, down = step.round(), (1 / step).round()
    candidates = [pl.lit(ratio) for ratio in BROKEN_RATIOS]
    candidates += [pl.when(shares.is_between(2, MOST_SHARES)).then(ratio) for shares, ratio in ((up, up), (down, 1 / down))]
    near = [pl.when((step / candidate - 1).abs() < SPLIT_TOLERANCE).then(candidate) for candidate in candidates]
    return pl.coalesce(*near, pl.when(step < LEAST_STEP_DOWN).then(step))
