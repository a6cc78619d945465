"""The rules of training jobs: opening, starting, ending and paging. Pure: rows in, rows out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from stock_pipeline.core.errors import InputError
from stock_pipeline.models.catalogue import STACK, parse_models
from stock_pipeline.registry import tables

DIED: Final = "its process ended without a result"
TIME_TO_BEGIN: Final = timedelta(minutes=2)
MODELS: Final = "models"
SUCCEEDED: Final = "succeeded"
MODELS_FAILED: Final = "failed"
CHOICES: Final = ("sessions", "folds", "trials")  # options of a request that replace those of the settings
STARTED_AT, FINISHED_AT = "started_at", "finished_at"


@dataclass(frozen=True)
class TrainingRequest:
    """The request of a training job."""

    models: tuple[str, ...]  # base models to train, and "stack" where it is named itself; the stack follows them in any case
    reason: str = "manual"  # one of ``REASONS``
    sessions: int | None = None  # number of the last sessions to learn from; None: as in the settings
    folds: int | None = None  # walk-forward folds; None: as in the settings
    trials: int | None = None  # sets of parameters to try per model; None: as in the settings
    dry_run: bool = False  # train and score, and keep nothing

    def __post_init__(self) -> None:
        _known_reason(self.reason)
        for name in CHOICES:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"the training was asked for {name} {value}; give 1 or more")


def chosen_models(own: Sequence[str] | None, names: Sequence[str] | None) -> tuple[str, ...]:
    """The models to train, in the order of the catalogue, the stack last where it is named.

    ``names`` are those asked for; None: ``own``, those of the settings. ``own`` of None means all of the catalogue.

    Raises:
        InputError: a model is not known, or the list is empty.
    """
    chosen = names if names is not None else own
    if chosen is not None and not chosen:
        raise InputError("--models is empty; name at least one model or leave it out")
    _known_models(chosen or ())
    bases = [name for name in chosen or () if name != STACK]
    found = () if chosen and not bases else tuple(entry.name for entry in parse_models(bases))
    return (*found, STACK) if chosen and STACK in chosen else found


def _known_models(names: Sequence[str]) -> None:
    """Refuse a name that is neither of the catalogue nor the stack's."""
    known = (*(entry.name for entry in parse_models(())), STACK)
    for name in names:
        if name not in known:
            raise InputError(f"model {name!r} is not known; choose one of {', '.join(known)}")


def models_weighed(own: tuple[str, ...] | None, trained: Sequence[str]) -> tuple[str, ...] | None:
    """The models that the stack weighs: all of the settings (``own``) besides those trained; None for all of the catalogue."""
    return own and tuple(entry.name for entry in parse_models([*own, *(name for name in trained if name != STACK)]))


def _known_reason(reason: str) -> str:
    if reason not in tables.REASONS:
        raise InputError(f"reason {reason!r} is not known; choose one of {', '.join(tables.REASONS)}")
    return reason


def _known_state(state: str) -> str:
    """The state, in whatever case it was written."""
    if state.upper() not in tables.STATES:
        raise InputError(f"state {state!r} is not known; choose one of {', '.join(tables.STATES)}")
    return state.upper()


def with_new_job(jobs: pl.DataFrame, request: TrainingRequest, moment: datetime, jobs_ever: int = 0) -> pl.DataFrame:
    """The rows of TRAINING_JOBS with one more, which waits to begin.

    Args:
        jobs: the rows as they are.
        request: what the job is to do.
        moment: when it is asked for, UTC.
        jobs_ever: how many jobs there have been, those deleted since included; their numbers are not used again.

    Raises:
        InputError: another has not ended yet, or the reason is not known.
    """
    at_work = unfinished_job(jobs)
    if at_work is not None:
        raise InputError(f"{sentence_of(at_work)}; wait for it to end, see `stock-pipeline training-jobs show {at_work[tables.JOB]}`")
    return tables.TRAINING_JOBS.with_row(jobs, _new_row(jobs, request, moment, jobs_ever))


def with_started_job(jobs: pl.DataFrame, number: int, moment: datetime) -> pl.DataFrame:
    """The rows of TRAINING_JOBS after a waiting job has started.

    Raises:
        InputError: there is no such job, or it is not waiting.
    """
    row = job_of(jobs, number)
    if row[tables.STATE] != tables.PENDING:
        raise InputError(f"job {number} is {row[tables.STATE]}, so it cannot start; ask for another with `stock-pipeline train`")
    return tables.TRAINING_JOBS.with_row(jobs, row | {tables.STATE: tables.RUNNING, STARTED_AT: moment})


def with_finished_job(
    jobs: pl.DataFrame, number: int, moment: datetime, succeeded: Sequence[str], failed: Mapping[str, str], error: str | None = None
) -> pl.DataFrame:
    """The rows of TRAINING_JOBS after a job has ended; FAILED where it has an error, or where models failed and none was trained.

    Args:
        jobs: the rows as they are.
        number: of the job.
        moment: when it ended, UTC.
        succeeded: the models that were trained.
        failed: the models that were not trained, with the reasons.
        error: why the job as a whole failed; None: it did not.
    """
    row = job_of(jobs, number)
    if error is None and failed and not set(succeeded) & set(json.loads(row[MODELS])):
        error = "no model could be trained"
    ended = {
        tables.STATE: tables.COMPLETED if error is None else tables.FAILED,
        FINISHED_AT: moment,
        SUCCEEDED: json.dumps(list(succeeded)),
        MODELS_FAILED: json.dumps(dict(failed)),
        tables.JOB_ERROR: error,
    }
    return tables.TRAINING_JOBS.with_row(jobs, row | ended)


def close_dead_jobs(jobs: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """The rows after closing jobs whose process has died; to be called only under ``ledger.training_lock``, when no job is running.

    A waiting job has ``TIME_TO_BEGIN`` for its process to start.
    """
    state = pl.col(tables.STATE)
    dead = (state == tables.RUNNING) | ((state == tables.PENDING) & (pl.col(tables.REQUESTED_AT) < moment - TIME_TO_BEGIN))
    for number in jobs.filter(dead)[tables.JOB]:
        jobs = with_finished_job(jobs, number, moment, (), {}, DIED)
    return jobs


def unfinished_job(jobs: pl.DataFrame) -> dict[str, Any] | None:
    """The row of the job that is waiting or running; None where there is none."""
    found = jobs.filter(pl.col(tables.STATE).is_in([tables.PENDING, tables.RUNNING]))
    return found.row(-1, named=True) if found.height else None


def sentence_of(row: Mapping[str, Any]) -> str:
    """The status of an unfinished job, as the first half of a sentence."""
    named = f"training job {row[tables.JOB]} ({row[tables.REASON]})"
    if row[tables.STATE] == tables.RUNNING:
        return f"{named} has been at work since {row[STARTED_AT]:%Y-%m-%d %H:%M} UTC"
    return f"{named} has been waiting to begin since {row[tables.REQUESTED_AT]:%Y-%m-%d %H:%M} UTC"


def job_of(jobs: pl.DataFrame, number: int) -> dict[str, Any]:
    """The row of a job.

    Raises:
        InputError: there is none of that number.
    """
    found = jobs.filter(pl.col(tables.JOB) == number)
    if found.is_empty():
        raise InputError(f"there is no training job {number}; see `stock-pipeline training-jobs list`")
    return found.row(0, named=True)


def without_job(jobs: pl.DataFrame, number: int) -> pl.DataFrame:
    """The rows of TRAINING_JOBS without a job that has ended.

    Raises:
        InputError: there is no such job, or it has not ended.
    """
    row = job_of(jobs, number)
    if row[tables.STATE] in (tables.PENDING, tables.RUNNING):
        raise InputError(f"{sentence_of(row)}, so its row stays; delete it once the job has ended")
    return jobs.filter(pl.col(tables.JOB) != number)


def page_of_jobs(jobs: pl.DataFrame, state: str | None, reason: str | None, page: int, per_page: int) -> tuple[pl.DataFrame, int]:
    """One page of the jobs, latest first, and the number of jobs on all pages.

    Args:
        jobs: rows of TRAINING_JOBS.
        state: one of ``tables.STATES``, in any case; None: all.
        reason: one of ``tables.REASONS``; None: all.
        page: number of the page, from 1.
        per_page: jobs on a page.

    Raises:
        InputError: state or reason is not known, or there is no such page.
    """
    if state is not None:
        jobs = jobs.filter(pl.col(tables.STATE) == _known_state(state))
    if reason is not None:
        jobs = jobs.filter(pl.col(tables.REASON) == _known_reason(reason))
    pages = max(1, -(-jobs.height // per_page))
    if page > pages:
        raise InputError(f"there is no page {page}; the last is {pages}")
    return jobs.sort(tables.JOB, descending=True).slice((page - 1) * per_page, per_page), jobs.height


def as_json_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its lists and times ready for JSON."""
    decoded = {name: json.loads(row[name]) for name in (MODELS, SUCCEEDED, MODELS_FAILED)}
    times = {name: row[name] and row[name].isoformat(timespec="seconds") + "Z" for name in (tables.REQUESTED_AT, STARTED_AT, FINISHED_AT)}
    return {**row, **decoded, **times}


def latest_first(jobs: pl.DataFrame) -> list[dict[str, Any]]:
    """Every job as a row from ``as_json_row``, the latest first."""
    return [as_json_row(row) for row in jobs.sort(tables.JOB, descending=True).iter_rows(named=True)]


@dataclass(frozen=True)
class TrainingOfRun:
    """What a run trained in its course, without a job having been asked for."""

    succeeded: tuple[str, ...]  # the models that were trained
    failed: Mapping[str, str]  # why each of the others could not be trained
    reason: str  # one of ``REASONS``
    started_at: datetime  # when the first of them began, UTC
    finished_at: datetime  # when the last of them ended, UTC


def job_of_run(jobs: pl.DataFrame, training: TrainingOfRun, jobs_ever: int = 0) -> pl.DataFrame:
    """The rows with one more for a training in the course of a run, such as the weekly one; unchanged where a running job made it.

    Args:
        jobs: the rows as they are.
        training: what was trained; it counts as asked for when it began.
        jobs_ever: as for ``with_new_job``.
    """
    if unfinished_job(jobs) is not None or not training.succeeded:
        return jobs
    request = TrainingRequest((*training.succeeded, *training.failed), training.reason)
    row = _new_row(jobs, request, training.started_at, jobs_ever) | {STARTED_AT: training.started_at}
    with_row = tables.TRAINING_JOBS.with_row(jobs, row)
    return with_finished_job(with_row, row[tables.JOB], training.finished_at, training.succeeded, training.failed)


def _new_row(jobs: pl.DataFrame, request: TrainingRequest, moment: datetime, jobs_ever: int) -> dict[str, Any]:
    highest = int(jobs[tables.JOB].max() or 0)  # type: ignore[arg-type]
    return {
        tables.JOB: max(highest, jobs_ever) + 1,
        tables.REASON: request.reason,
        MODELS: json.dumps(request.models),
        **{name: getattr(request, name) for name in CHOICES},
        "dry_run": request.dry_run,
        tables.STATE: tables.PENDING,
        tables.REQUESTED_AT: moment,
        STARTED_AT: None,
        FINISHED_AT: None,
        SUCCEEDED: "[]",
        MODELS_FAILED: "{}",
        tables.JOB_ERROR: None,
    }
