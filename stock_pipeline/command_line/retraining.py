"""Training models anew on what is stored, as ``train`` and the retraining jobs do it, and a job from its request to its end."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from stock_pipeline.command_line.tables import RunWatcher, show_dry_run, show_made, show_models
from stock_pipeline.core.errors import InputError
from stock_pipeline.models.catalogue import STACK, parse_models
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.orchestration.in_process import Run, alone
from stock_pipeline.orchestration.progress import Ended, Event, Noted, Stopped
from stock_pipeline.orchestration.stage import Key, key_of
from stock_pipeline.registry import jobs
from stock_pipeline.registry.retraining import Asked, begun, ended, job_of, known_reason, opened, readable, unended, without_the_dead
from stock_pipeline.registry.status import model_status
from stock_pipeline.registry.tables import JOB, MODEL_VERSIONS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores, open_stores

# What is brought up to date with every training.
REGISTRY: Final[tuple[Key, ...]] = (key_of(MODEL_VERSIONS), ("registry", "mlflow_mirror"))
# Time for a process of its own to take the lock over from the one that started it.
SECONDS_TO_TAKE_OVER: Final = 30.0


class Training:
    """Models trained anew, then the stack and the registry: what is run, and what was heard of it.

    Args:
        settings: as they are.
        models: models of the catalogue, or "stack"; those of the settings, or else all, when None.
        choices: what differs from the settings for this training: sessions, folds, trials.
        dry_run: train and score the models, but write nothing, and leave the stack (unless it was named) and the registry alone.

    Raises:
        InputError: a model is not known, or none is named.
    """

    def __init__(self, settings: Settings, models: Sequence[str] | None, choices: Mapping[str, int], dry_run: bool) -> None:
        self.models = chosen_models(settings, models)
        self.dry_run = dry_run
        self.settings = _weighing(settings, self.models)
        trained = [*(name for name in self.models if name != STACK), *([STACK] if STACK in self.models or not dry_run else [])]
        self.keys: list[Key] = [*(("models", name) for name in trained), *(() if dry_run else REGISTRY)]
        self.scope: dict[str, Any] = {"full_refresh": True, "dry_run": dry_run, **choices}
        self.ended: list[Ended] = []
        self.stopped: list[Stopped] = []
        self.notes: dict[str, str] = {}
        self.seconds = 0.0
        self.went_well = False

    def carry_out(self, run: Run, watched: bool = True) -> None:
        """Run it; where it is watched, show how far it is."""
        began = time.perf_counter()
        with RunWatcher(len(self.keys)) if watched else nullcontext(_unseen) as watcher:

            def listen(event: Event) -> None:
                self._keep(event)
                watcher(event)

            succeeded = run(self.settings, self.scope, listen, self.keys)
        self.seconds = time.perf_counter() - began
        self.went_well = succeeded and all(event.error is None for event in self.ended)

    def _keep(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.notes[event.asset] = event.note
        elif isinstance(event, Ended):
            self.ended.append(event)
        elif isinstance(event, Stopped):
            self.stopped.append(event)

    def show(self, stores: Stores) -> None:
        """Show what was made, and how the models stand then."""
        show_made(self.ended, self.stopped, self.seconds)
        if self.dry_run:
            show_dry_run(self.notes)
        else:
            show_models(model_status(stores))

    def verdict(self) -> tuple[list[str], dict[str, str], str | None]:
        """The models that were trained, why each of the others was not, and why nothing came of the whole, None where something did."""
        failed = {event.asset: event.error for event in self.ended if event.error is not None}
        for check in self.stopped:
            failed.setdefault(check.asset, f"check {check.check} failed: {check.facts}")
        made = {event.asset for event in self.ended}
        reasons: dict[str, str] = {}
        for stage, name in self.keys:
            asset = f"{stage}/{name}"
            if stage == "models" and (asset in failed or asset not in made):
                reasons[name] = failed.get(asset, "the run ended before it was trained")
        succeeded = [name for stage, name in self.keys if stage == "models" and name not in reasons]
        return succeeded, reasons, None if self.dry_run else self._unregistered(failed, made)

    def _unregistered(self, failed: Mapping[str, str], made: set[str]) -> str | None:
        registry = "/".join(REGISTRY[0])
        if registry in failed:
            return f"{registry} failed: {failed[registry]}"
        if registry in made:
            return None
        barred = "; ".join(f"check {check.check} of {check.asset} failed, {check.facts}" for check in self.stopped)
        return f"nothing was registered: {barred or 'the run ended before'}"


def _unseen(_event: Event) -> None:
    """Nobody watches."""


def chosen_models(settings: Settings, names: Sequence[str] | None) -> tuple[str, ...]:
    """The models to train, in the order of the catalogue, the stack last where it is named.

    Raises:
        InputError: a model is not known, or the list is empty.
    """
    chosen = names if names is not None else settings.models.names
    if chosen is not None and not chosen:
        raise InputError("--models is empty; name at least one model or leave it out")
    bases = [name for name in chosen or () if name != STACK]
    found = () if chosen and not bases else tuple(entry.name for entry in parse_models(bases))
    return (*found, STACK) if chosen and STACK in chosen else found


def _weighing(settings: Settings, models: Sequence[str]) -> Settings:
    """The settings under which the stack goes on weighing all that they name, not those alone that are trained now."""
    own = settings.models.names
    bases = [*(own or ()), *(name for name in models if name != STACK)]
    weighed = own and tuple(entry.name for entry in parse_models(bases))
    return settings.model_copy(update={"models": settings.models.model_copy(update={"names": weighed})})


def asked_for(settings: Settings, models: Sequence[str] | None, reason: str, sessions: int | None, dry_run: bool) -> Asked:
    """What a retraining is asked to do, once nothing is found wrong with it.

    Raises:
        InputError: a model or the reason is not known, the sessions are too few, or nothing has been ingested yet.
    """
    asked = Asked(chosen_models(settings, models), known_reason(reason), sessions, dry_run)
    if sessions is not None and sessions < 1:
        raise InputError(f"the retraining was asked for {sessions} days; give 1 or more")
    stores = _stores(settings)
    jobs.session_reached(stores)
    stores.migrate()
    return asked


def retrain(settings: Settings, asked: Asked, run: Run, watched: bool = True) -> tuple[Training, dict[str, Any]]:
    """Open a job and carry it out at once, showing how far it is where it is watched; returns what was trained, and the job's row.

    Raises:
        InputError: another job has not ended yet, or a run is at work.
    """
    stores = _stores(settings)
    with jobs.alone(stores):
        return _carry_out(settings, stores, _open(stores, asked), run, watched)


def retrain_apart(settings: Settings, asked: Asked) -> dict[str, Any]:
    """Open a job and start a process of its own for it, which lives on after this one; returns the job's row.

    Raises:
        InputError: another job has not ended yet, or a run is at work.
    """
    stores = _stores(settings)
    with jobs.alone(stores):
        number = _open(stores, asked)
    log = jobs.log_of(settings.home, number)
    log.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "stock_pipeline.command_line.main", "retrain", "--job", str(number)]
    with log.open("ab") as output:
        subprocess.Popen(  # noqa: S603  (our own command)
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=dict(os.environ), cwd=Path.cwd()
        )
    return readable(job_of(jobs.living_jobs(stores, utc_now()), number))


def carry_out(settings: Settings, number: int, run: Run) -> tuple[Training, dict[str, Any]]:
    """Carry out a job that waits; returns what was trained, and the job's row.

    Raises:
        InputError: there is no such job, it is not waiting, or another is at work.
    """
    stores = _stores(settings)
    with jobs.alone(stores, SECONDS_TO_TAKE_OVER):
        return _carry_out(settings, stores, number, run, True)


def retrain_within_dagster(
    settings: Settings, run: Run, models: Sequence[str], reason: str, days: int | None, dry_run: bool
) -> dict[str, Any]:
    """Open a job for Dagster's op and carry it out at once; returns the job's row.

    Raises:
        InputError: something asked for cannot be had, or another job has not ended yet.
    """
    training, row = retrain(settings, asked_for(settings, models or None, reason, days, dry_run), run)
    training.show(_stores(settings))
    return row


def _open(stores: Stores, asked: Asked) -> int:
    now = utc_now()
    jobs.changed(stores, lambda held: without_the_dead(held, now), now)
    with alone(stores.home):  # where a run is at work, the job could only fail
        waiting = unended(jobs.changed(stores, lambda held: opened(held, asked, now), now))
    assert waiting is not None  # noqa: S101
    return int(waiting[JOB])


def _carry_out(settings: Settings, stores: Stores, number: int, run: Run, watched: bool) -> tuple[Training, dict[str, Any]]:
    now = utc_now()
    row = readable(job_of(jobs.changed(stores, lambda held: begun(held, number, now), now), number))
    choices = {} if row["sessions"] is None else {"sessions": row["sessions"]}
    training = Training(settings, row["models"], choices, row["dry_run"])
    try:
        training.carry_out(run, watched)
    except BaseException as error:
        succeeded, failed, _ = training.verdict()
        _end(stores, number, succeeded, failed, " ".join(str(error).split()) or f"it was stopped: {type(error).__name__}")
        raise
    return training, _end(stores, number, *training.verdict())


def _end(stores: Stores, number: int, succeeded: Sequence[str], failed: Mapping[str, str], error: str | None) -> dict[str, Any]:
    now = utc_now()
    return readable(job_of(jobs.changed(stores, lambda held: ended(held, number, now, succeeded, failed, error), now), number))


def _stores(settings: Settings) -> Stores:
    return open_stores(settings.home, settings.lock_wait_seconds)
