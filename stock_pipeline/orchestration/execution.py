"""Execution of stages, as the asset factory, training jobs, tests and benchmarks call it. Independent of Dagster.

Around each body it provides the session, one transaction for the output, the audit trail, progress, and the checks.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import uuid4

import polars as pl

from stock_pipeline.core.errors import InputError
from stock_pipeline.core.files import sentence_on
from stock_pipeline.core.interruption import raise_if_asked
from stock_pipeline.core.scratch import scratch_folder, temporary_files_in
from stock_pipeline.core.table_schema import StoreName
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.orchestration.context import CheckOutcome, StageContext, StageOutput
from stock_pipeline.orchestration.declared import declared_settings, declared_stores
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.progress import Blocked, Finished, Progressed, Started, announce
from stock_pipeline.orchestration.stage import Key, Stage, StageCheck, dependencies
from stock_pipeline.orchestration.standing import Standing, standings
from stock_pipeline.settings import Settings
from stock_pipeline.settings.values import difference, values_of
from stock_pipeline.storage import Author, Stores, WriteReport
from stock_pipeline.storage.audit import Execution, ExecutionState, Progress, Seen


@dataclass(frozen=True)
class Run:
    """The context that the stages of one run share."""

    stores: Stores
    settings: Settings  # as loaded; ``options`` for a training are applied on top of them
    options: RunOptions = field(default_factory=RunOptions)  # what the run is asked to do
    run_id: str = field(default_factory=lambda: str(uuid4()))  # for the audit trail
    clock: Callable[[], datetime] = utc_now  # returns the present moment, UTC
    strict: bool = False  # whether a body that reads a table or a setting which its stage does not declare fails


Unrecorded = dict[StoreName, list[Execution]]  # rows of the audit trail that are yet to be written, by store


@dataclass(frozen=True)
class StageResult:
    """The result of one execution."""

    stage: Stage
    state: ExecutionState  # how it ended; failed only where the stage shows its failures as a check
    output: StageOutput | None  # of the body; None where nothing was to be done or it failed
    reports: tuple[WriteReport, ...]  # a report for each table written
    progress: Progress  # watermark, rows and versions of the stage's tables afterwards
    reached: date | None  # the session that the stage has reached
    wanted: date | None  # the session that it had to reach
    advanced: bool  # whether it has reached a later session than before
    checks: Mapping[str, CheckOutcome]  # the verdicts, by name of the check
    seconds: float  # how long it took
    error: str | None = None  # why it failed, in one sentence
    remade: str | None = None  # the changed setting for which everything was rebuilt
    dry_run: bool = False  # whether nothing was to be written

    @property
    def rows(self) -> int:
        """The number of rows inserted."""
        return sum(report.inserted for report in self.reports)

    @property
    def up_to_date(self) -> bool:
        """Whether the stage has reached the session that it had to reach."""
        return self.reached is not None and self.wanted is not None and self.reached >= self.wanted

    @property
    def materialised(self) -> bool:
        """Whether anything was made: rows, or the same rows for a later session."""
        return self.state == "succeeded" or (self.state == "up_to_date" and self.advanced)

    @property
    def blocked(self) -> Mapping[str, CheckOutcome]:
        """The blocking checks that failed."""
        blocking = {spec.name for check in self.stage.checks for spec in check.specs if spec.blocking}
        return {name: verdict for name, verdict in self.checks.items() if name in blocking and not verdict.passed}


def execute_stage(
    stage: Stage, run: Run, retries_left: int = 0, standing: Standing | None = None, unrecorded: Unrecorded | None = None
) -> StageResult:
    """Execute a stage: read its watermark, run its body, write the output, judge its checks.

    A failure that the stage shows as a check is raised as long as retries are left.

    Args:
        stage: which.
        run: its stores, settings and options.
        retries_left: how often it would be tried again.
        standing: how it stands; looked up where it is None.
        unrecorded: where given, it gets the execution's row of the audit trail if there was nothing to do; otherwise that is written.

    Raises:
        InputError: the user's input is wrong; a retry would not help.
        Exception: the error of the body or of the write, once it is in the audit trail.
    """
    moment, began = run.clock(), time.perf_counter()
    announce(Started(stage.name))

    def finish(
        state: ExecutionState, rows: int, error: str | None, remade: str | None, passed: tuple[str, ...] | None, untouched: bool
    ) -> float:
        seconds = time.perf_counter() - began
        announce(Finished(stage.name, rows, seconds, state == "up_to_date", error, remade))
        if not run.options.dry_run:  # a dry run keeps nothing, and is not the asset's last result
            ended = moment + timedelta(seconds=seconds)
            task = Execution(stage.name, run.run_id, moment, ended, state, rows, error, seen, passed)
            if untouched and unrecorded is not None:
                unrecorded.setdefault(stage.store, []).append(task)
            else:
                _record(run.stores, stage.store, [task])
        return seconds

    seen: Seen | None = None
    try:
        run.stores.prepare((*stage.tables, *stage.amends), stage.views)
        output, reports, error = None, tuple[WriteReport, ...](), None
        standing = standing or standings([stage], run.stores)[stage.name]
        seen, held = standing.seen, standing.held
        remade = None if held is None else difference(json.loads(held.settings), values_of(run.settings, stage.settings))
        context = _context(stage, run, standing, moment, remade)
        try:
            output = _output(stage, context)
            reports = _write(stage, run, context, output)
        except Exception as problem:
            output, error = None, _tolerated(stage, problem, retries_left)
        untouched = output is None and error is None
        result = _result(stage, context, output, reports, error, standing.progress if untouched else None)
    except Exception as problem:
        finish("failed", 0, sentence_of(problem), None, None, untouched=False)
        raise
    remade = remade if result.state == "succeeded" else None
    if remade is not None and (fewer := sum(report.deleted - report.inserted for report in reports)) > 0:
        remade += f", rows: {fewer:,} fewer"
    passed = tuple(name for name, verdict in result.checks.items() if verdict.passed)
    seconds = finish(result.state, result.rows, error, remade, passed, untouched)
    for name, verdict in result.blocked.items():
        announce(Blocked(stage.name, name, facts_of(verdict)))
    return replace(result, seconds=seconds, remade=remade)


@dataclass(frozen=True)
class StageFailure:
    """An execution that raised, with the error in one sentence; everything downstream of the stage is left out."""

    stage: Stage
    error: str


def execute_stages(stages: Sequence[Stage], run: Run) -> Iterator[StageResult | StageFailure]:
    """Execute stages in their order, leaving out those downstream of a failed stage or of a failed blocking check."""
    barred: set[Key] = set()
    known: dict[str, Standing] = {}
    unrecorded: Unrecorded = {}  # one transaction each would cost a night without news a tenth of its time
    try:
        for place, stage in enumerate(stages):
            raise_if_asked()
            result: StageResult | StageFailure
            if barred.intersection(dependencies(stage, stages)):
                barred.update(stage.keys)
                continue
            try:
                result = execute_stage(stage, run, standing=known.get(stage.name), unrecorded=unrecorded)
            except Exception as problem:
                raise_if_asked()
                result = StageFailure(stage, sentence_of(problem))
            if isinstance(result, StageFailure) or result.blocked:
                barred.update(stage.keys)
            # As long as nothing is made, all that follow stand as they stood.
            if isinstance(result, StageFailure) or result.output is not None:
                known = {}
            elif not known:
                known = standings(stages[place + 1 :], run.stores)
            yield result
            del result  # with the frames that it has made
    finally:
        for store, tasks in unrecorded.items():
            _record(run.stores, store, tasks)
    raise_if_asked()


def sentence_of(error: BaseException) -> str:
    """The error in one line."""
    if isinstance(error, OSError) and error.filename is not None:
        return sentence_on(error)
    return " ".join(str(error).split()) or type(error).__name__


def problem_of(result: "StageResult | StageFailure") -> str | None:
    """Why an execution failed, or which of its blocking checks; None where nothing is wrong."""
    if isinstance(result, StageFailure) or result.error is not None:
        return result.error
    return next((f"check {name} failed: {facts_of(verdict)}" for name, verdict in result.blocked.items()), None)


def facts_of(verdict: CheckOutcome) -> str:
    """The facts of a check for a sentence, frames left out; where one of them is the problem in words, that alone."""
    if "problem" in verdict.facts:
        return str(verdict.facts["problem"])
    return ", ".join(f"{name} {value}" for name, value in verdict.facts.items() if not isinstance(value, pl.DataFrame))


def _context(stage: Stage, run: Run, standing: Standing, moment: datetime, remade: str | None) -> StageContext:
    held = standing.held
    stores, settings = run.stores, run.options.applied_to(run.settings)
    if run.strict:
        stores, settings = declared_stores(stores, stage), declared_settings(settings, stage)
    return StageContext(
        asset=stage.name,
        store=stage.store,
        news=stage.news,
        stores=stores,
        settings=settings,
        options=run.options,
        watermark=None if held is None else held.session,
        market_watermark=standing.market_session,
        changed=standing.changed,
        # Rows that another version of the code or another setting made may differ from what would be made now.
        full_refresh=run.options.full_refresh or remade is not None or (held is not None and held.code_version != stage.code_version),
        moment=moment,
        report_progress=lambda note: announce(Progressed(stage.name, note)),
    )


def _tolerated(stage: Stage, problem: Exception, retries_left: int) -> str:
    """The sentence on a failure that the stage shows as a check; any other failure is raised."""
    raise_if_asked()
    if not stage.tolerates_failure or (retries_left and not isinstance(problem, InputError)):
        raise problem
    return sentence_of(problem)


def _output(stage: Stage, context: StageContext) -> StageOutput | None:
    if context.options.dry_run and not (stage.dry_runs or stage.cadence == "training"):
        return None
    with temporary_files_in(scratch_folder(context.stores.layout.scratch)):
        return stage.body(context)


def _write(stage: Stage, run: Run, context: StageContext, output: StageOutput | None) -> tuple[WriteReport, ...]:
    if output is None or context.options.dry_run:
        return ()
    made_with = json.dumps(values_of(run.settings, stage.settings))
    author = Author.of_asset(stage.name, stage.code_version, run.run_id, context.moment, made_with)
    return tuple(run.stores.write(stage.store, author, output.writes, output.watermark))


def _result(
    stage: Stage,
    context: StageContext,
    output: StageOutput | None,
    reports: tuple[WriteReport, ...],
    error: str | None,
    progress: Progress | None,
) -> StageResult:
    """The result of an execution; ``progress`` is None where it may have changed."""
    progress = progress or context.stores.progress_of(stage.store, stage.name, stage.tables)
    reached = None if progress.watermark is None else progress.watermark.session
    changed = output is not None and (not reports or any(report.changed for report in reports))
    state: ExecutionState = "failed" if error is not None else "succeeded" if changed else "up_to_date"
    checks = {name: verdict for check in stage.checks for name, verdict in _verdicts(check, stage, context).items()}
    expected = None if stage.expected is None else stage.expected(context)
    # Ingestion learns only now how far its source goes.
    wanted = context.options.as_of or expected or (reached if stage.cadence == "ingestion" else context.as_of)
    return StageResult(
        stage=stage,
        state=state,
        output=output,
        reports=reports,
        progress=progress,
        reached=reached,
        wanted=wanted,
        advanced=reached != context.watermark,
        checks=checks,
        seconds=0.0,
        error=error,
        dry_run=context.options.dry_run,
    )


def _verdicts(check: StageCheck, stage: Stage, context: StageContext) -> Mapping[str, CheckOutcome]:
    if check.of_rows and context.is_up_to_date and _passed_what_is_stored(check, stage, context):
        return {spec.name: CheckOutcome(True, {"note": "nothing has changed since it passed"}) for spec in check.specs}
    return check.judge(context)


def _passed_what_is_stored(check: StageCheck, stage: Stage, context: StageContext) -> bool:
    with context.stores.shared_readers():
        changed = context.changed or context.stores.changed_from(check.reads, stage.store, stage.name)
        return changed is None and {spec.name for spec in check.specs} <= context.stores.passed_last(stage.store, stage.name, stage.tables)


def _record(stores: Stores, store: StoreName, tasks: Sequence[Execution]) -> None:
    try:
        stores.record_executions(store, *tasks)
    except Exception as problem:
        # A failed audit row must neither hide the error of the stage nor undo what is committed.
        names = ", ".join(task.asset for task in tasks)
        logging.getLogger(__name__).warning("the audit row of %s could not be written: %s", names, problem)
