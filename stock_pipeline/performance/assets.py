"""The asset of the models' performance."""

from collections.abc import Sequence

import polars as pl

from stock_pipeline.core.columns import MODEL
from stock_pipeline.labels.reading import read_outcomes
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.models.tables import OUT_OF_FOLD_PREDICTIONS
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.performance.outcomes import daily_performance
from stock_pipeline.performance.pictures import cumulative_rank_ic
from stock_pipeline.performance.reading import predictions_on_record
from stock_pipeline.performance.tables import DAILY_PERFORMANCE, HIT_RATE, LONG_SHORT_RETURN, ORIGIN
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.storage import Write


def measure_performance(night: Night) -> Product | None:
    """Join what the models said to what came of it."""
    if not night.has_news((DAILY_PREDICTIONS, DAILY_LABELS, OUT_OF_FOLD_PREDICTIONS)):
        return None
    outcomes = read_outcomes(night.stores, night.as_of, night.settings.labels.horizons[0])
    made = daily_performance(predictions_on_record(night.stores), outcomes)
    means = made.group_by(MODEL, ORIGIN).agg(pl.len().alias("sessions"), pl.col("rank_ic", HIT_RATE, LONG_SHORT_RETURN).mean())
    return Product(
        writes=(Write(DAILY_PERFORMANCE, made, may_be_empty=True),),
        watermark=night.as_of,
        pictures={"rank_ic": cumulative_rank_ic(made)} if made.height else {},
        tables={"means": means.sort(MODEL, ORIGIN)},
    )


ASSETS: Sequence[StageAsset] = (
    StageAsset(
        keys=(key_of(DAILY_PERFORMANCE),),
        description="How good the models' scores turned out to be, session by session.",
        tables=(DAILY_PERFORMANCE,),
        depends_on=(key_of(DAILY_PREDICTIONS), key_of(DAILY_LABELS)),
        body=measure_performance,
    ),
)
