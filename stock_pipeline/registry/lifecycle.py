"""The life cycle of a version: the allowed transitions between statuses. Nothing else changes a status."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import polars as pl

from stock_pipeline.core.columns import MODEL, VERSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.registry import tables

TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    tables.CANDIDATE: frozenset({tables.SHADOW, tables.ACTIVE, tables.REJECTED}),
    tables.SHADOW: frozenset({tables.ACTIVE, tables.REJECTED}),
    tables.ACTIVE: frozenset({tables.RETIRED}),
    tables.RETIRED: frozenset({tables.ACTIVE, tables.ARCHIVED}),
    tables.REJECTED: frozenset({tables.ACTIVE, tables.ARCHIVED}),  # active only by force, see ``manual.promote``
    tables.ARCHIVED: frozenset(),
}


@dataclass(frozen=True)
class SignOff:
    """The author and the reason of a decision about a version."""

    night: date  # the session on whose night
    by: str  # automation or person
    reason: str  # for people


def version_of(versions: pl.DataFrame, model: str, version: int) -> dict[str, Any]:
    """The row of a version.

    Raises:
        InputError: there is none of that number.
    """
    of_model = versions.filter(pl.col(MODEL) == model)
    found = of_model.filter(pl.col(VERSION) == version)
    if found.is_empty():
        there = ", ".join(map(str, of_model[VERSION].sort())) or "none"
        raise InputError(f"{model} has no version {version}; its versions are {there}")
    return found.row(0, named=True)


def active_version(versions: pl.DataFrame, model: str) -> dict[str, Any] | None:
    """The row of the version of the model that is active, if one is."""
    found = versions.filter((pl.col(MODEL) == model) & (pl.col(tables.STATUS) == tables.ACTIVE))
    return found.row(0, named=True) if found.height else None


def apply_transition(versions: pl.DataFrame, model: str, version: int, status: str, signed: SignOff) -> pl.DataFrame:
    """The versions after one has taken a status; a version that becomes active retires the active one.

    A version that becomes active again on the night on which it was retired keeps its first active session.

    Args:
        versions: rows of MODEL_VERSIONS.
        model: name of the model.
        version: number of the version.
        status: the new status.
        signed: who decided, on which night, and why.

    Raises:
        InputError: there is no such version, or the status cannot follow the one it has.
    """
    row = version_of(versions, model, version)
    if status not in TRANSITIONS[row[tables.STATUS]]:
        raise InputError(f"version {version} of {model} is {row[tables.STATUS]}, so it cannot become {status}")
    before = active_version(versions, model) if status == tables.ACTIVE else None
    if before is not None:
        versions = apply_transition(
            versions, model, before[VERSION], tables.RETIRED, replace(signed, reason=f"version {version} took its place")
        )
    changed = {tables.STATUS: status, "changed_on": signed.night, tables.BY: signed.by, tables.REASON: signed.reason}
    if status == tables.ACTIVE:
        changed |= {
            tables.ACTIVE_FROM: row[tables.ACTIVE_FROM] if row[tables.ACTIVE_TO] == signed.night else signed.night,
            tables.ACTIVE_TO: None,
        }
    elif row[tables.STATUS] == tables.ACTIVE:
        changed[tables.ACTIVE_TO] = signed.night
    return tables.MODEL_VERSIONS.with_row(versions, row | changed)


def active_on(versions: pl.DataFrame, session: date) -> pl.DataFrame:
    """The version of each model that was active on the night of ``session``."""
    active = (pl.col(tables.ACTIVE_FROM) <= session) & (pl.col(tables.ACTIVE_TO).is_null() | (pl.col(tables.ACTIVE_TO) > session))
    return versions.filter(active)
