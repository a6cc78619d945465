"""From the volatility that a score says to the one to be expected: its mean, at every level."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import PAST_VOLATILITY, SCORE, SESSION, SYMBOL, TARGET, VOLATILITY_EXPONENT, VOLATILITY_FACTOR
from stock_pipeline.models.shrinkage import Slope, error_of_sum

NEWTON_STEPS = 50


def volatility_calibration(rows: pl.DataFrame, horizon: int) -> dict[str, float | None]:
    """Factor and exponent: the volatility to be expected is ``factor * said ** exponent``, with said = exp(score) * past volatility.

    A model of a log predicts a median, and a mean is larger: a factor alone, the mean of realised over said, is Duan's smearing
    estimate (1983, Smearing estimate: a nonparametric retransformation method). But how much larger differs by level, because calm
    stocks become less calm and wild ones less wild than a model knows that sees ranks alone. So the log of the mean is a line
    through the log of what was said (Mincer and Zarnowitz 1969), fitted by the gamma likelihood, which is indifferent to the noise of
    realised volatilities (QLIKE; Patton 2011, Volatility forecast comparison using imperfect volatility proxies). The distance of
    the exponent from 1 is shrunk by its error by session; the factor follows.

    Args:
        rows: session, symbol, score and target out of fold, and past_volatility; rows without one are left out.
        horizon: sessions over which the volatility is measured; those of neighbouring sessions overlap.

    Returns:
        volatility_factor and volatility_exponent; both None where there is no row.
    """
    known = rows.drop_nulls([SCORE, TARGET, PAST_VOLATILITY]).filter(pl.col(PAST_VOLATILITY) > 0).sort(SESSION, SYMBOL)
    if known.is_empty():
        return {VOLATILITY_FACTOR: None, VOLATILITY_EXPONENT: None}
    past = known[PAST_VOLATILITY].to_numpy()
    said, realised = np.exp(known[SCORE].to_numpy()) * past, np.exp(known[TARGET].to_numpy()) * past
    distance = _slope(np.log(said), realised / said, known[SESSION].rank("dense").to_numpy().astype(np.int64) - 1, 2 * (horizon - 1))
    exponent = 1 + np.sign(distance.value) * Slope(abs(distance.value), distance.error).shrunk
    if exponent <= 0:  # where calm stocks were to become the wild ones, nothing has been learned
        exponent = 1.0
    return {VOLATILITY_FACTOR: float(np.mean(realised / said**exponent)), VOLATILITY_EXPONENT: float(exponent)}


def _slope(level: NDArray[np.float64], ratio: NDArray[np.float64], sessions: NDArray[np.int64], lags: int) -> Slope:
    """The slope of the log of the mean of ``ratio`` on ``level``, by the gamma likelihood, with its error by session."""
    x = level - level.mean()
    squares = float(x @ x)
    if not squares > 1e-12 * len(x):
        return Slope(0.0, float("inf"))
    slope = 0.0
    for _ in range(NEWTON_STEPS):
        weights = ratio * np.exp(-slope * x)
        weights /= weights.mean()  # as the intercept has it
        centred = x - float(weights @ x) / len(x)
        step = float(x @ weights) / float(weights @ (centred * centred))
        slope += step
        if abs(step) < 1e-10:
            break
    residual = ratio * np.exp(-slope * x)
    residual = residual / residual.mean() - 1
    return Slope(slope, error_of_sum(np.bincount(sessions, x * residual).astype(np.float64), lags) / squares)
