"""What a score is worth in return, horizon by horizon: the expected excess return, its interval, and its odds.

All of it is found on out-of-fold scores, and rests on the order within sessions, since an excess return is one over the mean of the
session's stocks.
"""

from math import isfinite
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import FORWARD_RETURN, HORIZON, LOCAL_VOLATILITY, RETURN_SCALE, SCORE, SESSION, SYMBOL
from stock_pipeline.models.platt import platt
from stock_pipeline.models.shrinkage import Slope, slope_through_origin
from stock_pipeline.models.tables import ODDS_INTERCEPT, ODDS_SLOPE, RESIDUAL_HIGH, RESIDUAL_LOW, SLOPE, SLOPE_ERROR

COVERAGE: Final = 0.8  # of the interval: one outcome in ten falls below it, and one above
_X, _Y = "_x", "_y"


def over_its_session(column: str) -> pl.Expr:
    """The column less its session's mean."""
    return pl.col(column) - pl.col(column).mean().over(SESSION)


def return_calibration(said: pl.DataFrame, outcomes: pl.DataFrame, horizon: int) -> dict[str, Any] | None:
    """What the scores are worth in the return over a horizon.

    - ``slope`` of excess return on score, both less their session's mean, through the origin, and its error by session (see
      ``shrinkage``; outcomes of a horizon of h sessions overlap with those of h - 1 sessions before). ``return_scale`` is the slope
      shrunk by that error; None where it does not rise: to reverse a model's scores because they were wrong so far would be one more
      way of overfitting.
    - ``residual_low`` and ``residual_high``: the bounds of excess return less what is expected, in units of local volatility, between
      which 80 % of a new session's stocks lie (split conformal prediction, locally weighted: Lei, G'Sell, Rinaldo, Tibshirani and
      Wasserman 2018, section 5; every session counts the same: Lee, Barber and Willett 2023, Distribution-free inference with
      hierarchical data). None where there are too few sessions to tell, below 9.
    - ``odds_slope`` and ``odds_intercept``: log-odds that the excess return is positive, as a line through the score less its
      session's mean, by Platt scaling; the slope is shrunk likewise.

    Args:
        said: session, symbol, score out of fold of every stock, whose mean is taken off as in a prediction, and local_volatility (per
            session, null where it is not known).
        outcomes: session, symbol and forward_return over the horizon; no row where it is not known.
        horizon: sessions of the return.

    Returns:
        horizon, sessions and the numbers above, by name; None where no outcome is known.
    """
    # The order of the rows fixes that in which numbers are added, so that the same rows always give the same bits.
    scored = said.sort(SESSION, SYMBOL).with_columns(over_its_session(SCORE).alias(_X))
    known = scored.join(outcomes, on=[SESSION, SYMBOL], how="inner", maintain_order="left").drop_nulls([_X, FORWARD_RETURN])
    rows = known.with_columns(over_its_session(FORWARD_RETURN).alias(_Y))
    if rows.is_empty():
        return None
    lags, sessions = 2 * (horizon - 1), rows[SESSION].to_physical().to_numpy().astype(np.int64)
    x, y = rows[_X].to_numpy(), rows[_Y].to_numpy()
    slope = _slope(rows, lags)
    low, high = _bounds(rows.with_columns(((pl.col(_Y) - slope.shrunk * pl.col(_X)) / pl.col(LOCAL_VOLATILITY)).alias("residual")))
    odds = platt(x, (y > 0).astype(np.float64), sessions, lags)
    return {
        HORIZON: horizon,
        "sessions": rows[SESSION].n_unique(),
        SLOPE: slope.value,
        SLOPE_ERROR: slope.error if isfinite(slope.error) else None,
        RETURN_SCALE: slope.shrunk or None,
        RESIDUAL_LOW: low,
        RESIDUAL_HIGH: high,
        ODDS_SLOPE: odds.slope.shrunk,
        ODDS_INTERCEPT: odds.intercept,
    }


def _slope(rows: pl.DataFrame, lags: int) -> Slope:
    sums = rows.group_by(SESSION, maintain_order=True).agg((pl.col(_X) * pl.col(_Y)).sum().alias("xy"), (pl.col(_X) ** 2).sum().alias("xx"))
    return slope_through_origin(sums["xy"].to_numpy(), sums["xx"].to_numpy(), lags)


def _bounds(rows: pl.DataFrame) -> tuple[float | None, float | None]:
    known = rows.filter(pl.col("residual").is_finite()).sort("residual", SESSION, SYMBOL)
    if known.is_empty():
        return None, None
    residuals = known["residual"].to_numpy()
    # One session more than there are: the new one, whose outcome may lie anywhere.
    weights = (1 / (pl.len().over(SESSION) * (pl.col(SESSION).n_unique() + 1))).alias("weight")
    share = known.select(weights)["weight"].to_numpy()
    tail = (1 - COVERAGE) / 2
    low, high = _upper_quantile(-residuals[::-1], share[::-1], 1 - tail), _upper_quantile(residuals, share, 1 - tail)
    return None if low is None else -low, high


def _upper_quantile(ascending: NDArray[np.float64], weights: NDArray[np.float64], level: float) -> float | None:
    """The least value up to which the weights add up to ``level``; None where all of them do not."""
    place = int(np.searchsorted(np.cumsum(weights), level - 1e-9))
    return float(ascending[place]) if place < len(ascending) else None
