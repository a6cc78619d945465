"""Adjusted prices: raw bars and the corporate actions known then, made comparable across sessions."""

import polars as pl

from stock_pipeline.core.columns import CLOSE, JUMP, OPEN, PRICES, SESSION, SYMBOL, VALUE, VOLUME
from stock_pipeline.market_data.corporate_actions import DIVIDEND, SPLIT
from stock_pipeline.market_data.sources.source import BASIS, KIND, SPLIT_ADJUSTED
from stock_pipeline.market_data.tables import ACTIONS_KNOWN


def adjust(bars: pl.DataFrame, actions: pl.DataFrame, jump_ratio: float) -> pl.DataFrame:
    """Prices adjusted for splits and dividends, so that their ratios are total returns; the last bar of a symbol stays raw.

    Where the source gives no word on actions, an overnight move by more than ``jump_ratio`` (up or down) is marked in ``jump``
    and taken out of the adjusted prices: more often than not it is a split or a spin-off that nobody announced. Where the
    source does tell of actions, a leap of the price is a leap of the price.

    Args:
        bars: symbol, session, open, high, low, close, volume, basis and actions_known; one row per symbol and session.
        actions: symbol, session (ex-session), kind, value. One that falls on a session without a bar counts on the next bar.
        jump_ratio: for example 1.4.

    Returns:
        symbol, session, open, high, low, close, volume (in today's shares) and jump, sorted by symbol and session.
    """
    stepped = with_action_steps(bars.sort(SYMBOL, SESSION), actions)
    close_before = pl.col(CLOSE).shift(1).over(SYMBOL)
    expected_open = close_before / pl.col("split") - pl.col("dividend")
    overnight = pl.when(expected_open > 0).then(pl.col(OPEN) / expected_open)
    jump = (~pl.col(ACTIONS_KNOWN) & ((overnight > jump_ratio) | (overnight < 1 / jump_ratio))).fill_null(False)
    action_step = pl.when(expected_open > 0).then(expected_open / close_before).otherwise(1 / pl.col("split")).fill_null(1.0)
    stepped = stepped.with_columns(jump.alias(JUMP), action_step.alias("step"), overnight.alias("overnight"))
    step = pl.when(JUMP).then(pl.col("step") * pl.col("overnight")).otherwise(pl.col("step"))
    return stepped.with_columns(
        _product_of_later(step).alias("price_factor"), _product_of_later(1 / pl.col("split")).alias("share_factor")
    ).select(
        SYMBOL,
        SESSION,
        *((pl.col(name) * pl.col("price_factor")).alias(name) for name in PRICES),
        (pl.col(VOLUME) / pl.col("share_factor")).alias(VOLUME),
        JUMP,
    )


def with_action_steps(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """The bars, sorted by symbol and session, with the split ratio (1 where none) and the dividend (0 where none) that take effect on each.

    A bar whose predecessor was told adjusted for splits has none to take: the split is in the prices already.
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


def _product_of_later(step: pl.Expr) -> pl.Expr:
    """For each bar the product of ``step`` over the symbol's later bars."""
    return step.shift(-1).fill_null(1.0).cum_prod(reverse=True).over(SYMBOL)
