"""What MLflow is to show of the versions, gathered from the stores."""

import json
from functools import partial

import polars as pl

from stock_pipeline.core.columns import AS_OF, METRIC, MODEL, TRAINING_ID, VALUE, VERSION
from stock_pipeline.core.scores import rank_ic_by_session
from stock_pipeline.datasets.catalogue import target_kind
from stock_pipeline.models.pictures import explanation_pictures, rank_ic_picture
from stock_pipeline.models.scores import OVERALL
from stock_pipeline.models.tables import MODEL_SCORES, OUT_OF_FOLD_PREDICTIONS, SHAP_VALUES, TRAININGS
from stock_pipeline.registry.mlflow_mirror import MirroredVersion
from stock_pipeline.registry.tables import MODEL_VERSIONS, STATUS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

SHOWN = (AS_OF, "train_from", "train_to", "rows", "features", "target", "trials", "seed", "threads", "device")


def mirrored_versions(stores: Stores) -> list[MirroredVersion]:
    """Every version of the registry as MLflow shows it, in the order of model and version."""
    trainings = {row[TRAINING_ID]: row for row in stores.read(TRAININGS).iter_rows(named=True)}
    scores = stores.read(MODEL_SCORES, Selection(equals=OVERALL))
    metrics = {name: dict(rows.select(METRIC, VALUE).iter_rows()) for (name,), rows in scores.group_by(TRAINING_ID)}
    made = []
    for row in stores.read(MODEL_VERSIONS).sort(MODEL, VERSION).iter_rows(named=True):
        name, training = row[TRAINING_ID], trainings[row[TRAINING_ID]]
        made.append(
            MirroredVersion(
                model=row[MODEL],
                version=row[VERSION],
                training_id=name,
                status=row[STATUS],
                parameters={**{shown: training[shown] for shown in SHOWN}, **json.loads(training["parameters"])},
                metrics=metrics.get(name, {}),
                artefact=stores.home / "models" / training["artefact"],
                pictures=partial(_pictures, stores, row[MODEL], name, training["target"]),
            )
        )
    return made


def _pictures(stores: Stores, model: str, training: str, target: str) -> dict[str, bytes]:
    """The pictures of a training, drawn from its rows."""
    chosen = Selection(equals={TRAINING_ID: [training]})
    daily = rank_ic_by_session(stores.read(OUT_OF_FOLD_PREDICTIONS, chosen), target_kind(target).ranked_against)
    explained = stores.read(SHAP_VALUES, chosen)
    drawn = {} if explained.is_empty() else explanation_pictures(explained, model)
    return {"rank_ic_by_session": rank_ic_picture(daily, model), **drawn}


def as_frame(mirrored: list[MirroredVersion]) -> pl.DataFrame:
    """The versions as a table to look at."""
    return pl.DataFrame({name: [getattr(version, name) for version in mirrored] for name in (MODEL, VERSION, TRAINING_ID, STATUS)})
