"""Reading the registry: which versions serve or stand in shadow, and where their artefacts lie."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, SESSION, TRAINING_ID, VERSION
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.registry.lifecycle import active_on
from stock_pipeline.registry.registration import Registry
from stock_pipeline.registry.tables import (
    ACTIVE,
    ACTIVE_FROM,
    ACTIVE_TO,
    ENABLED,
    MODEL_SWITCHES,
    MODEL_VERSIONS,
    PROMOTIONS,
    RETIRED,
    SHADOW,
    STATUS,
)
from stock_pipeline.storage import Stores, Write, append, upsert


@dataclass(frozen=True)
class HeldRegistry:
    """The registry as it was read, and the version of each of its tables then."""

    registry: Registry
    versions_version: int
    promotions_version: int

    def writes(self, after: Registry) -> tuple[Write, Write]:
        """What makes ``after`` of it; refused where another has changed it since."""
        return (
            upsert(MODEL_VERSIONS, after.versions, may_be_empty=True, expected_version=self.versions_version),
            append(PROMOTIONS, after.promotions, may_be_empty=True, expected_version=self.promotions_version),
        )


def held_registry(stores: Stores) -> HeldRegistry:
    """The registry, to be changed."""
    versions, promotions = stores.read_versioned(MODEL_VERSIONS), stores.read_versioned(PROMOTIONS)
    return HeldRegistry(Registry(versions.frame, promotions.frame), versions.version, promotions.version)


def active_versions(stores: Stores) -> pl.DataFrame:
    """The versions in service now, each with the columns of its training."""
    return _with_training(stores, stores.read(MODEL_VERSIONS).filter(pl.col(STATUS) == ACTIVE))


def all_versions(stores: Stores) -> pl.DataFrame:
    """Every version with the columns of its training: read once, it pins for a whole run which of them serves."""
    return _with_training(stores, stores.read(MODEL_VERSIONS))


def switched_off(stores: Stores) -> frozenset[str]:
    """The models whose predictions are not made."""
    return frozenset(stores.read(MODEL_SWITCHES).filter(~pl.col(ENABLED))[MODEL])


def speakers(versions: pl.DataFrame, model: str, session: date) -> pl.DataFrame:
    """Model and version of those that may speak for the model on the night of ``session``: the one in service, then earlier ones.

    The earlier ones are those retired that learned from the same features, latest first.

    Args:
        versions: as ``all_versions`` returns them.
        model: which.
        session: which night.
    """
    of_model = versions.filter(pl.col(MODEL) == model)
    in_service = active_on(of_model, session)
    earlier = of_model.filter(
        (pl.col(STATUS) == RETIRED) & pl.col("features_hash").is_in(in_service["features_hash"].implode()) & (pl.col(AS_OF) <= session)
    ).join(in_service, on=VERSION, how="anti")
    return pl.concat([in_service, earlier.sort(VERSION, descending=True)]).select(MODEL, VERSION)


def in_shadow_on(versions: pl.DataFrame, session: date) -> pl.DataFrame:
    """The versions that predict beside those in service on the night of ``session``."""
    return versions.filter((pl.col(STATUS) == SHADOW) & (pl.col(AS_OF) <= session))


def spoken(versions: pl.DataFrame, predictions: pl.DataFrame) -> pl.DataFrame:
    """The predictions of the version that spoke for its model on their session: in service that night, or else the last one retired.

    Args:
        versions: rows of MODEL_VERSIONS.
        predictions: model, version and session, and whatever else; those of versions in shadow or rejected go.
    """
    served = pl.col(ACTIVE_FROM) <= pl.col(SESSION)
    in_service = served & (pl.col(ACTIVE_TO).is_null() | (pl.col(ACTIVE_TO) > pl.col(SESSION)))
    marked = predictions.join(
        versions.select(MODEL, VERSION, STATUS, ACTIVE_FROM, ACTIVE_TO), on=[MODEL, VERSION], how="inner"
    ).with_columns(pl.when(in_service).then(2).when(pl.col(STATUS).is_in([ACTIVE, RETIRED])).then(1).alias("_claim"))
    chosen = marked.drop_nulls("_claim").filter(pl.col("_claim") == pl.col("_claim").max().over(MODEL, SESSION))
    chosen = chosen.filter(pl.col(VERSION) == pl.col(VERSION).max().over(MODEL, SESSION))
    return chosen.select(predictions.columns)


def _with_training(stores: Stores, versions: pl.DataFrame) -> pl.DataFrame:
    trainings = stores.read(TRAININGS).drop(MODEL, AS_OF)
    return versions.join(trainings, on=TRAINING_ID, how="inner", maintain_order="left")
