"""The comparison of two versions on the same sessions: errors, rank ICs, and a test for a lower rank IC."""

from dataclasses import asdict, dataclass
from math import ceil, pi, sqrt
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import BASELINE_MAE, MAE, PREDICTIONS, RANK_IC, SCORE, SESSION, SYMBOL

_LEAST_SESSIONS: Final = 8  # with fewer the test would rest on a single pair of cosines


@dataclass(frozen=True)
class Comparison:
    """The performance of two versions on the same sessions, with the columns of DECISIONS; the champion is the active one.

    t_statistic and p_value, of the daily rank IC less the champion's, are None where there are too few sessions.
    """

    sessions: int
    predictions: int
    mae: float
    champion_mae: float
    baseline_mae: float
    rank_ic: float | None
    champion_rank_ic: float | None
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


def compare(candidate: pl.DataFrame, champion: pl.DataFrame) -> Comparison | None:
    """The comparison of two versions by their ``daily_metrics`` on the sessions that both predicted; None where there are none."""
    both = candidate.join(champion, on=SESSION, suffix="_champion").sort(SESSION)
    if both.is_empty():
        return None
    weight = pl.col(PREDICTIONS)

    def mean(name: str) -> pl.Expr:
        return (pl.col(name) * weight).sum() / weight.sum()

    measured = both.select(
        sessions=pl.len(),
        predictions=weight.cast(pl.Int64).sum(),
        mae=mean(MAE),
        champion_mae=mean(f"{MAE}_champion"),
        baseline_mae=mean(BASELINE_MAE),
        rank_ic=pl.col(RANK_IC).mean(),
        champion_rank_ic=pl.col(f"{RANK_IC}_champion").mean(),
    ).row(0, named=True)
    test = lower_mean((both[RANK_IC] - both[f"{RANK_IC}_champion"]).drop_nulls().to_numpy())
    return Comparison(**measured, **({} if test is None else asdict(test)))


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

    count = len(series)
    if count < _LEAST_SESSIONS:
        return None
    waves = ceil(0.4 * count ** (2 / 3))
    moments = (np.arange(count) + 0.5) / count
    weights = sqrt(2 / count) * np.cos(pi * np.arange(1, waves + 1)[:, None] * moments)
    variance = float(((weights @ series) ** 2).mean())
    if variance <= np.finfo(float).eps * float(np.square(series).mean()):
        return None
    t_statistic = sqrt(count) * float(series.mean()) / sqrt(variance)
    return LowerMean(t_statistic, float(student.cdf(t_statistic, waves)))
