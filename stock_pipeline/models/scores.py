"""How good scores are: rank IC by session, and a table of error and ranking measures.

Sessions of fewer than ``MIN_STOCKS`` stocks, or where every score or every outcome is the same, have no correlation: their IC is
null, and the averages leave them out.
"""

from math import sqrt
from statistics import NormalDist
from typing import Final

import polars as pl

from stock_pipeline.core.columns import FOLD, FORWARD_RETURN, METRIC, SCORE, SESSION, VALUE
from stock_pipeline.datasets.training_panel import TARGET

MIN_STOCKS: Final = 3
RANK_IC: Final = "rank_ic"
IC: Final = "ic"
STOCKS: Final = "stocks"
OBSERVATIONS: Final = "observations"
# In MODEL_SCORES, the fold that stands for all of them together.
ALL_FOLDS: Final = 0


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


def score_table(frame: pl.DataFrame) -> pl.DataFrame:
    """The measures of one model's scores.

    - ``mae``, ``rmse``: error of the score against the rank target; ``zero_mae``: that of predicting 0 for every stock. A stack's
      score is itself a rank, so its errors compare with other stacks' only.
    - ``rank_ic``, ``ic``: mean over sessions of score against forward return; ``icir``: mean over standard deviation of the
      daily rank IC, not annualised (Grinold and Kahn 2000); ``rank_ic_t``: icir times the root of the number of sessions, which
      takes sessions as independent and so flatters labels that overlap.
    - ``hit_rate``: share of sessions whose rank IC is positive, with its 95 % interval ``hit_rate_low`` to ``hit_rate_high``. It
      counts sessions, not rows, because the stocks of one session move together and are no independent trials.

    Args:
        frame: session, score, target and forward_return.

    Returns:
        metric, value (Float64, null where it cannot be had) and observations (Int64, the rows or sessions that it rests on).
    """
    rows = frame.drop_nulls([SCORE, TARGET])
    error = pl.col(SCORE) - pl.col(TARGET)
    mae, mean_square, zero_mae = rows.select(error.abs().mean(), (error**2).mean().alias("s"), pl.col(TARGET).abs().mean()).row(0)
    daily = rank_ic_by_session(frame)[RANK_IC].drop_nulls()
    pearson = ic_by_session(frame)[IC].drop_nulls()
    mean, spread = _number(daily.mean()), _number(daily.std())
    icir = mean / spread if mean is not None and spread else None
    hits, sessions = int((daily > 0).sum()), daily.len()
    low, high = wilson_interval(hits, sessions) if sessions else (None, None)
    measures: list[tuple[str, float | None, int]] = [
        ("mae", mae, rows.height),
        ("rmse", None if mean_square is None else sqrt(mean_square), rows.height),
        ("zero_mae", zero_mae, rows.height),
        (RANK_IC, mean, sessions),
        ("icir", icir, sessions),
        ("rank_ic_t", None if icir is None else icir * sqrt(sessions), sessions),
        (IC, _number(pearson.mean()), pearson.len()),
        ("hit_rate", hits / sessions if sessions else None, sessions),
        ("hit_rate_low", low, sessions),
        ("hit_rate_high", high, sessions),
    ]
    return pl.DataFrame(measures, schema={METRIC: pl.String, VALUE: pl.Float64, OBSERVATIONS: pl.Int64}, orient="row")


def score_table_by_fold(frame: pl.DataFrame) -> pl.DataFrame:
    """``score_table`` of all rows (fold 0) and of each fold of ``frame``: fold (Int32), metric, value, observations."""
    folds = [(ALL_FOLDS, frame), *((int(fold), part) for (fold,), part in frame.sort(FOLD).group_by(FOLD, maintain_order=True))]
    return pl.concat(score_table(part).select(pl.lit(fold, pl.Int32).alias(FOLD), pl.all()) for fold, part in folds)


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


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
