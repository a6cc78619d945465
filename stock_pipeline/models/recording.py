"""A finished training as rows: of the trainings, of what it said out of fold, and of how good that was."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import AS_OF, FOLD, METRIC, MODEL, SESSION, TRAINING_ID, VALUE
from stock_pipeline.models.artefacts import Artefact, Manifest, Saveable, write_artefact
from stock_pipeline.models.scores import ALL_FOLDS, score_table_by_fold
from stock_pipeline.models.stacking import return_scale
from stock_pipeline.models.tables import MODEL_SCORES, NUMBER, OUT_OF_FOLD_PREDICTIONS, TRAININGS

# What one unit of score is worth in return; among a manifest's metrics. Null where the scores have been worth nothing: to
# predict the opposite of what a model says, because it was wrong so far, would be one more way of overfitting.
RETURN_SCALE = "return_scale"


@dataclass(frozen=True)
class Training:
    """The rows of one training, ready for TRAININGS, OUT_OF_FOLD_PREDICTIONS and MODEL_SCORES."""

    trainings: pl.DataFrame
    out_of_fold: pl.DataFrame
    scores: pl.DataFrame


def metrics_of(out_of_fold: pl.DataFrame) -> dict[str, float | None]:
    """The measures over all folds, and what one unit of score is worth in return: what a manifest tells of a model."""
    overall = score_table_by_fold(out_of_fold).filter(pl.col(FOLD) == ALL_FOLDS)
    scale = return_scale(out_of_fold)
    return {**dict(overall.select(METRIC, VALUE).iter_rows()), RETURN_SCALE: scale if scale > 0 else None}


def record(models_root: Path, estimator: Saveable, manifest: Manifest, out_of_fold: pl.DataFrame, sessions: int, number: int) -> Training:
    """Write the artefact, then say so in rows.

    Args:
        models_root: the folder of the artefacts.
        estimator: the model that goes into service.
        manifest: all about it but its files.
        out_of_fold: model, fold, session, symbol, score, target, forward_return.
        sessions: how many sessions the final model was fitted on.
        number: of the training among those of the model.
    """
    artefact = write_artefact(models_root, estimator, manifest)
    named = (pl.lit(manifest.training_id).alias(TRAINING_ID),)
    scores = score_table_by_fold(out_of_fold).with_columns(*named, pl.lit(manifest.model).alias(MODEL), pl.lit(manifest.as_of).alias(AS_OF))
    return Training(
        trainings=_training_row(manifest, artefact, sessions, number),
        out_of_fold=out_of_fold.with_columns(*named).select(OUT_OF_FOLD_PREDICTIONS.column_names).sort(SESSION, "symbol"),
        scores=scores.select(MODEL_SCORES.column_names),
    )


def _training_row(manifest: Manifest, artefact: Artefact, sessions: int, number: int) -> pl.DataFrame:
    row = {
        TRAINING_ID: manifest.training_id,
        MODEL: manifest.model,
        NUMBER: number,
        AS_OF: manifest.as_of,
        "train_from": manifest.train_from,
        "train_to": manifest.train_to,
        "rows": manifest.rows,
        "sessions": sessions,
        "features": len(manifest.features),
        "features_hash": manifest.features_hash,
        "parameters": json.dumps(manifest.parameters, sort_keys=True),
        "seed": manifest.seed,
        "threads": manifest.threads,
        "artefact": artefact.path.as_posix(),
        "size_bytes": artefact.size_bytes,
        "sha256": artefact.sha256,
    }
    return pl.DataFrame([row], schema=TRAININGS.dtypes)


def latest_trainings(trainings: pl.DataFrame, models: Sequence[str]) -> pl.DataFrame:
    """The last training of each of ``models`` that has one, in the order of ``models``: rows of TRAININGS."""
    order = pl.DataFrame({MODEL: list(models)}, schema={MODEL: pl.String})
    last = trainings.sort(AS_OF, NUMBER).unique(MODEL, keep="last")
    return order.join(last, on=MODEL, how="inner", maintain_order="left").select(trainings.columns)
