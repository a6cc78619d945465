"""The registry as people ask for it: every model in a line, and one model with all its versions and decisions. Ready for JSON."""

from typing import Any

import polars as pl

from stock_pipeline.core.columns import MODEL, VERSION
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.registry.by_hand import refuse_unknown
from stock_pipeline.registry.reading import switched_off
from stock_pipeline.registry.tables import ACTIVE, DECISION, MODEL_VERSIONS, NUMBER, PROMOTIONS, REASON, SHADOW, STATUS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def models_overview(stores: Stores) -> list[dict[str, Any]]:
    """One row per model of the catalogue and the stack: whether it is on, which version serves, which are in shadow, what came last."""
    names = [*(entry.name for entry in CATALOGUE), STACK]
    if not stores.exist:
        return [_line(name, MODEL_VERSIONS.empty(), PROMOTIONS.empty(), frozenset()) for name in names]
    versions, promotions, off = stores.read(MODEL_VERSIONS), stores.read(PROMOTIONS), switched_off(stores)
    return [_line(name, versions, promotions, off) for name in names]


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
        "last_decision": f"{last[VERSION]} {last[DECISION]}, {last['as_of']}" if last else None,
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
    decisions = stores.read(PROMOTIONS, chosen).sort(NUMBER, descending=True)
    return line | {"all_versions": _plain(versions), "decisions": _plain(decisions)}


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.with_columns(pl.col(pl.Date).cast(pl.String)).to_dicts()
