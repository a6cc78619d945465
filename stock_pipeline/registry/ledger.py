"""The only writer of the registry's tables, for its stage, a person or a job. No concurrent write is lost."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import uuid4

import polars as pl

from stock_pipeline.core.errors import InputError, RefusedWriteError
from stock_pipeline.core.locks import exclusive
from stock_pipeline.registry.registration import Registry
from stock_pipeline.registry.tables import DECISIONS, MODEL_ENABLEMENT, MODEL_VERSIONS, PERSON, TABLES, TRAINING_JOBS
from stock_pipeline.registry.training_jobs import close_dead_jobs, sentence_of, unfinished_job
from stock_pipeline.storage import Author, Stores, Write, append, replace_all, upsert

JOB_AUTHOR: Final = "training_jobs"
ATTEMPTS: Final = 5
# Closing dead jobs holds the lock only for a moment.
SECONDS_TO_WAIT: Final = 2.0

Change = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class StoredRegistry:
    """The registry as it is stored, and the versions of its tables from before they were read."""

    registry: Registry
    versions: int
    decisions: int

    def writes(self, after: Registry) -> tuple[Write, ...]:
        """The writes that replace the stored registry by ``after``, which was made from it."""
        return (
            upsert(MODEL_VERSIONS, after.versions, may_be_empty=True, expected_version=self.versions),
            append(DECISIONS, after.decisions, may_be_empty=True, expected_version=self.decisions),
        )


def stored_registry(stores: Stores) -> StoredRegistry:
    """The stored registry, with the versions of its tables for a later write."""
    versions, decisions = stores.read_versioned(MODEL_VERSIONS), stores.read_versioned(DECISIONS)
    return StoredRegistry(Registry(versions.frame, decisions.frame), versions.version, decisions.version)


def job_writes(stores: Stores, change: Change) -> list[Write]:
    """The write of the training jobs after ``change``; none where nothing changed."""
    held = stores.read_versioned(TRAINING_JOBS)
    rows = change(held.frame)
    if rows.equals(held.frame):
        return []
    return [replace_all(TRAINING_JOBS, rows, may_be_empty=True, expected_version=held.version)]


def write_manual_decision(stores: Stores, stored: StoredRegistry, after: Registry, moment: datetime) -> None:
    """Write a person's decision.

    Args:
        stores: both stores.
        stored: the registry as it was read.
        after: the registry after the decision.
        moment: of the decision, UTC.
    """
    stores.write("ml", _person(moment), stored.writes(after), watermark=None)


def set_enabled(stores: Stores, change: Change, moment: datetime) -> None:
    """Write a person's change of the rows of MODEL_ENABLEMENT."""
    held = stores.read_versioned(MODEL_ENABLEMENT)
    stores.write("ml", _person(moment), [upsert(MODEL_ENABLEMENT, change(held.frame), expected_version=held.version)], watermark=None)


def change_jobs(stores: Stores, change: Change, moment: datetime) -> pl.DataFrame:
    """The training jobs after ``change``, which is computed again where another process has written in the meantime."""
    stores.prepare(TABLES)
    for attempt in range(1, ATTEMPTS + 1):
        writes = job_writes(stores, change)
        if not writes:
            return stores.read(TRAINING_JOBS)
        try:
            stores.write("ml", Author.of_job(JOB_AUTHOR, JOB_AUTHOR, moment), writes, watermark=None)
        except RefusedWriteError:
            if attempt == ATTEMPTS:
                raise
        else:
            return writes[0].frame
    raise AssertionError


def living_jobs(stores: Stores, moment: datetime) -> pl.DataFrame:
    """The training jobs, after closing those whose process has died; none where there are no stores yet."""
    if not stores.exist:
        return TRAINING_JOBS.empty()
    held = stores.read(TRAINING_JOBS)
    if close_dead_jobs(held, moment).equals(held):
        return held
    try:
        with training_lock(stores, wait_seconds=0.0):
            return change_jobs(stores, lambda jobs: close_dead_jobs(jobs, moment), moment)
    except InputError:  # a job is running
        return held


def training_lock(stores: Stores, wait_seconds: float = SECONDS_TO_WAIT) -> AbstractContextManager[None]:
    """The lock of the process that runs a training job.

    Raises:
        InputError: on entering, where another job is running; the sentence names it.
    """

    def busy() -> InputError:
        row = unfinished_job(stores.read(TRAINING_JOBS))
        what = f"another training is at work in {stores.home}" if row is None else sentence_of(row)
        return InputError(f"{what}; wait for it to end, see `stock-pipeline training-jobs list`")

    return exclusive(stores.layout.training_lock, busy, wait_seconds)


def session_reached(stores: Stores) -> date:
    """The last session ingested.

    Raises:
        InputError: there is none yet.
    """
    session = stores.market_session()
    if session is None:
        raise InputError(f"there are no bars in {stores.home} yet; run `stock-pipeline run` first")
    return session


def _person(moment: datetime) -> Author:
    return Author.of_person(PERSON, f"manual-{uuid4().hex[:12]}", moment)
