"""``stock-pipeline train`` and ``training-jobs``: train models, now or in the background, and show the jobs."""

import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.command_line.options import AS_CSV, AS_JSON, MODELS, names_in, one_form, open_home, print_csv, print_json, print_result
from stock_pipeline.command_line.text import plain
from stock_pipeline.command_line.values import number, text
from stock_pipeline.orchestration.clock import utc_now

if TYPE_CHECKING:
    import polars as pl

    from stock_pipeline.orchestration.execution import Run
    from stock_pipeline.registry.training_jobs import TrainingRequest
    from stock_pipeline.storage import Stores

SECONDS_TO_TAKE_OVER = 30.0  # for a process of its own to take the lock over from the one that started it


@click.command()
@MODELS
@click.option("--sessions", type=number, help="Learn from so many of the last sessions. By default datasets.sessions.")
@click.option("--folds", type=number, help="Walk-forward folds. By default datasets.folds.")
@click.option("--trials", type=number, help="Sets of parameters to try per model. By default models.tuning_trials.")
@click.option("--dry-run", is_flag=True, help="Train and score, but keep nothing but the row of the job; nothing is reported to Dagster.")
@click.option("--background", is_flag=True, help="Train in a process of its own, and return at once.")
@click.option("--reason", type=text, default="manual", show_default=True, help="For the record: schedule, drift, missing or manual.")
@click.option("--job", type=number, hidden=True, help="Run this waiting job.")
@AS_JSON
def train(background: bool, job: int | None, as_json: bool, models: str | None, **asked: Any) -> None:
    """Train models on the stored data, as a training job.

    The registry makes versions of them and decides on these; the stack then weighs those that are active.
    """
    from stock_pipeline.orchestration.execution import Run
    from stock_pipeline.registry.training_jobs import TrainingRequest, chosen_models

    settings, stores = open_home()
    run = Run(stores, settings)
    wanted = TrainingRequest(models=chosen_models(settings.models.names, names_in(models)), **asked) if job is None else job
    if background and isinstance(wanted, TrainingRequest):
        _start_process(run, wanted, as_json)
    else:
        _carry_out(run, wanted, as_json)


def _carry_out(run: "Run", asked: "TrainingRequest | int", as_json: bool) -> None:
    """Run a waiting job, or a new one, and show its progress; exits with FAILED where a stage failed."""
    from stock_pipeline.command_line.progress import RunWatcher
    from stock_pipeline.command_line.tables import show_dry_run, show_job, show_made, show_models
    from stock_pipeline.command_line.terminal import heading
    from stock_pipeline.orchestration.in_process import alone, recording
    from stock_pipeline.orchestration.progress import listening
    from stock_pipeline.orchestration.training_request import TRAINING_JOB
    from stock_pipeline.registry import jobs, ledger
    from stock_pipeline.registry.overview import model_status
    from stock_pipeline.stages import all_stages

    ledger.session_reached(run.stores)  # before a directory is made
    began = time.perf_counter()
    seconds = SECONDS_TO_TAKE_OVER if isinstance(asked, int) else ledger.SECONDS_TO_WAIT
    with ledger.training_lock(run.stores, seconds), alone(run.settings.home):
        begun = jobs.start_job(run, asked if isinstance(asked, int) else jobs.open_job(run, asked))
        every = all_stages(run.settings)
        stages = jobs.training_stages(every, begun)
        watcher = RunWatcher(len(stages), quiet=as_json)
        unrecorded = nullcontext(lambda _result: None)  # as a dry run leaves nothing with Dagster
        with unrecorded if begun["dry_run"] else recording(run, TRAINING_JOB, every) as record, watcher, listening(watcher):
            row, went_well = jobs.run_job(begun, stages, run, record)
    if as_json:
        print_json(row)
    else:
        show_made(watcher.ended, watcher.stopped, time.perf_counter() - began)
        if row["dry_run"]:
            show_dry_run(watcher.notes)
        else:
            show_models(model_status(run.stores))
        heading(f"Training job {row['job']}")
        show_job(row)
    if row["error"] is not None or not went_well:
        sys.exit(FAILED)


def _start_process(run: "Run", request: "TrainingRequest", as_json: bool) -> None:
    """Open a job and start a process for it that outlives this one."""
    from stock_pipeline.core.layout import Layout
    from stock_pipeline.orchestration.in_process import alone
    from stock_pipeline.registry import jobs, ledger
    from stock_pipeline.registry.tables import REQUESTED_AT
    from stock_pipeline.registry.training_jobs import as_json_row, job_of

    ledger.session_reached(run.stores)  # before a directory is made
    with ledger.training_lock(run.stores), alone(run.settings.home):  # where a run is at work, the job could only fail
        number = jobs.open_job(run, request)
    row = job_of(ledger.living_jobs(run.stores, run.clock()), number)
    log = Layout(run.settings.home).job_log(number, row[REQUESTED_AT])
    log.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "stock_pipeline.command_line.main", "train", "--job", str(number)]
    with log.open("wb") as output:
        subprocess.Popen(  # noqa: S603  (our own command)
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=dict(os.environ), cwd=Path.cwd()
        )
    if as_json:
        print_json(as_json_row(row))
        return
    click.echo(f"Training job {number} has been started; its log is {plain(log)}.")
    click.echo(f"Its status: `stock-pipeline training-jobs show {number}`; all jobs: `stock-pipeline training-jobs list`.")


@click.group("training-jobs")
def training_jobs() -> None:
    """List, show and delete training jobs."""


@training_jobs.command("list")
@click.option("--state", type=text, help="Only those that are PENDING, RUNNING, COMPLETED or FAILED.")
@click.option("--reason", type=text, help="Only those asked for by schedule, drift, missing or manual.")
@click.option("--page", type=number, default=1, show_default=True, help="Which page, the latest jobs first.")
@click.option("--per-page", type=number, default=20, show_default=True, help="Jobs on a page.")
@AS_JSON
@AS_CSV
def list_jobs(page: int, per_page: int, as_json: bool, as_csv: bool, **chosen: str | None) -> None:
    """Show the training jobs, latest first."""
    from stock_pipeline.command_line.tables import show_jobs, show_nothing_yet
    from stock_pipeline.registry.training_jobs import as_json_row, page_of_jobs

    one_form(as_json, as_csv)
    _, stores = open_home()
    found, count = page_of_jobs(_living(stores), chosen["state"], chosen["reason"], page, per_page)
    rows = [as_json_row(row) for row in found.iter_rows(named=True)]
    if as_csv:
        print_csv(found.columns, rows)
        return
    content = {"jobs": rows, "page": page, "per_page": per_page, "count": count}
    print_result(
        content,
        as_json,
        lambda: show_jobs(rows, page, -(-count // per_page), count) if stores.exist else show_nothing_yet(stores.home.absolute()),
    )


@training_jobs.command()
@click.argument("number", type=number)
@AS_JSON
def show(number: int, as_json: bool) -> None:
    """Show one training job."""
    from stock_pipeline.command_line.tables import show_job
    from stock_pipeline.registry.training_jobs import as_json_row, job_of

    _, stores = open_home()
    row = as_json_row(job_of(_living(stores), number))
    print_result(row, as_json, lambda: show_job(row))


@training_jobs.command()
@click.argument("number", type=number)
def delete(number: int) -> None:
    """Delete the row of a job that has ended. What it trained stays, and its number is not used again."""
    from stock_pipeline.registry.ledger import change_jobs
    from stock_pipeline.registry.training_jobs import job_of, without_job

    _, stores = open_home()
    job_of(_living(stores), number)
    change_jobs(stores, lambda held: without_job(held, number), utc_now())
    click.echo(f"Training job {number} was deleted.")


def _living(stores: "Stores") -> "pl.DataFrame":
    from stock_pipeline.registry.ledger import living_jobs

    return living_jobs(stores, utc_now())


COMMANDS: Final = (train, training_jobs)
