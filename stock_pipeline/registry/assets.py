"""The assets of the registry: the versions, and their mirror in MLflow."""

import json
from collections.abc import Sequence
from functools import partial

import polars as pl

from stock_pipeline.core.columns import AS_OF, METRIC, MODEL, TRAINING_ID, VALUE, VERSION
from stock_pipeline.datasets.targets import Kind
from stock_pipeline.features.reading import chosen_set
from stock_pipeline.models.artefacts import hash_features, read_manifest
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.models.pictures import explanation_pictures, rank_ic_picture
from stock_pipeline.models.plausibility import is_plausible
from stock_pipeline.models.recording import ranked_against
from stock_pipeline.models.scores import OVERALL, rank_ic_by_session
from stock_pipeline.models.tables import MODEL_SCORES, NUMBER, OUT_OF_FOLD_PREDICTIONS, SHAP_VALUES, TRAININGS
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.registry.mlflow_mirror import MirroredVersion, mirror
from stock_pipeline.registry.promotion import Candidate, register
from stock_pipeline.registry.tables import ACTIVE, MODEL_VERSIONS, STATUS
from stock_pipeline.storage import Write
from stock_pipeline.storage.reading import Selection

MLFLOW_MIRROR = ("registry", "mlflow_mirror")
SHOWN_IN_MLFLOW = (AS_OF, "train_from", "train_to", "rows", "features", "target", "trials", "seed", "threads", "device")


def register_versions(night: Night) -> Product | None:
    """Make a version of every training that has none, and promote those that pass the rule."""
    versions = night.read(MODEL_VERSIONS)
    candidates = _candidates(night, versions)
    if not candidates and night.is_up_to_date:
        return None
    registered = register(versions, candidates, night.settings.registry.tolerance, _outdated(night))
    return Product(
        writes=(Write(MODEL_VERSIONS, registered, may_be_empty=True),),
        watermark=night.as_of,
        tables={"versions": registered.sort(AS_OF, MODEL, descending=True)},
        facts={"versions": registered.height, "active": registered.filter(pl.col(STATUS) == ACTIVE).height},
    )


def mirror_to_mlflow(night: Night) -> Product | None:
    """Show every version in MLflow. The registry is the truth: MLflow may be thrown away and is made again from it."""
    if not night.settings.registry.mirror_to_mlflow or not night.has_news((MODEL_VERSIONS,)):
        return None
    trainings = {row[TRAINING_ID]: row for row in night.read(TRAININGS).iter_rows(named=True)}
    mirrored = []
    for row in night.read(MODEL_VERSIONS).iter_rows(named=True):
        training = trainings[row[TRAINING_ID]]
        folder = night.models_root / training["artefact"]
        shown = {name: training[name] for name in SHOWN_IN_MLFLOW}
        mirrored.append(
            MirroredVersion(
                model=row[MODEL],
                version=row[VERSION],
                training_id=row[TRAINING_ID],
                status=row[STATUS],
                parameters={**shown, **json.loads(training["parameters"])},
                metrics=read_manifest(folder).metrics,
                artefact=folder,
                pictures=partial(_pictures, night, row[MODEL], row[TRAINING_ID], training["target"]),
            )
        )
    night.say(f"{len(mirrored)} versions")
    listed = pl.DataFrame({name: [getattr(version, name) for version in mirrored] for name in (MODEL, VERSION, TRAINING_ID, STATUS)})
    added = mirror(night.stores.home, mirrored)
    return Product(writes=(), watermark=night.as_of, tables={"mirrored": listed}, facts={"runs_added": added})


def _pictures(night: Night, model: str, training: str, target: Kind) -> dict[str, bytes]:
    """The pictures of a training, drawn from its rows."""
    chosen = Selection(equals={TRAINING_ID: [training]})
    daily = rank_ic_by_session(night.read(OUT_OF_FOLD_PREDICTIONS, chosen), ranked_against(target))
    explained = night.read(SHAP_VALUES, chosen)
    drawn = {} if explained.is_empty() else explanation_pictures(explained, model)
    return {"rank_ic_by_session": rank_ic_picture(daily, model), **drawn}


def _candidates(night: Night, versions: pl.DataFrame) -> list[Candidate]:
    made_now = pl.col("features_hash") == _features_hash(night)
    trainings = night.read(TRAININGS, Selection(last=night.as_of)).filter(made_now).join(versions, on=TRAINING_ID, how="anti")
    scores = night.read(MODEL_SCORES, Selection(equals=OVERALL))
    wide = scores.filter(pl.col(METRIC).is_in(["mae", "rank_ic", "rank_ic_t"])).pivot(on=METRIC, index=TRAINING_ID, values=VALUE)
    joined = trainings.join(wide, on=TRAINING_ID, how="left").sort(AS_OF, MODEL, NUMBER) if wide.height else trainings.clear()
    limit = night.settings.models.suspicious_rank_ic
    # A training that its check took for a leak lies there still when a later one has passed.
    kept = [row for row in joined.iter_rows(named=True) if row["target"] == "volatility" or is_plausible(row, limit)]
    return [Candidate(row[MODEL], row[TRAINING_ID], row[AS_OF], row.get("mae"), row.get("rank_ic")) for row in kept]


def _outdated(night: Night) -> frozenset[str]:
    """The trainings that learned from other features than are made now."""
    trainings = night.read(TRAININGS, Selection(columns=(TRAINING_ID, "features_hash")))
    return frozenset(trainings.filter(pl.col("features_hash") != _features_hash(night))[TRAINING_ID])


def _features_hash(night: Night) -> str:
    return hash_features(chosen_set(night.settings).names)


ASSETS: Sequence[StageAsset] = (
    StageAsset(
        keys=(key_of(MODEL_VERSIONS),),
        description="Versions of the models.",
        tables=(MODEL_VERSIONS,),
        depends_on=(*(("models", entry.name) for entry in CATALOGUE), ("models", STACK)),
        body=register_versions,
    ),
    StageAsset(
        keys=(MLFLOW_MIRROR,),
        description="The registry shown in MLflow: a run per version with parameters, measures and artefact.",
        tables=(),
        depends_on=(key_of(MODEL_VERSIONS),),
        body=mirror_to_mlflow,
        failure_is_shown=True,
        kinds=("mlflow",),
    ),
)
