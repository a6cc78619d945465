"""The versions that MLflow is to show, read from the stores."""

import json
from functools import partial

from stock_pipeline.core.columns import AS_OF, MODEL, TRAINING_ID, VERSION
from stock_pipeline.datasets.catalogue import target_kind
from stock_pipeline.models.reading import overall_metrics, training_charts
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.registry.mlflow_mirror import MirroredVersion
from stock_pipeline.registry.tables import MODEL_VERSIONS, STATUS
from stock_pipeline.storage import Stores

SHOWN = (AS_OF, "train_from", "train_to", "rows", "features", "target", "trials", "seed", "threads", "device")


def mirrored_versions(stores: Stores) -> list[MirroredVersion]:
    """Every version of the registry as MLflow shows it, in the order of model and version."""
    trainings = {row[TRAINING_ID]: row for row in stores.read(TRAININGS).iter_rows(named=True)}
    metrics = overall_metrics(stores)
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
                artefact=stores.layout.models / training["artefact"],
                charts=partial(training_charts, stores, row[MODEL], name, target_kind(training["target"])),
            )
        )
    return made
