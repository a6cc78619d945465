"""Metrics of a model's scores: errors and rank correlations, as a whole and in parts.

Averages leave out the sessions that have no IC, see ``core.scores``.
"""

from math import sqrt
from typing import Final

import polars as pl

from stock_pipeline.core.columns import (
    ALL_PERIODS,
    FOLD,
    FORWARD_RETURN,
    IC,
    METRIC,
    PERIOD,
    RANK_IC,
    SCORE,
    SESSION,
    TARGET,
    TOLD_APART_SHARE,
    VALUE,
)
from stock_pipeline.core.scores import ic_by_session, interval_of_dependent, rank_ic_by_session, told_apart_by_session

OBSERVATIONS: Final = "observations"
ALL_FOLDS: Final = 0  # in MODEL_METRICS, the fold that stands for all of them together
PART: Final = "part"
TEST, TRAIN = "test", "train"
# Which rows of MODEL_METRICS are for all test sessions together.
OVERALL: Final[dict[str, list[str] | list[int]]] = {PART: [TEST], FOLD: [ALL_FOLDS], PERIOD: [ALL_PERIODS]}


def metric_table(frame: pl.DataFrame, outcome: str = FORWARD_RETURN) -> pl.DataFrame:
    """The metrics of one model's scores.

    - ``mae``, ``rmse``: error of the score against the target; ``baseline_mae``, ``baseline_rmse``: that of predicting 0 for every stock.
    - ``r2``: 1 less the squared error over that of predicting 0, so 0 is a model that knows nothing (Gu, Kelly and Xiu 2020).
    - ``rank_ic``, ``ic``: mean over sessions of score against outcome; ``icir``: mean over standard deviation of the
      daily rank IC, not annualised (Grinold and Kahn 2000); ``rank_ic_t``: icir times the root of the number of sessions, which
      takes sessions as independent and so flatters labels that overlap.
    - ``positive_ic_share``: share of sessions whose rank IC is positive, with its 95 % interval ``positive_ic_share_low`` to
      ``positive_ic_share_high``. It counts sessions, not rows, because the stocks of one session move together and are no
      independent trials; sessions whose outcomes overlap count for fewer.
    - ``told_apart_share``: share of sessions of two stocks or more on which not all scores tie.

    Args:
        frame: session, score, target and ``outcome``; rows without a target count in ``told_apart_share`` alone.
        outcome: what the score is ranked against.

    Returns:
        metric, value (Float64, null where it cannot be had) and observations (Int64, the rows or sessions that it rests on).
    """
    known = frame.drop_nulls([SCORE, TARGET])
    daily = rank_ic_by_session(known, outcome)[RANK_IC].drop_nulls()
    pearson = ic_by_session(known, outcome)[IC].drop_nulls()
    mean, spread = _number(daily.mean()), _number(daily.std())
    icir = mean / spread if mean is not None and spread else None
    positive, sessions = int((daily > 0).sum()), daily.len()
    low, high = interval_of_dependent((daily > 0).to_numpy()) if sessions else (None, None)
    told_apart = told_apart_by_session(frame)["told_apart"]
    metrics: list[tuple[str, float | None, int]] = [
        *_errors(known),
        (RANK_IC, mean, sessions),
        ("icir", icir, sessions),
        ("rank_ic_t", None if icir is None else icir * sqrt(sessions), sessions),
        (IC, _number(pearson.mean()), pearson.len()),
        ("positive_ic_share", positive / sessions if sessions else None, sessions),
        ("positive_ic_share_low", low, sessions),
        ("positive_ic_share_high", high, sessions),
        (TOLD_APART_SHARE, _number(told_apart.mean()), told_apart.len()),
    ]
    return pl.DataFrame(metrics, schema={METRIC: pl.String, VALUE: pl.Float64, OBSERVATIONS: pl.Int64}, orient="row")


def _errors(rows: pl.DataFrame) -> list[tuple[str, float | None, int]]:
    error, target = pl.col(SCORE) - pl.col(TARGET), pl.col(TARGET)
    square, baseline_square = (error**2).mean(), (target**2).mean()
    values = rows.select(
        mae=error.abs().mean(),
        rmse=square.sqrt(),
        r2=pl.when(baseline_square != 0).then(1 - square / baseline_square),
        baseline_mae=target.abs().mean(),
        baseline_rmse=baseline_square.sqrt(),
    )
    return [(name, value, rows.height) for name, value in values.row(0, named=True).items()]


def metrics_by_part(test: pl.DataFrame, train: pl.DataFrame | None, outcome: str = FORWARD_RETURN) -> pl.DataFrame:
    """``metric_table`` of the test rows as a whole, by fold and by year, and of the training rows as a whole and by fold.

    Args:
        test: fold and the columns that ``metric_table`` takes, of sessions that the model had not seen.
        train: the same of sessions that it learned from; None for a stack, which learns from test rows alone.
        outcome: as for ``metric_table``.

    Returns:
        part (test or train), fold (0 for all), period (a year, or "all"), metric, value and observations.
    """
    cuts = [(TEST, ALL_FOLDS, ALL_PERIODS, test), *((TEST, fold, ALL_PERIODS, rows) for fold, rows in _by_fold(test))]
    years = test.with_columns(pl.col(SESSION).dt.year().cast(pl.String).alias(PERIOD)).sort(PERIOD)
    cuts += [(TEST, ALL_FOLDS, str(year), rows) for (year,), rows in years.group_by(PERIOD, maintain_order=True)]
    if train is not None:
        cuts += [(TRAIN, ALL_FOLDS, ALL_PERIODS, train), *((TRAIN, fold, ALL_PERIODS, rows) for fold, rows in _by_fold(train))]
    named = (
        metric_table(rows, outcome).select(
            pl.lit(part).alias(PART), pl.lit(fold, pl.Int32).alias(FOLD), pl.lit(period).alias(PERIOD), pl.all()
        )
        for part, fold, period, rows in cuts
    )
    return pl.concat(named)


def overall(scores: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``metrics_by_part`` for all test sessions together."""
    return scores.filter(pl.col(name).is_in(values) for name, values in OVERALL.items())


def _by_fold(frame: pl.DataFrame) -> list[tuple[int, pl.DataFrame]]:
    return [(int(fold), part) for (fold,), part in frame.sort(FOLD).group_by(FOLD, maintain_order=True)]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
