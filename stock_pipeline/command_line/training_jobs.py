"""``stock-pipeline retrain`` and ``stock-pipeline jobs``: models trained anew, now or in the background, and what became of it."""

import sys
from typing import TYPE_CHECKING, Any

import click

from stock_pipeline.command_line.errors import FAILED, names_in, opened, print_json, speaks_plainly

if TYPE_CHECKING:
    import polars as pl

    from stock_pipeline.settings import Settings
    from stock_pipeline.storage import Stores

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@click.command()
@click.option("--models", help="Models to train, separated by commas; stack is one of them. By default all.")
@click.option("--days", type=click.IntRange(min=1), help="Learn from so many of the last sessions. By default datasets.sessions.")
@click.option("--dry-run", is_flag=True, help="Train and score, but keep nothing but the row of the job.")
@click.option("--wait", is_flag=True, help="Train now and show how it goes, instead of in the background.")
@click.option("--reason", default="manual", show_default=True, help="For the record: schedule, drift, missing or manual.")
@click.option("--job", "number", type=int, hidden=True, help="Carry out this job, which waits.")
@AS_JSON
@speaks_plainly
def retrain(models: str | None, days: int | None, dry_run: bool, wait: bool, reason: str, number: int | None, as_json: bool) -> None:
    """Train models anew as a job on record, then weigh them and register what came of it."""
    from stock_pipeline.command_line.retraining import asked_for, carry_out, retrain_apart
    from stock_pipeline.command_line.retraining import retrain as retrain_now
    from stock_pipeline.definitions import WHOLE_JOURNEY, build_definitions
    from stock_pipeline.orchestration.in_process import runner

    settings, stores = opened()
    run = runner(build_definitions, WHOLE_JOURNEY)
    if number is not None:
        training, row = carry_out(settings, number, run)
    else:
        asked = asked_for(settings, names_in(models), reason, days, dry_run)
        if not wait:
            _tell_where(settings, retrain_apart(settings, asked), as_json)
            return
        training, row = retrain_now(settings, asked, run, watched=not as_json)
    if as_json:
        print_json(row)
    else:
        training.show(stores)
        _show_job(row)
    if row["error"] is not None or not training.went_well:
        sys.exit(FAILED)


def _tell_where(settings: "Settings", row: dict[str, Any], as_json: bool) -> None:
    from stock_pipeline.registry.jobs import log_of

    if as_json:
        print_json(row)
        return
    number = row["job"]
    click.echo(f"Retraining job {number} has been started; its log is {log_of(settings.home, number)}.")
    click.echo(f"How it stands: `stock-pipeline jobs show {number}`, all of them: `stock-pipeline jobs list`.")


@click.group()
def jobs() -> None:
    """Retraining jobs: list, show, delete."""


@jobs.command("list")
@click.option("--state", help="Only those that are PENDING, RUNNING, COMPLETED or FAILED.")
@click.option("--reason", help="Only those asked for by schedule, drift, missing or manual.")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Which page, the latest jobs first.")
@click.option("--per-page", type=click.IntRange(min=1), default=20, show_default=True, help="Jobs on a page.")
@AS_JSON
@speaks_plainly
def list_jobs(state: str | None, reason: str | None, page: int, per_page: int, as_json: bool) -> None:
    """Show the retraining jobs, latest first."""
    from stock_pipeline.command_line.tables import show_jobs
    from stock_pipeline.registry.retraining import listed, readable

    _, stores = opened()
    found, count = listed(_living(stores), state, reason, page, per_page)
    rows = [readable(row) for row in found.iter_rows(named=True)]
    if as_json:
        print_json({"jobs": rows, "page": page, "per_page": per_page, "count": count})
        return
    show_jobs(rows, page, -(-count // per_page), count)


@jobs.command()
@click.argument("number", type=int)
@AS_JSON
@speaks_plainly
def show(number: int, as_json: bool) -> None:
    """Show one retraining job."""
    from stock_pipeline.registry.retraining import job_of, readable

    _, stores = opened()
    row = readable(job_of(_living(stores), number))
    if as_json:
        print_json(row)
    else:
        _show_job(row)


@jobs.command()
@click.argument("number", type=int)
@speaks_plainly
def delete(number: int) -> None:
    """Delete the row of a job that has ended. What it trained stays."""
    from stock_pipeline.orchestration.clock import utc_now
    from stock_pipeline.registry.jobs import changed
    from stock_pipeline.registry.retraining import job_of, without

    _, stores = opened()
    job_of(_living(stores), number)
    changed(stores, lambda held: without(held, number), utc_now())
    click.echo(f"Retraining job {number} was deleted.")


def _living(stores: "Stores") -> "pl.DataFrame":
    from stock_pipeline.orchestration.clock import utc_now
    from stock_pipeline.registry.jobs import living_jobs

    return living_jobs(stores, utc_now())


def _show_job(row: dict[str, Any]) -> None:
    for name, value in row.items():
        click.echo(f"{name.replace('_', ' ')}: {_text(value)}")


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {why}" for name, why in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else "yes" if value is True else "no" if value is False else str(value)
