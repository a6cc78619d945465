"""Which models have nothing sound to serve with: an artefact is missing or damaged, or a training failed and no version is left."""

import json
from collections.abc import Collection, Iterator
from typing import Any

import polars as pl

from stock_pipeline.core.columns import MODEL, TRAINING_ID
from stock_pipeline.core.errors import ArtefactError
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.reading import check_artefact
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.registry.reading import active_versions
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def damaged_trainings(stores: Stores) -> dict[str, str]:
    """The trainings that versions in service rest on, a stack's on those of its members too, whose artefact is not sound, and why."""
    found = {}
    for row in _in_use(stores):
        try:
            check_artefact(stores.layout.models / row["artefact"], row["sha256"])
        except ArtefactError as error:
            found[row[TRAINING_ID]] = str(error)
    return found


def models_to_mend(stores: Stores, names: Collection[str]) -> dict[str, str]:
    """The models to train anew, and why: those whose version in service is damaged, and those that were tried in vain and have none.

    A model that was never tried is left to its automation condition. For a damaged member of the stack that is not among ``names``, the
    base models of the settings, the stack is to be trained.
    """
    active, tasks = active_versions(stores), stores.last_task_runs()
    found = {}
    for name in [*names, STACK]:
        task = tasks.get(f"models/{name}")
        if task is not None and task.state == "failed" and name not in active[MODEL]:
            found[name] = f"its training failed and no version is in service: {task.error}"
    damaged = damaged_trainings(stores)
    trained = {row[TRAINING_ID]: row[MODEL] for row in _in_use(stores)} if damaged else {}
    for training, problem in damaged.items():
        model = trained[training]
        found.setdefault(model if model in names else STACK, problem)
    # A stack follows every training; where a model is to be trained first, there is no more to ask of it.
    others = {name: why for name, why in found.items() if name != STACK}
    return others or found


def _in_use(stores: Stores) -> Iterator[dict[str, Any]]:
    """The trainings of the versions in service, and of the members of a stack among them."""
    active = active_versions(stores)
    yield from active.iter_rows(named=True)
    stacks = active.filter(pl.col(MODEL) == STACK)["parameters"]
    members = {training for parameters in stacks for training in json.loads(parameters).get("members", {}).values()}
    others = sorted(members - set(active[TRAINING_ID]))
    if others:
        yield from stores.read(TRAININGS, Selection(equals={TRAINING_ID: others})).iter_rows(named=True)
