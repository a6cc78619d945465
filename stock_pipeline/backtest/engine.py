"""The backtest engine: from scores to a book for every session and its returns after costs."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.backtest import tables
from stock_pipeline.core.columns import FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL
from stock_pipeline.core.cross_section import in_best_share
from stock_pipeline.core.errors import InputError, SchemaError

_PLACE = "_place"  # number of the session in the backtest, so that the book before is the place less one


def daily_returns(scores: pl.DataFrame, top_share: float = 0.1, cost_bps_per_side: float = 10.0) -> pl.DataFrame:
    """The returns of an equally weighted, long-only book of the highest-scored stocks, session by session.

    The book is chosen after a session's close, filled at the next open and held to the open after, where the next book takes
    over. It is chosen among all scored stocks, whether or not their return turned out to be known; picks without a return
    cannot be bought, so they are left out and counted. Stocks that tie with the last pick are picked too; where all scores tie,
    none is picked. What is traded is the difference between the new weights and the old ones as the market has moved them, so
    holding the same stocks still costs a little. Costs are paid at the fill, before the return is earned. A book without stocks
    is cash and earns nothing.

    Args:
        scores: session, symbol, score (higher is better) and forward_return (a fraction, over one session: from the next open to the
            open after), both nullable. Sessions on which no stock has a forward return are left out; the next one counts as following.
        top_share: part of the scored stocks to hold, above 0 and at most 1; at least one stock is held.
        cost_bps_per_side: cost of one dollar bought or sold, in basis points, from 0 to 5000.

    Returns:
        One row per session in order: session, fill, gross_return, cost, net_return, turnover, holdings, unfilled,
        benchmark_return, equity, benchmark_equity, drawdown. The benchmark holds every stock with a forward return in equal
        weight, free of cost.

    Raises:
        InputError: ``top_share`` or ``cost_bps_per_side`` is out of range.
        SchemaError: a stock is scored twice on one session.
    """
    if not 0 < top_share <= 1:
        raise InputError(f"top_share {top_share} of the backtest is out of range; give a share above 0 and at most 1")
    if not 0 <= cost_bps_per_side <= 5000:
        raise InputError(f"cost_bps_per_side {cost_bps_per_side} of the backtest is out of range; give basis points from 0 to 5000")
    picked = _picked(scores, top_share)
    days = _by_session(picked)
    return (
        days.join(_turnover(_book(picked, days)), on=_PLACE, how="left")
        .sort(SESSION)
        .with_columns(pl.col(tables.TURNOVER).fill_null(0.0))
        .with_columns((pl.col(tables.TURNOVER) * cost_bps_per_side / 1e4).alias(tables.COST), pl.lit(tables.NEXT_OPEN).alias(tables.FILL))
        .with_columns(((1 + pl.col(tables.GROSS_RETURN)) * (1 - pl.col(tables.COST)) - 1).alias(tables.NET_RETURN))
        .with_columns(
            (1 + pl.col(tables.NET_RETURN)).cum_prod().alias(tables.EQUITY),
            (1 + pl.col(tables.BENCHMARK_RETURN)).cum_prod().alias(tables.BENCHMARK_EQUITY),
        )
        # The peak starts at the money put in, so a loss on the first session is a drawdown.
        .with_columns((pl.col(tables.EQUITY) / pl.col(tables.EQUITY).cum_max().clip(lower_bound=1.0) - 1).alias(tables.DRAWDOWN))
        .select(
            *(SESSION, tables.FILL, tables.GROSS_RETURN, tables.COST, tables.NET_RETURN, tables.TURNOVER, tables.HOLDINGS, tables.UNFILLED),
            *(tables.BENCHMARK_RETURN, tables.EQUITY, tables.BENCHMARK_EQUITY, tables.DRAWDOWN),
        )
    )


def sessions_left_out(daily: pl.DataFrame, sessions: Sequence[date]) -> pl.DataFrame:
    """The sessions that each model's record leaves out between two of its own, which it takes as neighbours.

    Args:
        daily: model and session of the record.
        sessions: the exchange's sessions, in order, at least those from the first to the last of the record.

    Returns:
        model, after and before (the neighbours) and sessions_left_out (Int64) between them, sorted by model and session.
    """
    place = pl.DataFrame({SESSION: sessions}, schema={SESSION: pl.Date}).with_row_index("place")
    numbered = daily.select(MODEL, SESSION).join(place, on=SESSION).sort(MODEL, SESSION)
    left_out = (pl.col("place").cast(pl.Int64).diff() - 1).over(MODEL).alias("sessions_left_out")
    found = numbered.select(MODEL, pl.col(SESSION).shift(1).over(MODEL).alias("after"), pl.col(SESSION).alias("before"), left_out)
    return found.filter(pl.col("sessions_left_out") > 0)


def _picked(scores: pl.DataFrame, top_share: float) -> pl.DataFrame:
    """The scores of the sessions with outcomes, in order, with ``picked`` and ``priced``."""
    numbers = [pl.col(name).cast(pl.Float64).fill_nan(None) for name in (SCORE, FORWARD_RETURN)]
    # The order fixes the order in which floats are added, so shuffled rows give the same bits.
    ordered = scores.select(SESSION, SYMBOL, *numbers).sort(SESSION, SYMBOL)
    repeated = ordered.filter(pl.struct(SESSION, SYMBOL).is_duplicated())
    if repeated.height:
        raise SchemaError(f"a backtest needs one score per stock and session, but {repeated.row(0)[:2]} has several")
    priced = pl.col(FORWARD_RETURN).is_not_null()
    return ordered.filter(priced.any().over(SESSION)).with_columns(
        in_best_share(SCORE, top_share).alias("picked"),
        priced.alias("priced"),
        (pl.col(SESSION).rank("dense").cast(pl.Int64) - 1).alias(_PLACE),
    )


def _by_session(picked: pl.DataFrame) -> pl.DataFrame:
    held, returns = pl.col("picked") & pl.col("priced"), pl.col(FORWARD_RETURN)
    return picked.group_by(_PLACE, SESSION, maintain_order=True).agg(
        returns.filter(held).mean().fill_null(0.0).alias(tables.GROSS_RETURN),
        held.sum().cast(pl.Int32).alias(tables.HOLDINGS),
        (pl.col("picked") & ~pl.col("priced")).sum().cast(pl.Int32).alias(tables.UNFILLED),
        returns.mean().alias(tables.BENCHMARK_RETURN),
    )


def _book(picked: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Weights of each session's stocks when bought, and when the next book takes over."""
    growth = 1 + pl.col(tables.GROSS_RETURN)
    drifted = pl.col("weight") * (1 + pl.col(FORWARD_RETURN)) / growth
    return (
        picked.filter(pl.col("picked") & pl.col("priced"))
        .join(days.select(_PLACE, tables.HOLDINGS, tables.GROSS_RETURN), on=_PLACE, maintain_order="left")
        .with_columns((1 / pl.col(tables.HOLDINGS)).alias("weight"))
        # A book that lost everything leaves nothing to sell.
        .select(_PLACE, SYMBOL, "weight", pl.when(growth > 0).then(drifted).otherwise(0.0).alias("drifted"))
    )


def _turnover(book: pl.DataFrame) -> pl.DataFrame:
    """Sum of the absolute changes of weight from the book before, by place; places past the last session are harmless."""
    before = book.select((pl.col(_PLACE) + 1).alias(_PLACE), SYMBOL, pl.col("drifted").alias("before"))
    change = (pl.col("weight").fill_null(0.0) - pl.col("before").fill_null(0.0)).abs()
    return (
        book.join(before, on=[_PLACE, SYMBOL], how="full", coalesce=True)
        .sort(_PLACE, SYMBOL)
        .group_by(_PLACE, maintain_order=True)
        .agg(change.sum().alias(tables.TURNOVER))
    )
