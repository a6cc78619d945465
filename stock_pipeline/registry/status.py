"""How every model stands: which version serves, when it was trained, on what, and how good it is."""

import json
from typing import Any

from stock_pipeline.core.columns import AS_OF, MODEL, TRAINING_ID, VERSION
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.models.reading import overall_scores
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.registry.reading import active_versions
from stock_pipeline.storage import Stores


def model_status(stores: Stores) -> list[dict[str, Any]]:
    """One row per model of the catalogue and the stack; null where it has no active version. Values are ready for JSON.

    ``problem`` is why the last training failed, null where it did not; ``weight`` is how much the model counts in the active stack.
    """
    names = [*(entry.name for entry in CATALOGUE), STACK]
    if not stores.exist:
        return [{"model": name, "active_version": None} for name in names]
    versions = {row[MODEL]: row for row in active_versions(stores).iter_rows(named=True)}
    weights = json.loads(versions[STACK]["parameters"])["weights"] if STACK in versions else {}
    scores, tasks = overall_scores(stores), stores.last_task_runs()
    found = []
    for name in names:
        task = tasks.get(f"models/{name}")
        row = {"model": name, "active_version": None} if name not in versions else _row(stores, name, versions[name], scores)
        found.append(row | {"weight": weights.get(name), "problem": None if task is None else task.error})
    return found


def _row(stores: Stores, name: str, version: dict[str, Any], scores: dict[str, dict[str, float | None]]) -> dict[str, Any]:
    trained_at = stores.last_write(TRAININGS, f"models/{name}")
    return {
        "model": name,
        "active_version": version[VERSION],
        "training_id": version[TRAINING_ID],
        "trained_as_of": version[AS_OF].isoformat(),
        "last_trained": None if trained_at is None else trained_at.isoformat(timespec="seconds") + "Z",
        "train_from": version["train_from"].isoformat(),
        "train_to": version["train_to"].isoformat(),
        "samples": version["rows"],
        "features": version["features"],
        "size_bytes": version["size_bytes"],
        "scores": scores.get(version[TRAINING_ID], {}),
    }
