"""The rule by which a new version takes the place of the active one."""

from dataclasses import dataclass
from datetime import date
from math import inf
from typing import Any

import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, TRAINING_ID, VERSION
from stock_pipeline.registry.tables import ACTIVE, ACTIVE_FROM, ACTIVE_TO, MODEL_VERSIONS, REJECTED, RETIRED, STATUS


@dataclass(frozen=True)
class Candidate:
    """A training that has no version yet, with its out-of-fold measures."""

    model: str
    training_id: str
    as_of: date
    error: float | None
    rank_ic: float | None


@dataclass(frozen=True)
class Decision:
    """Whether a candidate comes into service, and why."""

    promoted: bool
    reason: str


def decide(candidate: float | None, active: float | None, tolerance: float) -> Decision:
    """Promote when there is no active version, or its error is not better than the candidate's by more than ``tolerance``.

    Args:
        candidate: the candidate's error, None where it could not be measured.
        active: the active version's error, None where there is none.
        tolerance: share by which the candidate may be worse, for example 0.1.
    """
    if active is None:
        return Decision(True, "no version was active")
    if candidate is None:
        return Decision(False, "its error could not be measured")
    change = candidate / active - 1 if active else 0.0 if candidate == active else inf
    if change <= 0:
        return Decision(True, f"error {candidate:.6f} is no worse than the active version's {active:.6f}")
    if change <= tolerance:
        return Decision(True, f"error {candidate:.6f} is {change:.1%} worse than {active:.6f}, within the {tolerance:.0%} allowed")
    return Decision(False, f"error {candidate:.6f} is {change:.1%} worse than {active:.6f}, beyond the {tolerance:.0%} allowed")


def register(versions: pl.DataFrame, candidates: list[Candidate], tolerance: float, outdated: frozenset[str] = frozenset()) -> pl.DataFrame:
    """The registry after each candidate, in turn, has become a version: rows of MODEL_VERSIONS.

    Args:
        versions: the registry so far.
        candidates: new trainings, oldest first.
        tolerance: as for ``decide``.
        outdated: trainings on features that are not made any more; a version of one cannot serve, however good it was.
    """
    rows: list[dict[str, Any]] = versions.to_dicts()
    for candidate in candidates:
        of_model = [row for row in rows if row[MODEL] == candidate.model]
        active = next((row for row in of_model if row[STATUS] == ACTIVE), None)
        if active is not None and active[TRAINING_ID] in outdated:
            decision = Decision(True, "the active version learned from features that are not made now")
        else:
            decision = decide(candidate.error, None if active is None else active["error"], tolerance)
        if decision.promoted and active is not None:
            active[STATUS], active[ACTIVE_TO] = RETIRED, candidate.as_of
        rows.append(
            {
                MODEL: candidate.model,
                VERSION: max((row[VERSION] for row in of_model), default=0) + 1,
                TRAINING_ID: candidate.training_id,
                AS_OF: candidate.as_of,
                STATUS: ACTIVE if decision.promoted else REJECTED,
                ACTIVE_FROM: candidate.as_of if decision.promoted else None,
                ACTIVE_TO: None,
                "error": candidate.error,
                "rank_ic": candidate.rank_ic,
                "reason": decision.reason,
            }
        )
    return pl.DataFrame(rows, schema=MODEL_VERSIONS.dtypes).sort(MODEL, VERSION)


def active_on(versions: pl.DataFrame, session: date) -> pl.DataFrame:
    """The version of each model that was in service on the night of ``session``."""
    in_service = (pl.col(ACTIVE_FROM) <= session) & (pl.col(ACTIVE_TO).is_null() | (pl.col(ACTIVE_TO) > session))
    return versions.filter(in_service)
