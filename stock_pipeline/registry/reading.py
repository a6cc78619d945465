"""Reading the registry: active, shadow and damaged versions, and the training job that is running."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, SESSION, TRAINING_ID, VERSION
from stock_pipeline.core.errors import ArtefactError
from stock_pipeline.models.catalogue import STACK, stacked_models
from stock_pipeline.models.reading import check_artefact
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.registry import tables
from stock_pipeline.registry.ledger import living_jobs
from stock_pipeline.registry.lifecycle import active_on
from stock_pipeline.registry.training_jobs import sentence_of, unfinished_job
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def active_versions(stores: Stores, night: date | None = None) -> pl.DataFrame:
    """The versions that are active now, or were on the night of a session, each with the columns of its training."""
    versions = all_versions(stores)
    return versions.filter(pl.col(tables.STATUS) == tables.ACTIVE) if night is None else active_on(versions, night)


def all_versions(stores: Stores) -> pl.DataFrame:
    """Every version with the columns of its training; a run reads it once, so that its active versions stay the same."""
    trainings = stores.read(TRAININGS).drop(MODEL, AS_OF)
    return stores.read(tables.MODEL_VERSIONS).join(trainings, on=TRAINING_ID, how="inner", maintain_order="left")


def disabled_models(stores: Stores) -> frozenset[str]:
    """The models that are disabled and make no predictions, the stack among them where no active version is left that it may weigh."""
    off = frozenset(stores.read(tables.MODEL_ENABLEMENT).filter(~pl.col(tables.ENABLED))[MODEL])
    if not off:
        return off
    active = stores.read(tables.MODEL_VERSIONS, Selection(columns=(MODEL,), equals={tables.STATUS: [tables.ACTIVE]}))[MODEL]
    return off if {*active} & {*stacked_models(None)} - off else off | {STACK}


def eligible_versions(versions: pl.DataFrame, model: str, session: date) -> pl.DataFrame:
    """Model and version of those that may predict for the model on the night of ``session``: the active one, then earlier ones.

    The earlier ones are retired versions that learned from the same features, latest first. ``versions`` are as from ``all_versions``.
    """
    of_model = versions.filter(pl.col(MODEL) == model)
    active = active_on(of_model, session)
    earlier = of_model.filter(
        (pl.col(tables.STATUS) == tables.RETIRED)
        & pl.col("features_hash").is_in(active["features_hash"].implode())
        & (pl.col(AS_OF) <= session)
    ).join(active, on=VERSION, how="anti")
    return pl.concat([active, earlier.sort(VERSION, descending=True)]).select(MODEL, VERSION)


def in_shadow_on(versions: pl.DataFrame, session: date) -> pl.DataFrame:
    """The shadow versions on the night of ``session``."""
    return versions.filter((pl.col(tables.STATUS) == tables.SHADOW) & (pl.col(AS_OF) <= session))


def serving_predictions(versions: pl.DataFrame, predictions: pl.DataFrame) -> pl.DataFrame:
    """The predictions that counted on each session: those of the version active that night, or else of the last one retired.

    ``predictions`` have model, version, session and any other columns; those of shadow and rejected versions are left out.
    """
    served = pl.col(tables.ACTIVE_FROM) <= pl.col(SESSION)
    active = served & (pl.col(tables.ACTIVE_TO).is_null() | (pl.col(tables.ACTIVE_TO) > pl.col(SESSION)))
    marked = predictions.join(
        versions.select(MODEL, VERSION, tables.STATUS, tables.ACTIVE_FROM, tables.ACTIVE_TO), on=[MODEL, VERSION], how="inner"
    ).with_columns(pl.when(active).then(2).when(pl.col(tables.STATUS).is_in([tables.ACTIVE, tables.RETIRED])).then(1).alias("_claim"))
    chosen = marked.drop_nulls("_claim").filter(pl.col("_claim") == pl.col("_claim").max().over(MODEL, SESSION))
    chosen = chosen.filter(pl.col(VERSION) == pl.col(VERSION).max().over(MODEL, SESSION))
    return chosen.select(predictions.columns)


def job_at_work(stores: Stores, moment: datetime) -> str | None:
    """The status of the unfinished training job at ``moment`` (UTC), as the first half of a sentence; None where there is none.

    Jobs whose process has died are closed first, see ``ledger.living_jobs``.
    """
    row = unfinished_job(living_jobs(stores, moment))
    return None if row is None else sentence_of(row)


def damaged_trainings(stores: Stores) -> dict[str, str]:
    """The trainings of active versions, and of the members of an active stack, whose artefact is missing or damaged, and why."""
    found = {}
    for row in _in_use(stores):
        try:
            check_artefact(stores.layout.models / row["artefact"], row["sha256"])
        except ArtefactError as error:
            found[row[TRAINING_ID]] = str(error)
    return found


def asset_of(model: str) -> str:
    """The name of the asset that trains the model, in the audit trail: the stack's follows the registry."""
    return "/".join(tables.STACK_ASSET) if model == STACK else f"models/{model}"


def stack_members(stores: Stores, names: Sequence[str], features_hash: str) -> pl.DataFrame:
    """The active versions that the stack weighs, each with the columns of its training, in the order of ``names``.

    Versions of models that are disabled, of damaged artefacts and of other features are left out.

    Args:
        stores: both stores.
        names: of the models that it may weigh.
        features_hash: of the features that are made now.
    """
    order = pl.DataFrame({MODEL: [name for name in names if name not in disabled_models(stores)]}, schema={MODEL: pl.String})
    usable = (pl.col("features_hash") == features_hash) & ~pl.col(TRAINING_ID).is_in(list(damaged_trainings(stores)))
    return order.join(active_versions(stores).filter(usable), on=MODEL, how="inner", maintain_order="left")


def models_to_mend(stores: Stores, names: Collection[str]) -> dict[str, str]:
    """The models to retrain, and why: the active version is damaged, or there is none since the last training failed.

    A model that was never trained is left to its automation condition. For a damaged member of the stack that is not among ``names``,
    the base models of the settings, the stack is to be retrained.
    """
    active, tasks = active_versions(stores), stores.last_executions()
    found = {}
    for name in [*names, STACK]:
        task = tasks.get(asset_of(name))
        if task is not None and task.state == "failed" and name not in active[MODEL]:
            found[name] = f"its training failed and no version is active: {task.error}"
    damaged = damaged_trainings(stores)
    trained = {row[TRAINING_ID]: row[MODEL] for row in _in_use(stores)} if damaged else {}
    for training, problem in damaged.items():
        model = trained[training]
        found.setdefault(model if model in names else STACK, problem)
    # The stack follows every training, so it need not be requested together with a model.
    others = {name: why for name, why in found.items() if name != STACK}
    return others or found


def _in_use(stores: Stores) -> Iterator[dict[str, Any]]:
    """The trainings of the active versions, and of the members of a stack among them."""
    active = active_versions(stores)
    yield from active.iter_rows(named=True)
    stacks = active.filter(pl.col(MODEL) == STACK)["parameters"]
    members = {training for parameters in stacks for training in json.loads(parameters).get("members", {}).values()}
    others = sorted(members - set(active[TRAINING_ID]))
    if others:
        yield from stores.read(TRAININGS, Selection(equals={TRAINING_ID: others})).iter_rows(named=True)
