"""Execution of training jobs: the stages run in order, and the job's row records the result."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, Final

import dagster as dg
import polars as pl

from stock_pipeline.core.errors import InputError
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.asset_events import AssetEvents
from stock_pipeline.orchestration.automation import run_tags
from stock_pipeline.orchestration.execution import Run, StageFailure, StageResult, execute_stages, problem_of, sentence_of
from stock_pipeline.orchestration.in_process import alone
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.reporting import output_metadata
from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.orchestration.training_request import OP, TRAINING_JOB, training_config
from stock_pipeline.registry import training_jobs
from stock_pipeline.registry.ledger import change_jobs, session_reached, training_lock
from stock_pipeline.registry.manual import NAMES
from stock_pipeline.registry.tables import JOB, REASONS, STACK_ASSET, TRAINING_JOBS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import open_stores

REGISTRY: Final = "registry"  # the room that is brought up to date with every training
SHOWN: Final = ("job", "state", "models", "succeeded", "failed")
Report = Callable[[StageResult | StageFailure], None]


def open_job(run: Run, request: training_jobs.TrainingRequest) -> int:
    """Open a job and return its number, which no earlier job had, deleted ones included.

    Raises:
        InputError: nothing has been ingested yet, or another job has not ended.
    """
    session_reached(run.stores)
    now = run.clock()
    change_jobs(run.stores, lambda held: training_jobs.close_dead_jobs(held, now), now)

    def with_one_more(held: pl.DataFrame) -> pl.DataFrame:
        # The count is read after the rows, so that the write is refused where another process opens a job in between.
        return training_jobs.with_new_job(held, request, now, run.stores.rows_ever(TRAINING_JOBS))

    waiting = training_jobs.unfinished_job(change_jobs(run.stores, with_one_more, now))
    assert waiting is not None  # noqa: S101
    return int(waiting[JOB])


def start_job(run: Run, number: int) -> dict[str, Any]:
    """Start a waiting job, and return its row, ready for JSON. To be called under ``ledger.training_lock``.

    Raises:
        InputError: there is no such job, or it is not waiting.
    """
    now = run.clock()
    rows = change_jobs(run.stores, lambda held: training_jobs.with_started_job(held, number, now), now)
    return training_jobs.as_json_row(training_jobs.job_of(rows, number))


def run_job(row: Mapping[str, Any], stages: Sequence[Stage], run: Run, report: Report) -> tuple[dict[str, Any], bool]:
    """Run a started job, and return its row, ready for JSON, and whether every stage succeeded.

    To be called under ``ledger.training_lock``.

    Args:
        row: of the job.
        stages: those of the job, in order.
        run: stores, settings and clock; its options are replaced by those of the job.
        report: receives the result of every stage.
    """
    chosen = training_jobs.models_weighed(run.settings.models.names, row["models"])
    choices = {name: row[name] for name in training_jobs.CHOICES}
    options = RunOptions(full_refresh=True, keeps_folds=True, models=chosen, dry_run=row["dry_run"], **choices)
    problems: dict[str, str | None] = {}  # of each stage that was executed
    made = set[str]()  # the stages that made a training
    error: str | None = "it was stopped"
    try:
        for result in execute_stages(stages, replace(run, options=options)):
            problems[result.stage.name] = problem_of(result)
            if isinstance(result, StageResult) and result.output is not None:
                made.update(result.stage.name for write in result.output.writes if write.schema is TRAININGS)
            report(result)
            del result  # with the frames that it has made
        error = None if row["dry_run"] else _unregistered(stages, problems)
    except BaseException as problem:
        error = sentence_of(problem)
        raise
    finally:
        succeeded, failed = _trained(stages, problems, made)
        then = run.clock()
        rows = change_jobs(run.stores, lambda held: training_jobs.with_finished_job(held, row[JOB], then, succeeded, failed, error), then)
    sound = [problem for problem in problems.values() if problem is None]
    return training_jobs.as_json_row(training_jobs.job_of(rows, row[JOB])), len(sound) == len(stages)


def training_stages(stages: Sequence[Stage], row: Mapping[str, Any]) -> list[Stage]:
    """The stages of a job among all stages, in their order: the models, then the registry with the stack.

    A dry run leaves out the registry, and the stack unless it was named.
    """
    trained, dry_run = row["models"], row["dry_run"]
    return [stage for stage in stages if (_trains(stage) and stage.keys[0][1] in trained) or (stage.keys[0][0] == REGISTRY and not dry_run)]


def _trains(stage: Stage) -> bool:
    return stage.cadence == "training" or stage.keys[0] == STACK_ASSET


def _trained(stages: Sequence[Stage], problems: Mapping[str, str | None], made: Set[str]) -> tuple[list[str], dict[str, str]]:
    """The models that were trained, and why others were not; a stack that is left as it was is among neither."""
    asked = {stage.keys[0][1]: stage.name for stage in stages if _trains(stage)}
    failed = {name: problems.get(stage, "the run ended before it was trained") for name, stage in asked.items()}
    trained = [name for name, stage in asked.items() if stage in made and failed[name] is None]
    return trained, {name: why for name, why in failed.items() if why is not None}


def _unregistered(stages: Sequence[Stage], problems: Mapping[str, str | None]) -> str | None:
    """Why nothing was registered; None where the registry succeeded."""
    registry = next(stage.name for stage in stages if stage.keys[0][0] == REGISTRY)
    if registry in problems:
        return None if problems[registry] is None else f"{registry} failed: {problems[registry]}"
    barred = "; ".join(f"{name}: {problem}" for name, problem in problems.items() if problem is not None)
    return f"nothing was registered: {barred or 'the run ended before'}"


def training_job(settings: Settings, stages: Sequence[Stage]) -> dg.JobDefinition:
    """The Dagster job ``training``, of one op, for the launchpad and for sensors."""

    @dg.op(
        name=OP,
        description="Train models and register their versions; the stack then follows those that are active.",
        config_schema=training_config(NAMES, REASONS),
    )
    def train_models(context: dg.OpExecutionContext) -> None:
        config: dict[str, Any] = context.op_config
        run = Run(open_stores(settings.home, settings.lock_wait_seconds), settings, run_id=context.run_id)

        found: dict[str, Any] = {}  # the metadata that a dry run shows here instead of on its assets

        events = AssetEvents(context.instance, stages, settings)

        def report(result: StageResult | StageFailure) -> None:
            if isinstance(result, StageFailure):
                return
            if result.dry_run and result.output is not None:
                made = output_metadata(result.output)
                found.update({f"{result.stage.keys[0][1]}, {name}": value for name, value in made.items()})
            for event in events.of(result):
                context.log_event(event)  # type: ignore[arg-type]  # it takes check evaluations, too

        try:
            chosen = config | {"models": training_jobs.chosen_models(settings.models.names, config["models"] or None)}
            request = training_jobs.TrainingRequest(**chosen)
            with training_lock(run.stores), alone(settings.home):
                begun_row = start_job(run, open_job(run, request))
                row, _ = run_job(begun_row, training_stages(stages, begun_row), run, report)
        except InputError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        shown = {name: dg.MetadataValue.text(_text(row[name])) for name in SHOWN}
        context.add_output_metadata(found | shown)
        for model, reason in row["failed"].items():
            context.log.warning(f"{model} was not trained: {reason}")
        if row["error"] is not None:
            raise dg.Failure(f"training job {row['job']} failed: {row['error']}", metadata=shown, allow_retries=False)

    @dg.job(
        name=TRAINING_JOB,
        description="Train models on the stored data, and register their versions; see `stock-pipeline training-jobs list`.",
        tags=run_tags(settings, "training"),
    )
    def training() -> None:
        train_models()

    return training


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {why}" for name, why in value.items()) or "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
