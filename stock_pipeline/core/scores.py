"""The performance of scores by session: the one place that computes rank ICs and errors.

Sessions of fewer than ``MIN_STOCKS`` stocks have no correlation: their IC is null. So is it where every score or every outcome is the
same, rounding aside, and where one of them is NaN or infinite: what a model that breaks down on one stock says of the others is unknown.
"""

from collections.abc import Mapping
from math import sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import (
    BASELINE_MAE,
    BASELINE_MSE,
    FORWARD_RETURN,
    IC,
    MAE,
    MSE,
    PREDICTIONS,
    RANK_IC,
    SCORE,
    SCORE_SQUARE,
    SESSION,
    STOCKS,
    TARGET,
    TARGET_IC,
    TOLD_APART_SHARE,
)
from stock_pipeline.core.ratios import SMALLEST_DEVIATION
from stock_pipeline.core.serial_dependence import cosine_waves, error_of_mean

MIN_STOCKS: Final = 3
# Of the largest of some values: those that lie closer together are equal, and their order is that of their rounding errors. A float64
# carries sixteen digits, of which sums over thousands of rows may cost some.
SMALLEST_SPREAD: Final = 1e-9
# Few stocks or sessions can give a high rank IC by luck, but not one of so many standard errors.
CERTAIN: Final = 3.0
# All scores of a session may tie by chance where it has few stocks, but not on more than one session in twenty.
NEARLY_EVERY: Final = 0.95


def rank_ic_by_session(frame: pl.DataFrame, outcome: str = FORWARD_RETURN) -> pl.DataFrame:
    """The rank IC of each session: Spearman's correlation (1904) of score and outcome across stocks, ties at their mean rank.

    Args:
        frame: session, score and ``outcome``; rows where either is null are left out.
        outcome: the column to correlate the score with.

    Returns:
        session, rank_ic (Float64, null where there is none) and stocks (Int32), sorted by session.
    """
    return _by_session(frame, outcome, pl.corr(pl.col(SCORE).rank(), pl.col(outcome).rank()), RANK_IC)


def ic_by_session(frame: pl.DataFrame, outcome: str = FORWARD_RETURN) -> pl.DataFrame:
    """As ``rank_ic_by_session``, with Pearson's correlation of the values themselves: session, ic and stocks."""
    return _by_session(frame, outcome, pl.corr(SCORE, outcome), IC)


def daily_metrics(rows: pl.DataFrame, outcome: str = FORWARD_RETURN) -> pl.DataFrame:
    """The performance of scores by session: errors against the target, and rank IC.

    Args:
        rows: session, score, target and ``outcome``; rows that lack score or target are left out.
        outcome: what the score is ranked against.

    Returns:
        session, predictions (Int32), mae and mse (mean absolute and mean squared error, Float64), baseline_mae and baseline_mse (those of
        predicting 0 for every stock), score_square (mean square of the scores), rank_ic and target_ic (the same against the target; both
        null where undefined), by session.
    """
    known = rows.drop_nulls([SCORE, TARGET])
    error, target = pl.col(SCORE) - pl.col(TARGET), pl.col(TARGET)
    errors = known.group_by(SESSION).agg(
        pl.len().cast(pl.Int32).alias(PREDICTIONS),
        error.abs().mean().alias(MAE),
        target.abs().mean().alias(BASELINE_MAE),
        (error**2).mean().alias(MSE),
        (target**2).mean().alias(BASELINE_MSE),
        (pl.col(SCORE) ** 2).mean().alias(SCORE_SQUARE),
    )
    for name, against in ((RANK_IC, outcome), (TARGET_IC, TARGET)):
        ranked = rank_ic_by_session(known, against).select(SESSION, pl.col(RANK_IC).alias(name))
        errors = errors.join(ranked, on=SESSION, how="left")
    return errors.sort(SESSION)


def is_plausible(metrics: Mapping[str, float | None], suspicious: float) -> bool:
    """False where the mean rank IC lies significantly above ``suspicious``: daily returns are not that predictable, a leak is likely.

    Args:
        metrics: those over all test sessions, rank_ic and rank_ic_t among them; one that is not known raises no suspicion.
        suspicious: for example 0.1; published rank ICs of daily returns lie between 0.02 and 0.05.
    """
    rank_ic, t_value = metrics.get(RANK_IC), metrics.get("rank_ic_t")
    return rank_ic is None or t_value is None or rank_ic <= suspicious or t_value <= CERTAIN


def told_apart_by_session(frame: pl.DataFrame) -> pl.DataFrame:
    """Whether the scores tell the stocks of a session apart: false where all of them tie, rounding aside, or one is not finite.

    Args:
        frame: session and score; rows without a score are left out, and sessions of fewer than two stocks.

    Returns:
        session and told_apart (Boolean), sorted by session.
    """
    several = frame.drop_nulls(SCORE).group_by(SESSION).agg(pl.len().alias(STOCKS), _differ(SCORE).alias("told_apart"))
    return several.filter(pl.col(STOCKS) > 1).select(SESSION, "told_apart").sort(SESSION)


def tells_stocks_apart(metrics: Mapping[str, float | None]) -> bool:
    """False where all scores tie on more than one session in twenty: such a model cannot say which stock to prefer.

    Args:
        metrics: those over all test sessions, told_apart_share among them; one that is not known counts as every session.
    """
    share = metrics.get(TOLD_APART_SHARE)
    return share is None or share >= NEARLY_EVERY


def interval_of_dependent(successes: NDArray[np.bool_], confidence: float = 0.95) -> tuple[float, float]:
    """The interval for the share of sessions that succeed, where a session may be like those before it; it never leaves [0, 1].

    The error of the share, robust to serial dependence, tells how many independent sessions would be as sure; Wilson's interval (1927)
    is for so many, as in ``interval_by_session``. With fewer than 8 sessions, or where all end alike, each counts as one trial.

    Args:
        successes: of each session in the order of time, shape (sessions,), at least one.
        confidence: how often the interval should hold the true share.
    """
    from scipy.special import stdtrit

    sessions, share = len(successes), float(successes.mean())
    error = error_of_mean(successes.astype(np.float64) - share)
    if error is None:
        return _wilson(share, sessions, NormalDist().inv_cdf(0.5 + confidence / 2))
    effective = min(max(share * (1 - share) / error**2, 1.0), sessions)
    return _wilson(share, effective, float(stdtrit(cosine_waves(sessions), 0.5 + confidence / 2)))


def interval_by_session(successes: NDArray[np.int64], trials: NDArray[np.int64], confidence: float = 0.95) -> tuple[float, float]:
    """The interval for the share of all successes in all trials, where the trials of one session may depend on each other.

    The variance of the share is that of a ratio of totals over the sessions (Cochran 1977, Sampling Techniques, chapter 6). It tells how
    many independent trials would be as sure, and Wilson's interval for so many, with Student's quantile for one session less than there
    are, never leaves [0, 1]. Effective trials: Korn and Graubard (1998, Survey Methodology 24); in Wilson's interval: Franco, Little, Louis
    and Slud (2019, Journal of Survey Statistics and Methodology 7). Sessions count as independent, as one-session returns do not overlap.

    Args:
        successes: how many of each session's trials succeeded.
        trials: how many there were, in all at least 1; sessions without any do not count.
        confidence: how often the interval should hold the true share.

    Returns:
        Both bounds; 0 and 1 where a single session says nothing of how sessions differ.
    """
    from scipy.special import stdtrit

    won, tried = successes[trials > 0].astype(np.float64), trials[trials > 0].astype(np.float64)
    sessions, total = len(tried), float(tried.sum())
    if sessions < 2:
        return 0.0, 1.0
    share = float(won.sum()) / total
    variance = sessions / (sessions - 1) * float(((won - share * tried) ** 2).sum()) / total**2
    # Where all trials ended alike, sessions show no difference; each then counts as one trial.
    effective = sessions if share in (0, 1) else total if variance == 0 else min(share * (1 - share) / variance, total)
    return _wilson(share, effective, float(stdtrit(sessions - 1, 0.5 + confidence / 2)))


def _wilson(share: float, trials: float, quantile: float) -> tuple[float, float]:
    z = quantile
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    # The bounds meet the share itself at 0 and 1, where rounding would let them cross it.
    return max(min(centre - half, share), 0.0), min(max(centre + half, share), 1.0)


def _by_session(frame: pl.DataFrame, outcome: str, correlation: pl.Expr, name: str) -> pl.DataFrame:
    # A return is a ratio less 1, so its rounding error does not shrink with it.
    defined = (pl.len() >= MIN_STOCKS) & _differ(SCORE) & _differ(outcome, SMALLEST_DEVIATION)
    return (
        frame.drop_nulls([SCORE, outcome])
        .group_by(SESSION)
        .agg(pl.when(defined).then(correlation.fill_nan(None)).alias(name), pl.len().cast(pl.Int32).alias(STOCKS))
        .sort(SESSION)
    )


def spread_beyond_rounding(value: pl.Expr) -> pl.Expr:
    """Whether the values differ by more than their rounding errors."""
    return value.max() - value.min() > SMALLEST_SPREAD * value.abs().max()


def _differ(name: str, least: float = 0.0) -> pl.Expr:
    """Whether the values of a session are finite and differ by more than rounding, and than ``least``."""
    value = pl.col(name).cast(pl.Float64)
    spread = value.max() - value.min()
    return value.is_finite().all() & spread_beyond_rounding(value) & (spread > least)
