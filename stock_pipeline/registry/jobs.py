"""The retraining jobs as they are stored: one at a time has the lock, whoever finds a dead one closes it, nothing written is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Final

import polars as pl
from filelock import FileLock, Timeout

from stock_pipeline.core.errors import InputError, RefusedWriteError
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.registry.retraining import sentence_of, unended, without_the_dead
from stock_pipeline.registry.tables import RETRAINING_JOBS
from stock_pipeline.storage import Author, Stores, replace_all

LOCK: Final = ".retraining.lock"
LOGS: Final = "logs"
AUTHOR: Final = "registry/retraining_jobs"
ATTEMPTS: Final = 5
# Whoever only looks after the dead holds the lock for a moment.
SECONDS_TO_WAIT: Final = 2.0

Change = Callable[[pl.DataFrame], pl.DataFrame]


@contextmanager
def alone(stores: Stores, wait_seconds: float = SECONDS_TO_WAIT) -> Iterator[None]:
    """Hold the lock that the process has which carries a job out. The system takes it from a process that dies.

    Raises:
        InputError: a job is at work; the sentence names it.
    """
    lock = FileLock(stores.home / LOCK)
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout as error:
        row = unended(stores.read(RETRAINING_JOBS))
        what = f"another retraining is at work in {stores.home}" if row is None else sentence_of(row)
        raise InputError(f"{what}; wait for it to end, see `stock-pipeline jobs list`") from error
    try:
        yield
    finally:
        lock.release()


def session_reached(stores: Stores) -> date:
    """The last session ingested.

    Raises:
        InputError: there is none yet.
    """
    held = stores.watermark("market", f"{DAILY_BARS.stage}/{DAILY_BARS.name}") if stores.exist else None
    if held is None:
        raise InputError(f"there are no bars in {stores.home} yet, so nothing to train on; run `stock-pipeline run` first")
    return held.session


def log_of(home: Path, number: int) -> Path:
    """Where a job that is carried out by a process of its own writes its log."""
    return home / LOGS / f"retraining-{number}.log"


def changed(stores: Stores, change: Change, moment: datetime) -> pl.DataFrame:
    """The jobs after ``change``, which is worked out again where another has written to the table meanwhile.

    Args:
        stores: the stores.
        change: from the rows of RETRAINING_JOBS to what they are to be.
        moment: now, UTC.

    Raises:
        InputError: nothing has been ingested yet.
    """
    session_reached(stores)  # without bars there is nothing to retrain on
    for attempt in range(1, ATTEMPTS + 1):
        held = stores.read_versioned(RETRAINING_JOBS)
        rows = change(held.frame)
        if rows.equals(held.frame):
            return rows
        write = replace_all(RETRAINING_JOBS, rows, may_be_empty=True, expected_version=held.version)
        try:
            stores.write("ml", Author.of_job(AUTHOR, AUTHOR, moment), (write,), watermark=None)
        except RefusedWriteError:
            if attempt == ATTEMPTS:
                raise
        else:
            return rows
    raise AssertionError


def living_jobs(stores: Stores, moment: datetime) -> pl.DataFrame:
    """The jobs, once those whose process is gone have been closed; none where there are no stores yet."""
    if not stores.exist:
        return RETRAINING_JOBS.empty()
    stores.migrate()
    held = stores.read(RETRAINING_JOBS)
    if without_the_dead(held, moment).equals(held):
        return held
    lock = FileLock(stores.home / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return held
    try:
        return changed(stores, lambda jobs: without_the_dead(jobs, moment), moment)
    finally:
        lock.release()
