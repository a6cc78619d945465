"""The comparison of two versions on the same sessions: their errors, their skill session by session, and tests of it.

The skill of a version on a session is what it is judged by: its rank IC, or for a model judged by its loss the squared error of predicting
0 less its own. Either is above 0 where the version knows something.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import (
    BASELINE_MAE,
    BASELINE_MSE,
    MAE,
    MSE,
    PREDICTIONS,
    RANK_IC,
    SCORE,
    SCORE_SQUARE,
    SESSION,
    SYMBOL,
    TARGET_IC,
)
from stock_pipeline.core.serial_dependence import LEAST_SESSIONS, cosine_waves, error_of_mean
from stock_pipeline.datasets.catalogue import JudgedBy

_TOLD: Final = (MAE, SCORE_SQUARE, RANK_IC)  # of scores that differ, one of these does
_SKILL: Final = {"rank_ic": pl.col(RANK_IC), "loss": pl.col(BASELINE_MSE) - pl.col(MSE)}


@dataclass(frozen=True)
class Comparison:
    """The performance of two versions on the same sessions, with the columns of DECISIONS; the champion is the active one.

    ``equal_sessions`` are those on which both said the same, as of folds that a retraining has kept; they tell of no difference.
    Figures of a test are None where there are too few sessions for one. ``skill_p_value`` is the probability of a mean skill as high if
    the version knew nothing, ``t_statistic`` and ``p_value`` are of the daily skill less the champion's, ``correlation`` is that of the
    daily rank ICs of both against the target, which is freed of the exposures: common bets on these alone make strangers move together.
    """

    judged_by: JudgedBy
    sessions: int
    equal_sessions: int
    predictions: int
    mae: float
    champion_mae: float
    baseline_mae: float
    mse: float | None
    champion_mse: float | None
    baseline_mse: float | None
    rank_ic: float | None
    champion_rank_ic: float | None
    calibration_slope: float | None = None
    calibration_slope_error: float | None = None
    champion_calibration_slope: float | None = None
    champion_calibration_slope_error: float | None = None
    skill_p_value: float | None = None
    champion_skill_p_value: float | None = None
    correlation: float | None = None
    t_statistic: float | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class LowerMean:
    """A t statistic of a mean, and the probability of one as low if the true mean is zero."""

    t_statistic: float
    p_value: float


def on_common_rows(candidate: pl.DataFrame, champion: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The scores of two versions on the stocks and sessions that both scored, both against the candidate's target.

    Args:
        candidate: session, symbol, score, target and forward_return.
        champion: session, symbol and score.
    """
    key = [SESSION, SYMBOL]
    both = candidate.join(champion.select(*key, pl.col(SCORE).alias("champion_score")), on=key).sort(key)
    return both.drop("champion_score"), both.with_columns(pl.col("champion_score").alias(SCORE)).drop("champion_score")


def compare(candidate: pl.DataFrame, champion: pl.DataFrame, judged_by: JudgedBy = "rank_ic") -> Comparison | None:
    """The comparison of two versions by their ``daily_metrics`` on the sessions that both predicted; None where there are none.

    Sessions without what the versions are judged by, such as those of scores that all tie, do not count in its tests. Nor do those on
    which both said the same count in the test of the difference, and in the correlation, once there are enough others.
    """
    sessions = candidate.join(champion, on=SESSION, how="semi").sort(SESSION)
    if sessions.is_empty():
        return None
    own, other = sessions, champion.join(candidate, on=SESSION, how="semi").sort(SESSION)
    skill = pl.DataFrame({"own": own.select(_SKILL[judged_by]).to_series(), "other": other.select(_SKILL[judged_by]).to_series()})
    equal = pl.Series([mine == its for mine, its in zip(own.select(_TOLD).rows(), other.select(_TOLD).rows(), strict=True)])
    telling = ~equal if (~equal).sum() >= LEAST_SESSIONS else pl.repeat(value=True, n=own.height, eager=True)
    difference = (skill["own"] - skill["other"]).filter(telling).drop_nulls().to_numpy()
    ranked = pl.DataFrame({"own": own[TARGET_IC], "other": other[TARGET_IC]}).filter(telling).drop_nulls()
    test = lower_mean(difference)
    return Comparison(
        judged_by=judged_by,
        sessions=own.height,
        equal_sessions=int(equal.sum()),
        predictions=int(own[PREDICTIONS].cast(pl.Int64).sum()),
        **_figures(own),
        **{f"champion_{name}": value for name, value in _figures(other).items() if name not in (BASELINE_MAE, BASELINE_MSE)},
        skill_p_value=_probability_of_higher(skill["own"]),
        champion_skill_p_value=_probability_of_higher(skill["other"]),
        correlation=_correlation(ranked),
        t_statistic=None if test is None else test.t_statistic,
        p_value=_probability_of_lower(difference),
    )


def lower_mean(series: NDArray[np.float64]) -> LowerMean | None:
    """The equal-weighted-cosine (EWC) t test of a mean of zero against a lower one, robust to serial dependence.

    One number a session: the stocks of a session depend on each other, and taking their rows as independent rejects far too often.

    Source: Lazarus, Lewis, Stock and Watson (2018), HAR Inference: Recommendations for Practice.

    Args:
        series: shape (sessions,), in the order of time.

    Returns:
        None below 8 sessions and where the series does not vary.
    """
    from scipy.stats import t as student

    error = error_of_mean(series)
    if error is None:
        return None
    t_statistic = float(series.mean()) / error
    return LowerMean(t_statistic, float(student.cdf(t_statistic, cosine_waves(len(series)))))


def interval(value: float, error: float, sessions: int, significance: float) -> tuple[float, float]:
    """The bounds below and above which the true value lies with a probability of ``significance`` each.

    Args:
        value: an estimate from one number a session.
        error: its standard error by the EWC test.
        sessions: how many.
        significance: of each bound.
    """
    from scipy.stats import t as student

    half = float(student.ppf(1 - significance, cosine_waves(sessions))) * error
    return value - half, value + half


def _probability_of_lower(series: NDArray[np.float64]) -> float | None:
    """The probability of a mean as low if the true one is zero; None below 8 sessions."""
    if len(series) < LEAST_SESSIONS:
        return None
    test = lower_mean(series)
    # A difference that is the same on every session is no matter of chance.
    return test.p_value if test is not None else 0.5 - 0.5 * float(np.sign(-series.mean()))


def _probability_of_higher(series: pl.Series) -> float | None:
    return _probability_of_lower(-series.drop_nulls().to_numpy())


def _figures(daily: pl.DataFrame) -> dict[str, Any]:
    """Mean errors, rank IC and calibration. A stock counts the same in the absolute error, a session in what is tested."""
    weight = pl.col(PREDICTIONS)
    absolute = ((pl.col(name) * weight).sum() / weight.sum() for name in (MAE, BASELINE_MAE))
    return daily.select(*absolute, pl.col(MSE, BASELINE_MSE, RANK_IC).mean()).row(0, named=True) | _calibration(daily)


def _calibration(daily: pl.DataFrame) -> dict[str, float | None]:
    """The slope of the target on the score through the origin, a session counting the same, and its error between sessions."""
    product = (pl.col(BASELINE_MSE) - pl.col(MSE) + pl.col(SCORE_SQUARE)) / 2  # the mean of score times target
    moments = daily.select(product.alias("product"), pl.col(SCORE_SQUARE)).drop_nulls()
    square = float(moments[SCORE_SQUARE].sum())
    if not square:
        return {"calibration_slope": None, "calibration_slope_error": None}
    slope = float(moments["product"].sum()) / square
    error = error_of_mean((moments["product"] - slope * moments[SCORE_SQUARE]).to_numpy())
    return {"calibration_slope": slope, "calibration_slope_error": None if error is None else error * moments.height / square}


def _correlation(known: pl.DataFrame) -> float | None:
    """The correlation of two columns of daily rank ICs, 1 where they are the same throughout; None where there is none.

    Versions that rank stocks alike are right and wrong on the same sessions. Losses would not show it: those of all versions move with
    the outcomes.
    """
    if known.height < LEAST_SESSIONS:
        return None
    if known["own"].equals(known["other"]):
        return 1.0
    if min(known["own"].n_unique(), known["other"].n_unique()) == 1:
        return None
    return float(np.clip(np.corrcoef(known["own"], known["other"])[0, 1], -1, 1))
