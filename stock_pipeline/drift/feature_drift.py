"""Drift of the features: the latest sessions' cross-sections against those before.

A raw feature drifts whenever the market does, since all stocks share its moves; and a rank within the session is uniform
whatever happens. So each value is taken as its distance from the session's median in units of the session's median absolute
deviation, and these are pooled over the window. That lets the market's level and dispersion go and keeps the shape of the
cross-section: tails, skew, clusters, part of the stocks torn from the rest. A feature that is the same for most stocks of a
session has no such shape, and is not judged here; nor is a move that all stocks make alike.
"""

from collections.abc import Iterable, Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import AS_OF, FEATURE, SESSION, VALUE
from stock_pipeline.core.errors import InputError
from stock_pipeline.drift.severity import severity
from stock_pipeline.drift.statistics.statistic import Sample, Statistic
from stock_pipeline.drift.tables import FEATURE_DRIFT, P_VALUE, SEVERITY, STATISTIC

# With fewer rows the bias of binned statistics, about (bins - 1) / rows, comes near the thresholds.
FEWEST_ROWS = 250

# Times this, the median absolute deviation of a normal distribution is its standard deviation.
NORMAL_CONSISTENCY = 1.4826


def windows(sessions: Iterable[date], current: int = 20) -> tuple[list[date], list[date]]:
    """Reference and current sessions: the last ``current`` of the sessions, and all those before them.

    Raises:
        InputError: ``current`` is not positive.
    """
    if current < 1:
        raise InputError(f"a drift window of {current} sessions holds nothing; give at least 1")
    ordered = sorted(set(sessions))
    return ordered[:-current], ordered[-current:]


def robust_z_scores(frame: pl.DataFrame, feature: str) -> Sample:
    """Distances of a feature from its session's median in robust standard deviations, all sessions pooled, in rising order.

    Nulls are dropped, and so are sessions on which at least half the stocks share one value, for want of a scale.
    """
    value = pl.col(feature).cast(pl.Float64)
    centred = frame.select(SESSION, pl.when(value.is_finite()).then(value).alias("value")).with_columns(
        pl.col("value") - pl.col("value").median().over(SESSION)
    )
    scale = NORMAL_CONSISTENCY * pl.col("value").abs().median().over(SESSION)
    scores = centred.select(pl.when(scale > 0).then(pl.col("value") / scale).alias("score"))["score"].drop_nulls()
    # Sorted once, the sample is several times faster to bin and to rank for every statistic.
    return scores.sort().to_numpy()


def feature_drift(
    reference: pl.DataFrame,
    current: pl.DataFrame,
    feature_names: Sequence[str],
    as_of: date,
    statistics: Sequence[Statistic],
) -> pl.DataFrame:
    """Every statistic of every feature, current against reference.

    Args:
        reference, current: session, and the features as columns, one row per session and stock; no session is in both.
        feature_names: the features to compare, columns of both frames.
        as_of: the session after whose close drift is judged.

    Returns:
        Rows of ``FEATURE_DRIFT``, in the order of the features and statistics given. Below 250 values on either side the value
        is null and the severity NONE.
    """
    spans = {
        f"{side}_{end}": day
        for side, frame in (("reference", reference), ("current", current))
        for end, day in zip(("from", "to"), frame.select(first=pl.col(SESSION).min(), last=pl.col(SESSION).max()).row(0), strict=True)
    }
    rows = [
        {AS_OF: as_of, FEATURE: feature, **spans, **row}
        for feature in feature_names
        for row in _compare(robust_z_scores(reference, feature), robust_z_scores(current, feature), statistics)
    ]
    return pl.DataFrame(rows, schema=FEATURE_DRIFT.dtypes)


def _compare(reference: Sample, current: Sample, statistics: Sequence[Statistic]) -> list[dict[str, object]]:
    enough = min(reference.size, current.size) >= FEWEST_ROWS
    rows: list[dict[str, object]] = []
    for statistic in statistics:
        value = statistic.compute(reference, current) if enough else None
        p_value = statistic.p_value(value, reference.size, current.size) if value is not None and statistic.p_value else None
        rows.append(
            {
                STATISTIC: statistic.name,
                VALUE: value,
                P_VALUE: p_value,
                SEVERITY: severity(value, statistic.thresholds),
                "reference_rows": reference.size,
                "current_rows": current.size,
            }
        )
    return rows
