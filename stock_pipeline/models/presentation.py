"""What the web UI shows of a training: charts, small frames and single figures."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import AS_OF, FOLD, METRIC, MODEL, PERIOD, TARGET, TRAINING_ID, VALUE
from stock_pipeline.core.scores import rank_ic_by_session
from stock_pipeline.datasets.catalogue import target_kind
from stock_pipeline.models.charts import CHARTS_OF_KINDS, explanation_charts, rank_ic_chart
from stock_pipeline.models.manifest import Manifest
from stock_pipeline.models.metrics import PART
from stock_pipeline.models.recording import Training

SHOWN_METRICS: Final = ("rank_ic", "icir", "mae", "baseline_mae", "r2", "positive_ic_share")


def charts_of(training: Training, manifest: Manifest, horizon: int) -> dict[str, bytes]:
    """The charts (PNG, by name) of a training; ``horizon`` is that of the return that models predict, in sessions."""
    kind = target_kind(manifest.target)
    known = training.out_of_fold.drop_nulls(TARGET)
    drawn = {"rank_ic_by_session": rank_ic_chart(rank_ic_by_session(known, kind.ranked_against), manifest.model)}
    drawn |= {name: CHARTS_OF_KINDS[name](known, horizon) for name in kind.charts}
    return drawn | ({} if training.importance.is_empty() else explanation_charts(training.shap_values, manifest.model))


def tables_of(training: Training) -> dict[str, pl.DataFrame]:
    """The frames shown with a training, by name: its metrics, the importance of features and its trials, where there are any."""
    shown = training.scores.pivot(on=METRIC, index=[PART, FOLD, PERIOD], values=VALUE).sort(PART, FOLD, PERIOD)
    tables = {"metrics": shown, "importance": training.importance.drop(TRAINING_ID, MODEL, AS_OF), "trials": training.trials}
    return {name: frame for name, frame in tables.items() if frame.height}


def facts_of(manifest: Manifest) -> dict[str, float | int | str | None]:
    """The figures shown with a training, by name."""
    return {
        "training_id": manifest.training_id,
        "rows": manifest.rows,
        "device": manifest.device,
        "threads": manifest.threads,
        **{name: manifest.metrics[name] for name in SHOWN_METRICS},
    }
