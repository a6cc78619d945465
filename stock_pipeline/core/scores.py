"""The performance of scores by session: the one place that computes rank ICs and errors.

Sessions of fewer than ``MIN_STOCKS`` stocks, or where every score or every outcome is the same, have no correlation: their IC is null.
"""

from collections.abc import Mapping
from math import sqrt
from statistics import NormalDist
from typing import Final

import polars as pl

from stock_pipeline.core.columns import BASELINE_MAE, FORWARD_RETURN, IC, MAE, PREDICTIONS, RANK_IC, SCORE, SESSION, STOCKS, TARGET

MIN_STOCKS: Final = 3
# Few stocks or sessions can give a high rank IC by luck, but not one of so many standard errors.
CERTAIN: Final = 3.0


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
        session, predictions (Int32), error and baseline_mae (mean absolute, Float64) and rank_ic (null where undefined), by session.
    """
    known = rows.drop_nulls([SCORE, TARGET])
    errors = known.group_by(SESSION).agg(
        pl.len().cast(pl.Int32).alias(PREDICTIONS),
        (pl.col(SCORE) - pl.col(TARGET)).abs().mean().alias(MAE),
        pl.col(TARGET).abs().mean().alias(BASELINE_MAE),
    )
    ranked = rank_ic_by_session(known, outcome).select(SESSION, RANK_IC)
    return errors.join(ranked, on=SESSION, how="left").sort(SESSION)


def is_plausible(metrics: Mapping[str, float | None], suspicious: float) -> bool:
    """False where the mean rank IC lies significantly above ``suspicious``: daily returns are not that predictable, a leak is likely.

    Args:
        metrics: those over all test sessions, rank_ic and rank_ic_t among them; one that is not known raises no suspicion.
        suspicious: for example 0.1; published rank ICs of daily returns lie between 0.02 and 0.05.
    """
    rank_ic, t_value = metrics.get(RANK_IC), metrics.get("rank_ic_t")
    return rank_ic is None or t_value is None or rank_ic <= suspicious or t_value <= CERTAIN


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval for a share of ``successes`` in ``trials`` (at least 1) after Wilson (1927); it never leaves [0, 1]."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / trials
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    # The bounds meet the share itself at 0 and 1, where rounding would let them cross it.
    return max(min(centre - half, share), 0.0), min(max(centre + half, share), 1.0)


def _by_session(frame: pl.DataFrame, outcome: str, correlation: pl.Expr, name: str) -> pl.DataFrame:
    defined = (pl.len() >= MIN_STOCKS) & (pl.col(SCORE).n_unique() > 1) & (pl.col(outcome).n_unique() > 1)
    return (
        frame.drop_nulls([SCORE, outcome])
        .group_by(SESSION)
        .agg(pl.when(defined).then(correlation.fill_nan(None)).alias(name), pl.len().cast(pl.Int32).alias(STOCKS))
        .sort(SESSION)
    )
