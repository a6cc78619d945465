"""The life of a version: which status may follow which, and how a version moves. Nothing else changes a status."""

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
    tables.REJECTED: frozenset({tables.ACTIVE, tables.ARCHIVED}),  # into service only by force, see ``by_hand``
    tables.ARCHIVED: frozenset(),
}


@dataclass(frozen=True)
class SignOff:
    """Who let a version move, and why."""

    night: date  # the session on whose night
    by: str  # automation or hand
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
    """The registry after a version has taken a status; one that comes into service retires the one that was.

    A version that comes back on the night on which it was retired goes on as if it had never left.

    Raises:
        InputError: there is no such version, or the status cannot follow the one it has.
    """
    row = version_of(versions, model, version)
    if status not in TRANSITIONS[row[tables.STATUS]]:
        raise InputError(f"version {version} of {model} is {row[tables.STATUS]}, and what is {row[tables.STATUS]} cannot become {status}")
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
    in_service = (pl.col(tables.ACTIVE_FROM) <= session) & (pl.col(tables.ACTIVE_TO).is_null() | (pl.col(tables.ACTIVE_TO) > session))
    return versions.filter(in_service)
