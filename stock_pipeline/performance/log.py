"""Performance of the models' live predictions, had the top decile of each session been bought."""

from datetime import date
from typing import Any, Final

import polars as pl

from stock_pipeline.core.columns import ALL_PERIODS, AS_OF, FORWARD_RETURN, IC, MODEL, PERIOD, RANK_IC, SCORE, SESSION, SYMBOL
from stock_pipeline.core.cross_section import in_best_share
from stock_pipeline.core.ratios import sharpe_ratio, sortino_ratio
from stock_pipeline.core.scores import ic_by_session, interval_by_session, rank_ic_by_session
from stock_pipeline.performance.tables import PERFORMANCE_LOG

PERIODS: Final = (20, 60, 250)  # sessions
BASIS_POINT: Final = 1e-4
SIDES: Final = 2  # of a trade: what is bought at one open is sold at the next

SESSION_RETURN: Final = "session_return"
TRADES: Final = "trades"
_WINS, _GAINS, _LOSSES = "wins", "gains", "losses"


def top_decile_by_session(
    predictions: pl.DataFrame, outcomes: pl.DataFrame, returns: pl.DataFrame, cost_bps_per_side: float, share: float = 0.1
) -> pl.DataFrame:
    """The results of each model's top decile on each session with known returns, and the correlation of its scores with outcomes.

    The stocks are chosen among all that the model scored, as it is not known on the night which of them will have a return; one
    without is left out. They weigh the same, are bought at the next open and held to the open after. A session of which none
    could be bought, or on which all scores tie, earned nothing. Every trade pays both its sides, even where the next session buys
    the same stock again.

    Args:
        predictions: model, session, symbol and score, one for each.
        outcomes: symbol, session and forward_return (a fraction) over the predicted horizon; no row without one.
        returns: the same over one session.
        cost_bps_per_side: cost of one dollar bought or sold, in basis points; a trade, bought and sold again, costs two sides.
        share: part of the stocks to buy; those that tie with the last one are bought too.

    Returns:
        model, session, trades (Int64), wins, gains and losses (sums over its trades, each at least 0), session_return, ic and
        rank_ic over all stocks (null where undefined or not known yet), sorted by model and session.
    """
    gain = pl.col(FORWARD_RETURN) - SIDES * cost_bps_per_side * BASIS_POINT
    chosen = predictions.select(MODEL, SESSION, SYMBOL, SCORE, in_best_share(SCORE, share, (MODEL, SESSION)).alias("_best"))
    known = _joined(chosen, returns).with_columns(pl.when("_best").then(gain).alias("_gain"))
    traded = known.group_by(MODEL, SESSION, maintain_order=True).agg(
        pl.col("_gain").count().cast(pl.Int64).alias(TRADES),
        (pl.col("_gain") > 0).sum().cast(pl.Int64).alias(_WINS),
        pl.col("_gain").clip(lower_bound=0).sum().alias(_GAINS),
        (-pl.col("_gain").clip(upper_bound=0)).sum().alias(_LOSSES),
        pl.col("_gain").mean().fill_null(0.0).alias(SESSION_RETURN),
    )
    return traded.join(_correlations(_joined(chosen, outcomes)), on=[MODEL, SESSION], how="left", maintain_order="left")


def _joined(chosen: pl.DataFrame, returns: pl.DataFrame) -> pl.DataFrame:
    """The rows with a return, in one order, which fixes that in which numbers are added: the same rows always give the same bits."""
    found = chosen.join(returns.select(SYMBOL, SESSION, FORWARD_RETURN), on=[SYMBOL, SESSION], how="inner")
    return found.sort(MODEL, SESSION, SYMBOL)


def _correlations(known: pl.DataFrame) -> pl.DataFrame:
    """model, session, ic and rank_ic; the loop is over models, of which there are few."""
    parts = [pl.DataFrame(schema={MODEL: pl.String, SESSION: pl.Date, IC: pl.Float64, RANK_IC: pl.Float64})]
    for (model,), rows in known.partition_by(MODEL, as_dict=True).items():
        both = ic_by_session(rows).join(rank_ic_by_session(rows), on=SESSION)
        # A correlation may exceed 1 by a rounding error, which the table would refuse.
        parts.append(both.select(pl.lit(model).alias(MODEL), SESSION, pl.col(IC, RANK_IC).clip(-1, 1)))
    return pl.concat(parts)


def performance_log(daily: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The performance of each model over its last 20, 60 and 250 sessions, where it has as many, and over all of them.

    Args:
        daily: what ``top_decile_by_session`` returns.
        as_of: the session after whose close it is measured.

    Returns:
        Rows of ``PERFORMANCE_LOG`` in the order of its key; none of a period without a trade.
    """
    rows = []
    for (model,), known in daily.sort(MODEL, SESSION).partition_by(MODEL, as_dict=True, maintain_order=True).items():
        periods = {f"{count} sessions": known.tail(count) for count in PERIODS if known.height >= count}
        for period, part in (periods | {ALL_PERIODS: known}).items():
            if part[TRADES].sum():
                rows.append({AS_OF: as_of, MODEL: model, PERIOD: period, **_figures(part)})
    return pl.DataFrame(rows, schema=PERFORMANCE_LOG.dtypes).sort(PERFORMANCE_LOG.key)


def _figures(part: pl.DataFrame) -> dict[str, Any]:
    returns = part[SESSION_RETURN].to_numpy()
    trades, wins, gains, losses = part.select(pl.col(TRADES, _WINS, _GAINS, _LOSSES).sum()).row(0)
    low, high = interval_by_session(part[_WINS].to_numpy(), part[TRADES].to_numpy())
    return {
        "first_session": part[SESSION][0],
        "last_session": part[SESSION][-1],
        "sessions": part.height,
        TRADES: trades,
        "win_rate": wins / trades,
        "win_rate_low": low,
        "win_rate_high": high,
        "mean_return": float(returns.mean()),
        "sharpe": sharpe_ratio(returns),
        "sortino": sortino_ratio(returns),
        "profit_factor": gains / losses if losses else None,
        IC: part[IC].mean(),
        RANK_IC: part[RANK_IC].mean(),
    }
