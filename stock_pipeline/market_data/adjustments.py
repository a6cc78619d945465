"""Adjusted prices: raw bars and the corporate actions known then, made comparable across sessions."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import (
    CLOSE,
    CONFIRMED,
    JUMP,
    OPEN,
    PRICE_FACTOR,
    PRICES,
    SESSION,
    SUSPECT,
    SYMBOL,
    VALUE,
    VOLUME,
    VOLUME_FACTOR,
)
from stock_pipeline.market_data.tables import ACTIONS_KNOWN, BASIS, DIVIDEND, KIND, SPLIT, SPLIT_ADJUSTED

_AFTER_SUSPECT: Final = "after_suspect"


def adjust(bars: pl.DataFrame, actions: pl.DataFrame, jump_ratio: float) -> pl.DataFrame:
    """Bars adjusted for splits and dividends, so that price ratios are total returns; the last bar of a symbol stays raw.

    Args:
        bars, actions, jump_ratio: as for ``with_factors``.

    Returns:
        symbol, session, open, high, low, close (null on suspect bars), volume (in today's shares) and jump, sorted by symbol and
        session.
    """
    stepped = with_factors(bars, actions, jump_ratio)
    price_factor, volume_factor = (product_of_later(pl.col(step), SYMBOL) for step in (PRICE_FACTOR, VOLUME_FACTOR))
    return stepped.select(
        SYMBOL, SESSION, *((pl.col(name) * price_factor).alias(name) for name in PRICES), pl.col(VOLUME) * volume_factor, JUMP
    )


def with_factors(bars: pl.DataFrame, actions: pl.DataFrame, jump_ratio: float) -> pl.DataFrame:
    """Raw bars with the price factor and the share factor of each: what earlier bars are multiplied by to be comparable with it.

    Where the source reports no actions, an overnight move by more than ``jump_ratio`` (up or down) is marked in ``jump`` and taken
    out of the prices before it: more often than not it is a split or a spin-off that nobody announced. Where the source does report
    actions, or the move is confirmed, a jump is a real move of the price and stays.

    A suspect bar counts as a missing one, whatever the source reports: its prices are null. The next bar that is believed is compared
    with the last one before it, so a misprint that reverses leaves nothing behind, and a level that stays is a jump.

    Args:
        bars: symbol, session, open, high, low, close, volume, basis and actions_known; suspect and confirmed (Boolean) where somebody
            may doubt them; one row per symbol and session.
        actions: symbol, session (ex-session), kind, value. One that falls on a session without a bar counts on the next bar.
        jump_ratio: for example 1.4.

    Returns:
        symbol, session, open, high, low, close and volume as reported, price_factor and volume_factor (Float64, above 0; 1 where
        nothing took effect), jump and suspect, sorted by symbol and session.
    """
    judged = bars.with_columns(pl.lit(value=False).alias(name) for name in (SUSPECT, CONFIRMED) if name not in bars.columns)
    after_suspect = pl.col(SUSPECT).shift(1).over(SYMBOL).fill_null(value=False).alias(_AFTER_SUSPECT)
    placed = judged.sort(SYMBOL, SESSION).with_columns(after_suspect)
    believed = _with_factors_of_believed(placed.filter(~pl.col(SUSPECT)), actions, jump_ratio)
    doubted = placed.filter(SUSPECT)
    if doubted.is_empty():
        return believed
    unknown = [pl.lit(None, pl.Float64).alias(price) for price in PRICES]
    blank = doubted.with_columns(
        *unknown, pl.lit(1.0).alias(PRICE_FACTOR), pl.lit(1.0).alias(VOLUME_FACTOR), pl.lit(value=False).alias(JUMP)
    )
    return pl.concat([believed, blank.select(believed.columns)]).sort(SYMBOL, SESSION)


def _with_factors_of_believed(bars: pl.DataFrame, actions: pl.DataFrame, jump_ratio: float) -> pl.DataFrame:
    """``with_factors`` of bars in order of which none is suspect; ``after_suspect`` tells those that a suspect one came just before."""
    stepped = with_action_steps(bars, actions)
    close_before = pl.col(CLOSE).shift(1).over(SYMBOL)
    expected_open = close_before / pl.col("split") - pl.col("dividend")
    overnight = pl.when(expected_open > 0).then(pl.col(OPEN) / expected_open)
    unexplained = (~pl.col(ACTIONS_KNOWN) | pl.col(_AFTER_SUSPECT)) & ~pl.col(CONFIRMED)
    jump = (unexplained & ((overnight > jump_ratio) | (overnight < 1 / jump_ratio))).fill_null(False)
    action_step = pl.when(expected_open > 0).then(expected_open / close_before).otherwise(1 / pl.col("split"))
    stepped = stepped.with_columns(jump.alias(JUMP), action_step.alias(PRICE_FACTOR), overnight.alias("overnight"))
    return stepped.select(
        SYMBOL,
        SESSION,
        *PRICES,
        VOLUME,
        pl.when(JUMP).then(pl.col(PRICE_FACTOR) * pl.col("overnight")).otherwise(pl.col(PRICE_FACTOR)).alias(PRICE_FACTOR),
        pl.col("split").alias(VOLUME_FACTOR),
        JUMP,
        SUSPECT,
    )


def product_of_later(step: pl.Expr, group: str) -> pl.Expr:
    """For each bar the product of ``step`` over the later bars of its group, the last of them first."""
    return step.shift(-1).fill_null(1.0).cum_prod(reverse=True).over(group)


def with_later_splits(rows: pl.DataFrame, splits: pl.DataFrame, day: str, name: str) -> pl.DataFrame:
    """The rows, in their order, with the product of the ratios of all splits after each row's ``day``; 1 where there is none.

    Args:
        rows: symbol and ``day``.
        splits: symbol, session (ex-session), kind and value; actions other than splits are passed over.
        day: the column of ``rows`` that dates them.
        name: what the new column is called.
    """
    later = (
        splits.filter(pl.col(KIND) == SPLIT)
        .sort(SYMBOL, SESSION)
        .select(SYMBOL, pl.col(SESSION).alias("ex_session"), pl.col(VALUE).cum_prod(reverse=True).over(SYMBOL).alias(name))
    )
    joined = (
        rows.with_row_index("place")
        .sort(day)
        .join_asof(
            later.sort("ex_session"),
            left_on=day,
            right_on="ex_session",
            by=SYMBOL,
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
    )
    return joined.sort("place").select(*rows.columns, pl.col(name).fill_null(1.0))


def with_action_steps(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """The bars, sorted by symbol and session, with the split ratio (1 where none) and the dividend (0 where none) that take effect on each.

    The split ratio is 1 where the bar before came adjusted for splits: the split is in its prices already.
    """
    if actions.is_empty():
        return bars.with_columns(pl.lit(1.0).alias("split"), pl.lit(0.0).alias("dividend"))
    effective = actions.sort(SESSION).join_asof(
        bars.select(SYMBOL, SESSION, pl.col(SESSION).alias("bar_session")).sort(SESSION),
        on=SESSION,
        by=SYMBOL,
        strategy="forward",
        check_sortedness=False,
    )
    per_bar = effective.group_by(SYMBOL, pl.col("bar_session").alias(SESSION)).agg(
        pl.col(VALUE).filter(pl.col(KIND) == SPLIT).product().alias("split"),
        pl.col(VALUE).filter(pl.col(KIND) == DIVIDEND).sum().alias("dividend"),
    )
    joined = bars.join(per_bar, on=[SYMBOL, SESSION], how="left", maintain_order="left")
    applied = pl.col(BASIS).shift(1).over(SYMBOL) == SPLIT_ADJUSTED
    split = pl.when(applied).then(1.0).otherwise(pl.col("split")).fill_null(1.0)
    return joined.with_columns(split.alias("split"), pl.col("dividend").fill_null(0.0))
