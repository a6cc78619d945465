"""One execution of a stage, and several in their order, without Dagster."""

import os
import shutil
import signal
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.core.interruption import interruptible
from stock_pipeline.core.table_schema import StoreName
from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.orchestration.context import CheckOutcome, StageContext, StageOutput
from stock_pipeline.orchestration.execution import Run, StageFailure, StageResult, execute_stage, execute_stages
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.progress import Blocked, Event, Finished, listening
from stock_pipeline.orchestration.stage import Cadence, CheckSpec, Stage, StageCheck, key_of
from stock_pipeline.storage import Stores, replace_all
from stock_pipeline.storage.audit import Execution
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.asset_harness import DAYS, NAME, Body, declared, output
from stock_pipeline_tests.harness.plain_settings import plain_settings

MOMENT = datetime(2024, 5, 3, 22, 45)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return ingested(tmp_path, DAYS[3])


def run_of(stores: Stores, **sections: object) -> Run:
    return Run(stores, plain_settings(stores.home, **sections), run_id="a-run", clock=lambda: MOMENT, strict=True)


def tasks(stores: Stores) -> list[tuple[object, ...]]:
    with stores.ml.reader() as connection:
        return connection.execute("SELECT run_id, started_at, state, rows FROM audit.executions WHERE asset = ?", [NAME]).fetchall()


def test_an_outcome_tells_what_was_made_and_how_far_the_stage_has_come(stores: Stores) -> None:
    result = execute_stage(declared(lambda _context: output()), run_of(stores))
    assert (result.state, result.rows, result.reached, result.wanted, result.up_to_date) == ("succeeded", 1, DAYS[3], DAYS[3], True)
    assert result.progress.counts == {"maintenance.backups": 1}
    assert tasks(stores) == [("a-run", MOMENT, "succeeded", 1)]
    again = execute_stage(declared(lambda _context: output()), run_of(stores))
    assert (again.state, again.rows, again.output is None) == ("up_to_date", 0, False)
    behind = execute_stage(declared(lambda _context: output(7, DAYS[1])), run_of(stores))
    assert behind.reached == DAYS[3]  # a watermark never moves back


def test_another_setting_has_everything_made_again_once_and_says_which(stores: Stores) -> None:
    refreshed: list[bool] = []

    def body(context: StageContext) -> StageOutput:
        refreshed.append(context.full_refresh)
        return output(len(refreshed))

    stage = declared(body, settings=("backtest", "exchange", "trading"))
    heard: list[Event] = []
    with listening(heard.append):
        for cost, top in ((10, 0.1), (20, 0.1), (20, 0.1), (20, 0.3)):
            execute_stage(
                stage,
                run_of(stores, trading={"cost_bps_per_side": cost}, backtest={"top_share": top}, drift={"window_sessions": len(heard) + 1}),
            )
    assert refreshed == [False, True, False, True]
    told = [event.remade for event in heard if isinstance(event, Finished)]
    assert told == [None, "trading.cost_bps_per_side is 20.0, was 10.0", None, "backtest.top_share is 0.3, was 0.1"]


def test_rows_that_go_with_a_changed_setting_are_told(stores: Stores) -> None:
    def body(context: StageContext) -> StageOutput:
        ml = output().writes[0].frame
        rows = ml if context.full_refresh else pl.concat([ml, ml.with_columns(store=pl.lit("market"), path=pl.lit("q"))])
        return StageOutput(writes=(replace_all(BACKUPS, rows),), watermark=DAYS[3])

    stage = declared(body, settings=("trading",))
    assert execute_stage(stage, run_of(stores)).rows == 2
    changed = execute_stage(stage, run_of(stores, trading={"cost_bps_per_side": 20}))
    assert changed.remade == "trading.cost_bps_per_side is 20.0, was 10.0, rows: 1 fewer"


def test_what_a_run_chooses_for_its_training_is_no_change_of_a_setting(stores: Stores) -> None:
    stage = declared(lambda _context: output(), settings=("datasets", "models.tuning_trials", "models.names"))
    execute_stage(stage, run_of(stores))
    chosen = run_of(stores)
    result = execute_stage(stage, replace(chosen, options=replace(chosen.options, folds=2, trials=5, models=("risk",))))
    assert result.remade is None
    assert execute_stage(stage, run_of(stores)).remade is None


def test_a_failure_is_raised_once_it_is_in_the_trail(stores: Stores) -> None:
    def body(_context: StageContext) -> StageOutput:
        raise InputError("file bars.csv\n has no column close")

    with pytest.raises(InputError, match="has no column close"):
        execute_stage(declared(body), run_of(stores))
    assert [task[2] for task in tasks(stores)] == ["failed"]
    shown = execute_stage(declared(body, tolerates_failure=True), run_of(stores), retries_left=2)
    assert (shown.state, shown.error) == ("failed", "file bars.csv has no column close")


def after(name: str, seen: list[str]) -> Stage:
    """A stage that reads the backups."""

    def body(context: StageContext) -> StageOutput:
        seen.append(name)
        return StageOutput(writes=(), watermark=context.as_of)

    return Stage((("maintenance", name),), "", (), reads=(BACKUPS,), body=body)


def small(context: StageContext) -> dict[str, CheckOutcome]:
    largest = context.read(BACKUPS)["size_bytes"].max()
    return {"small": CheckOutcome(largest == 5, {"largest": str(largest), "examples": context.read(BACKUPS)})}


@pytest.mark.parametrize(("size", "blocking", "made"), [(5, True, ["a", "b"]), (50, False, ["a", "b"]), (50, True, [])])
def test_nothing_is_made_of_what_a_blocking_check_refuses(size: int, blocking: bool, made: list[str], stores: Stores) -> None:
    seen: list[str] = []
    check = StageCheck((CheckSpec("small", "Backups are small.", blocking),), small)
    heard: list[Event] = []
    with listening(heard.append):
        results = list(
            execute_stages([declared(lambda _context: output(size), checks=(check,)), after("a", seen), after("b", seen)], run_of(stores))
        )
    assert seen == made and len(results) == 1 + len(made)
    stopped = [event for event in heard if isinstance(event, Blocked)]
    assert stopped == ([] if made else [Blocked(NAME, "small", "largest 50")])


def test_what_lies_downstream_of_a_failure_is_left_out_and_the_rest_goes_on(stores: Stores) -> None:
    def body(_context: StageContext) -> StageOutput:
        raise ValueError("the disk is full")

    seen: list[str] = []
    aside = replace(after("aside", seen), reads=())
    first, second = execute_stages([declared(body), after("a", seen), aside], run_of(stores))
    assert isinstance(first, StageFailure) and first.error == "the disk is full" and first.stage.keys == (key_of(BACKUPS),)
    assert isinstance(second, StageResult) and seen == ["aside"]


def test_a_trail_that_cannot_be_written_hides_neither_success_nor_failure(stores: Stores) -> None:
    class Full(Stores):
        def record_executions(self, *_given: object) -> None:
            raise OSError("no more room")

    def body(_context: StageContext) -> StageOutput:
        raise ValueError("the first error")

    full = Full(stores.home, stores.market, stores.ml)
    assert execute_stage(declared(lambda _context: output()), run_of(full)).rows == 1
    with pytest.raises(ValueError, match="the first error"):
        execute_stage(declared(body), run_of(full))


def test_what_changed_while_a_stage_worked_is_news_to_its_next_execution(stores: Stores) -> None:
    def reading(context: StageContext) -> StageOutput | None:
        assert context.read(BACKUPS).height in (0, 1)
        return StageOutput(writes=(), watermark=context.as_of) if context.has_news() else None

    follower = Stage((("maintenance", "follower"),), "", (), reads=(BACKUPS,), body=reading)
    maker = declared(lambda _context: output())

    def interrupted(context: StageContext) -> StageOutput | None:
        found = reading(context)
        execute_stage(maker, run_of(stores))  # another process writes once this one has read
        return found

    execute_stage(replace(follower, body=interrupted), run_of(stores))
    assert execute_stage(follower, run_of(stores)).output is not None
    assert execute_stage(follower, run_of(stores)).output is None


def of_size(size: int, **values: Any) -> Stage:
    return declared(**{"body": lambda _context: output(size), **values})


def test_what_a_stage_makes_is_news_to_those_after_it_though_those_before_it_made_nothing(stores: Stores) -> None:
    def body(context: StageContext) -> StageOutput | None:
        heard.append(context.has_news())
        return StageOutput(writes=(), watermark=context.as_of) if context.has_news() else None

    heard = list[bool]()
    idle = [Stage((("maintenance", name),), "", (), reads=(), body=lambda _context: None) for name in ("a", "b")]
    follower = Stage((("maintenance", "follower"),), "", (), reads=(BACKUPS,), body=body)
    for size in (5, 5, 7):
        made = replace(of_size(size), body=lambda _context, size=size: output(size) if size == 7 or not heard else None)  # type: ignore[misc]
        results = list(execute_stages([*idle, made, follower], run_of(stores)))
        assert [isinstance(result, StageResult) for result in results] == [True] * 4
    assert heard == [True, False, True]


def test_a_dry_run_is_no_last_result_of_the_stage(stores: Stores) -> None:
    stage = declared(lambda _context: output())
    execute_stage(stage, run_of(stores))
    run = run_of(stores)
    assert execute_stage(stage, replace(run, options=RunOptions(dry_run=True))).dry_run
    assert len(tasks(stores)) == 1


@pytest.mark.parametrize("cadence", ["training", "nightly"])
def test_a_dry_run_writes_nothing_and_executes_trainings_alone(cadence: Cadence, stores: Stores) -> None:
    execute_stage(declared(lambda _context: output(5, DAYS[2])), run_of(stores))
    before = stores.content_hash(BACKUPS), stores.watermark("ml", NAME), stores.seen()
    nights: list[StageContext] = []

    def body(context: StageContext) -> StageOutput:
        nights.append(context)
        return output(99)

    result = execute_stage(declared(body, cadence=cadence), replace(run_of(stores), options=RunOptions(dry_run=True)))
    assert (stores.content_hash(BACKUPS), stores.watermark("ml", NAME), stores.seen()) == before
    assert result.dry_run and [night.options.dry_run for night in nights] == ([True] if cadence == "training" else [])
    assert (result.output is None, result.rows) == (cadence != "training", 0)


def test_rows_of_which_no_setting_is_on_record_are_made_again(stores: Stores, tmp_path: Path) -> None:
    values = iter((1, 2, 2))
    stage = declared(lambda _context: output(next(values)), settings=("trading.cost_bps_per_side",))
    execute_stage(stage, run_of(stores))
    with stores.ml.writer() as connection:
        connection.execute("ALTER TABLE audit.watermarks DROP COLUMN settings")
    copy = tmp_path / "copy.duckdb"
    # As another process, which has not seen the file before, would find it.
    shutil.copy(stores.ml.path, copy)
    copy.replace(stores.ml.path)
    held = stores.watermark("ml", NAME)
    assert held is not None and held.session == DAYS[3]
    assert execute_stage(stage, run_of(stores)).remade == "trading.cost_bps_per_side is 10.0"
    assert execute_stage(stage, run_of(stores)).remade is None


def swallow(_context: StageContext) -> StageOutput:
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        return output()
    raise AssertionError("no signal came")


def turn_into_another(_context: StageContext) -> StageOutput:
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt as error:
        raise RuntimeError("Query interrupted") from error
    raise AssertionError("no signal came")


@pytest.mark.parametrize("body", [swallow, turn_into_another])
@pytest.mark.parametrize("tolerated", [True, False])
def test_an_interrupt_ends_the_run_even_where_a_library_swallows_it(body: Body, tolerated: bool, stores: Stores) -> None:
    executed: list[str] = []

    def note(context: StageContext) -> StageOutput:
        executed.append(context.asset)
        return output()

    stages = (declared(body, tolerates_failure=tolerated), Stage((("made_up", "later"),), "", (), (), note))
    with interruptible(), pytest.raises(KeyboardInterrupt):
        list(execute_stages(stages, run_of(stores)))
    assert executed == []


def test_executions_that_had_nothing_to_do_are_recorded_together_also_where_the_run_ends_early(stores: Stores) -> None:
    written: list[tuple[str, ...]] = []

    class Watched(Stores):
        def record_executions(self, store: StoreName, *runs: Execution) -> None:
            written.append(tuple(run.asset for run in runs))
            super().record_executions(store, *runs)

    idle = [Stage((("maintenance", name),), "", (), reads=(), body=lambda _context: None) for name in ("a", "b", "c")]
    made = declared(lambda _context: output())
    running = execute_stages([*idle[:1], made, *idle[1:]], run_of(Watched(stores.home, stores.market, stores.ml)))
    assert [next(running).stage.name for _ in range(3)] == ["maintenance/a", NAME, "maintenance/b"]
    running.close()  # type: ignore[attr-defined]
    assert written == [(NAME,), ("maintenance/a", "maintenance/b")]
    assert {*stores.last_executions()} == {NAME, "maintenance/a", "maintenance/b"}
