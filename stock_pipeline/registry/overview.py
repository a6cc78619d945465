"""Summaries of the registry, ready for JSON: a row for each model, one model in full, and the metrics of active versions."""

import json
from typing import Any

import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, TRAINING_ID, VERSION
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.reading import overall_metrics
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.registry.manual import NAMES, refuse_unknown
from stock_pipeline.registry.reading import active_versions, asset_of, disabled_models
from stock_pipeline.registry.tables import ACTIVE, DECISION, DECISIONS, MODEL_VERSIONS, NUMBER, REASON, SHADOW, STATUS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def models_overview(stores: Stores) -> list[dict[str, Any]]:
    """One row per model and the stack: whether it is enabled, its active version, its shadow versions, and its last decision."""
    if not stores.exist:
        return [_line(name, MODEL_VERSIONS.empty(), DECISIONS.empty(), frozenset()) for name in NAMES]
    versions, promotions, off = stores.read(MODEL_VERSIONS), stores.read(DECISIONS), disabled_models(stores)
    return [_line(name, versions, promotions, off) for name in NAMES]


def _line(name: str, versions: pl.DataFrame, promotions: pl.DataFrame, off: frozenset[str]) -> dict[str, Any]:
    own, decided = versions.filter(pl.col(MODEL) == name), promotions.filter(pl.col(MODEL) == name).sort(NUMBER).tail(1)
    active = own.filter(pl.col(STATUS) == ACTIVE)
    last = decided.row(0, named=True) if decided.height else {}
    return {
        "model": name,
        "enabled": name not in off,
        "active_version": active[VERSION][0] if active.height else None,
        "active_since": active["active_from"][0].isoformat() if active.height else None,
        "versions": own.height,
        "shadow_versions": own.filter(pl.col(STATUS) == SHADOW)[VERSION].to_list(),
        "last_decision": f"v{last[VERSION]} {last[DECISION]}, {last['as_of']}" if last else None,
        "reason": last.get(REASON),
    }


def model_in_full(stores: Stores, model: str) -> dict[str, Any]:
    """One model: its line of the overview, every version with its training, and every decision, newest first.

    Raises:
        InputError: there is no such model.
    """
    refuse_unknown(model)
    line = next(row for row in models_overview(stores) if row["model"] == model)
    if not stores.exist:
        return line | {"all_versions": [], "decisions": []}
    chosen = Selection(equals={MODEL: [model]})
    trainings = stores.read(TRAININGS, chosen).select("training_id", "train_from", "train_to", "rows", "features", "artefact", "sha256")
    versions = stores.read(MODEL_VERSIONS, chosen).join(trainings, on="training_id", how="left").sort(VERSION, descending=True)
    decisions = stores.read(DECISIONS, chosen).sort(NUMBER, descending=True)
    return line | {"all_versions": _plain(versions), "decisions": _plain(decisions)}


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.with_columns(pl.col(pl.Date).cast(pl.String)).to_dicts()


def model_status(stores: Stores) -> list[dict[str, Any]]:
    """One row per model of the catalogue and the stack; null where it has no active version. Values are ready for JSON.

    ``versions`` counts those that there were, ``problem`` is why the last training failed, null where it did not, and ``weight`` is how
    much the model counts in the active stack.
    """
    if not stores.exist:
        return [{"model": name, "active_version": None, "versions": 0} for name in NAMES]
    counted = stores.read(MODEL_VERSIONS, Selection(columns=(MODEL,)))[MODEL].to_list()
    versions = {row[MODEL]: row for row in active_versions(stores).iter_rows(named=True)}
    weights = json.loads(versions[STACK]["parameters"])["weights"] if STACK in versions else {}
    metrics, tasks = overall_metrics(stores), stores.last_executions()
    found = []
    for name in NAMES:
        task = tasks.get(asset_of(name))
        row = {"model": name, "active_version": None} if name not in versions else _row(stores, name, versions[name], metrics)
        of_model = {"versions": counted.count(name), "weight": weights.get(name)}
        found.append(row | of_model | {"problem": None if task is None else task.error})
    return found


def _row(stores: Stores, name: str, version: dict[str, Any], metrics: dict[str, dict[str, float | None]]) -> dict[str, Any]:
    trained_at = stores.last_write(TRAININGS, asset_of(name))
    return {
        "model": name,
        "active_version": version[VERSION],
        "training_id": version[TRAINING_ID],
        "trained_as_of": version[AS_OF].isoformat(),
        "last_trained": None if trained_at is None else trained_at.isoformat(timespec="seconds") + "Z",
        "train_from": version["train_from"].isoformat(),
        "train_to": version["train_to"].isoformat(),
        "rows": version["rows"],
        "features": version["features"],
        "size_bytes": version["size_bytes"],
        "metrics": metrics.get(version[TRAINING_ID], {}),
    }
