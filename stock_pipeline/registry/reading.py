"""Reading the registry: which trainings are in service, and where their artefacts lie."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import AS_OF, TRAINING_ID
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.registry.promotion import active_on
from stock_pipeline.registry.tables import ACTIVE, MODEL_VERSIONS, STATUS
from stock_pipeline.storage import Stores


def active_versions(stores: Stores) -> pl.DataFrame:
    """The versions in service now, each with the columns of its training."""
    return _with_training(stores, stores.read(MODEL_VERSIONS).filter(pl.col(STATUS) == ACTIVE))


def versions_in_service(stores: Stores, session: date) -> pl.DataFrame:
    """The versions that were in service on the night of ``session``, each with the columns of its training."""
    return _with_training(stores, active_on(stores.read(MODEL_VERSIONS), session))


def _with_training(stores: Stores, versions: pl.DataFrame) -> pl.DataFrame:
    trainings = stores.read(TRAININGS).drop("model", AS_OF)
    return versions.join(trainings, on=TRAINING_ID, how="inner", maintain_order="left")
