"""Executions that fail without ending the run, checks of what is stored, and runs that only try."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.orchestration import asset_factory
from stock_pipeline.orchestration.automation import limits
from stock_pipeline.orchestration.context import CheckOutcome, StageContext, StageOutput
from stock_pipeline.orchestration.progress import Blocked, Finished
from stock_pipeline.orchestration.reporting import LAST_EXECUTION
from stock_pipeline.orchestration.stage import Cadence, CheckSpec, Stage, StageCheck, key_of
from stock_pipeline.settings import Settings
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.asset_harness import DAYS, NAME, Workshop, declared, output

DOWNSTREAM = ("maintenance", "after_backups")


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """A workshop in which Dagster tries again at once."""

    def at_once(settings: Settings, cadence: Cadence) -> dg.RetryPolicy:
        return dg.RetryPolicy(max_retries=limits(settings, cadence).retries)

    monkeypatch.setattr(asset_factory, "retry_policy", at_once)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Workshop(tmp_path, ingested(tmp_path, DAYS[3]), instance)


def failing(error: Exception, times: int = 99) -> Callable[[StageContext], StageOutput]:
    """A body that raises the error so many times, then makes its product."""
    calls: list[StageContext] = []

    def body(context: StageContext) -> StageOutput:
        calls.append(context)
        if len(calls) <= times:
            raise error
        return output()

    return body


def after(seen: list[int]) -> Stage:
    """An asset downstream, which notes how many rows there are when it is made."""

    def body(context: StageContext) -> StageOutput:
        seen.append(context.stores.count(BACKUPS))
        return StageOutput(writes=(), watermark=context.as_of)

    return Stage((DOWNSTREAM,), "Made up.", (), reads=(BACKUPS,), body=body)


def checks(ran: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """The evaluations of the asset's checks by name."""
    return {found.check_name: found for found in ran.get_asset_check_evaluations() if found.asset_key == dg.AssetKey(key_of(BACKUPS))}


def shown(ran: dg.ExecuteInProcessResult) -> dict[str, object]:
    """What the materialisation of the asset shows."""
    (event,) = ran.asset_materializations_for_node("maintenance__backups")
    return {name: found.value for name, found in event.metadata.items()}


def test_a_failure_that_is_shown_fails_a_check_and_the_run_goes_on(workshop: Workshop) -> None:
    seen: list[int] = []
    broken = declared(failing(ValueError("the disk\n  is full")), tolerates_failure=True)
    ran = workshop.run_all(broken, after(seen))
    assert ran.success
    made = checks(ran)[LAST_EXECUTION.name]
    assert (made.passed, made.blocking, made.severity) == (False, False, dg.AssetCheckSeverity.ERROR)
    assert made.metadata["reason"].value == "the disk is full"
    assert workshop.trail() == [("failed", 0, "the disk is full")]
    assert workshop.stores.watermark("ml", NAME) is None
    assert seen == [0]
    assert shown(ran)["result"] == "failed; what is stored was made before"
    (told,) = [event.error for event in workshop.heard if isinstance(event, Finished) and event.asset == NAME]
    assert told == "the disk is full"


def test_after_a_failure_that_is_shown_what_was_made_before_stays_and_the_next_execution_tries_again(workshop: Workshop) -> None:
    workshop.run_all(declared(lambda _context: output(size=5, watermark=DAYS[2]), tolerates_failure=True))
    failed = workshop.run_all(declared(failing(ValueError("no")), tolerates_failure=True))
    assert shown(failed)["result"] == "failed; what is stored was made before" and "curve" not in shown(failed)
    assert workshop.stores.read(BACKUPS)["size_bytes"].to_list() == [5]
    held = workshop.stores.watermark("ml", NAME)
    assert held is not None
    assert held.session == DAYS[2]
    again = workshop.run_all(declared(lambda context: None if context.is_up_to_date else output(size=7), tolerates_failure=True))
    assert checks(again)[LAST_EXECUTION.name].passed
    assert "reason" not in checks(again)[LAST_EXECUTION.name].metadata
    assert [state for state, _, _ in workshop.trail()] == ["succeeded", "failed", "succeeded"]
    assert workshop.stores.read(BACKUPS)["size_bytes"].to_list() == [7]


def test_while_attempts_are_left_a_failure_is_raised_and_dagster_tries_again(workshop: Workshop) -> None:
    ran = workshop.run_all(declared(failing(ValueError("busy"), times=2), tolerates_failure=True), retries=2)
    assert ran.success
    assert len(ran.filter_events(lambda event: event.is_step_up_for_retry)) == 2
    assert checks(ran)[LAST_EXECUTION.name].passed
    assert [(state, error) for state, _, error in workshop.trail()] == [("failed", "busy"), ("failed", "busy"), ("succeeded", None)]
    assert workshop.stores.count(BACKUPS) == 1


def test_at_the_last_attempt_a_failure_is_shown(workshop: Workshop) -> None:
    seen: list[int] = []
    ran = workshop.run_all(declared(failing(ValueError("busy")), tolerates_failure=True), after(seen), retries=2)
    assert ran.success
    assert len(ran.filter_events(lambda event: event.is_step_up_for_retry)) == 2
    assert not checks(ran)[LAST_EXECUTION.name].passed
    assert [state for state, _, _ in workshop.trail()] == ["failed"] * 3
    assert seen == [0]


def test_wrong_input_is_shown_without_another_attempt(workshop: Workshop) -> None:
    ran = workshop.run_all(declared(failing(InputError("folds must be fewer")), tolerates_failure=True), retries=2)
    assert ran.success
    assert checks(ran)[LAST_EXECUTION.name].metadata["reason"].value == "folds must be fewer"
    assert workshop.trail() == [("failed", 0, "folds must be fewer")]


def test_a_scope_that_cannot_be_used_ends_the_run_even_where_failures_are_shown(workshop: Workshop) -> None:
    ran = workshop.run_all(declared(lambda _context: output(), tolerates_failure=True), retries=2, folds=0)
    (failure,) = ran.filter_events(lambda event: event.is_step_failure)
    assert "the run was asked for folds 0; give 1 or more" in str(failure.step_failure_data.error)


def test_where_failures_are_not_shown_there_is_no_such_check_and_the_run_ends(workshop: Workshop) -> None:
    seen: list[int] = []
    assert LAST_EXECUTION.name not in checks(workshop.run_all(declared(lambda _context: output())))
    assert not workshop.run_all(declared(failing(ValueError("no"))), after(seen)).success
    assert seen == []


def small(limit: int, blocking: bool) -> StageCheck:
    """A check that no stored backup is larger than the limit."""

    def judge(context: StageContext) -> dict[str, CheckOutcome]:
        held = context.read(BACKUPS)
        largest = held["size_bytes"].max()
        return {"small": CheckOutcome(largest is None or int(str(largest)) <= limit, {"largest": str(largest), "examples": held})}

    return StageCheck((CheckSpec("small", "Backups are small.", blocking),), judge)


@pytest.mark.parametrize(("size", "passed"), [(5, True), (50, False)])
def test_a_check_is_judged_by_what_has_just_been_stored(size: int, passed: bool, workshop: Workshop) -> None:
    ran = workshop.run_all(declared(lambda _context: output(size), checks=(small(10, blocking=False),)))
    found = checks(ran)["small"]
    assert (found.passed, found.blocking, found.metadata["largest"].value) == (passed, False, str(size))
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert isinstance(found.metadata["examples"], dg.TableMetadataValue)


def test_a_check_is_judged_although_the_asset_is_up_to_date(workshop: Workshop) -> None:
    workshop.run(lambda _context: output(50))
    ran = workshop.run_all(declared(lambda _context: None, checks=(small(10, blocking=False),)))
    assert workshop.trail()[-1] == ("up_to_date", 0, None)
    assert not checks(ran)["small"].passed


@pytest.mark.parametrize(("size", "blocking", "made_of_it"), [(50, True, []), (50, False, [1]), (5, True, [1])])
def test_a_blocking_check_that_fails_stops_what_lies_downstream(
    size: int, blocking: bool, made_of_it: list[int], workshop: Workshop
) -> None:
    seen: list[int] = []
    ran = workshop.run_all(declared(lambda _context: output(size), checks=(small(10, blocking),)), after(seen))
    assert seen == made_of_it
    assert ran.success == bool(made_of_it)
    assert [event for event in workshop.heard if isinstance(event, Blocked)] == (
        [] if made_of_it else [Blocked(NAME, "small", "largest 50")]
    )
    assert workshop.trail()[-1][0] == "succeeded"


def test_a_training_that_fails_is_judged_by_the_one_before(workshop: Workshop) -> None:
    check, seen = small(10, blocking=True), list[int]()
    workshop.run_all(declared(lambda _context: output(5), checks=(check,), tolerates_failure=True))
    ran = workshop.run_all(declared(failing(ValueError("no")), checks=(check,), tolerates_failure=True), after(seen))
    assert {name: found.passed for name, found in checks(ran).items()} == {"up_to_date": True, LAST_EXECUTION.name: False, "small": True}
    assert seen == [1]


def test_a_run_of_assets_cannot_be_dry(workshop: Workshop) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="dry_run"):
        workshop.run_all(declared(lambda _context: output(99), cadence="training"), dry_run=True)
    assert (workshop.stores.count(BACKUPS), workshop.trail()) == (0, [])


def test_a_body_is_given_what_the_run_chose(workshop: Workshop) -> None:
    nights: list[StageContext] = []

    def body(context: StageContext) -> StageOutput:
        nights.append(context)
        return output()

    workshop.run(body)
    workshop.run(body, sessions=70, folds=2, trials=4)
    plain, chosen = nights
    assert (plain.options.choose_training, chosen.options.choose_training) == (False, True)
    told = chosen.settings
    assert (told.datasets.sessions, told.datasets.folds, told.models.tuning_trials) == (70, 2, 4)
    assert (plain.settings.datasets.sessions, plain.settings.models.tuning_trials) == (None, 1)
