"""One execution of an asset: what it leaves in its table, in the audit trail, in Dagster and with whoever watches."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from stock_pipeline.core.errors import InputError, RefusedWriteError
from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.asset_factory import build_asset, code_version
from stock_pipeline.orchestration.automation import INGESTION_JOB
from stock_pipeline.orchestration.context import CheckOutcome, StageContext, StageOutput
from stock_pipeline.orchestration.progress import Finished, Progressed, Started
from stock_pipeline.orchestration.reporting import UP_TO_DATE
from stock_pipeline.orchestration.resources import resources
from stock_pipeline.orchestration.stage import CheckSpec, Stage, StageCheck, key_of
from stock_pipeline.storage import Stores, upsert
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.asset_harness import DAYS, NAME, Workshop, declared, output
from stock_pipeline_tests.harness.plain_settings import plain_settings


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Workshop(tmp_path, ingested(tmp_path, DAYS[3]), instance)


def test_rows_audit_and_watermark_are_written_and_the_result_is_shown(workshop: Workshop) -> None:
    def body(context: StageContext) -> StageOutput:
        context.report_progress("half way")
        return output()

    ran = workshop.run(body)
    assert ran.success
    assert workshop.stores.read(BACKUPS)["size_bytes"].to_list() == [5]
    assert workshop.trail() == [("succeeded", 1, None)]
    held = workshop.stores.watermark("ml", NAME)
    assert held is not None
    assert held.session == DAYS[3]
    (shown,) = [event.metadata for event in ran.asset_materializations_for_node("maintenance__backups")]
    assert shown["dagster/row_count"].value == 1
    assert (shown["result"].value, shown["watermark"].value, shown["size"].value) == ("brought up to date", str(DAYS[3]), 5)
    assert "curve" in shown
    (check,) = ran.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == (UP_TO_DATE.name, True)
    began, noted, ended = workshop.heard
    assert (began, noted) == (Started(NAME), Progressed(NAME, "half way"))
    assert isinstance(ended, Finished)
    assert (ended.rows, ended.up_to_date, ended.error) == (1, False, None)


def test_a_body_with_nothing_to_do_is_up_to_date_and_shows_no_picture_again(workshop: Workshop) -> None:
    workshop.run(lambda _context: output())
    ran = workshop.run(lambda _context: None)
    assert workshop.trail()[-1] == ("up_to_date", 0, None)
    (shown,) = [event.metadata for event in ran.asset_materializations_for_node("maintenance__backups")]
    assert (shown["result"].value, shown["dagster/row_count"].value) == ("up to date", 1)
    assert not {"curve", "size"} & set(shown)
    assert ran.get_asset_check_evaluations()[0].passed


def test_rows_that_are_there_already_leave_the_asset_up_to_date(workshop: Workshop) -> None:
    workshop.run(lambda _context: output())
    assert workshop.run(lambda _context: output()).success
    assert workshop.trail()[-1] == ("up_to_date", 0, None)


def test_a_failure_is_recorded_with_its_sentence_and_nothing_of_it_is_written(workshop: Workshop) -> None:
    def body(_context: StageContext) -> StageOutput:
        raise ValueError("the disk\n  is full")

    assert not workshop.run(body).success
    assert workshop.trail() == [("failed", 0, "the disk is full")]
    assert workshop.stores.count(BACKUPS) == 0
    assert workshop.stores.watermark("ml", NAME) is None
    ended = workshop.heard[-1]
    assert isinstance(ended, Finished)
    assert ended.error == "the disk is full"


def test_an_error_without_words_is_recorded_by_its_name(workshop: Workshop) -> None:
    def body(_context: StageContext) -> StageOutput:
        raise KeyError

    workshop.run(body)
    assert workshop.trail() == [("failed", 0, "KeyError")]


def test_wrong_input_fails_at_once_however_many_retries_there_are(workshop: Workshop) -> None:
    calls = []

    def body(_context: StageContext) -> StageOutput:
        calls.append(1)
        raise InputError("file bars.csv has no column close")

    ran = workshop.run(body, retries=3)
    assert not ran.success
    assert len(calls) == 1
    assert workshop.trail() == [("failed", 0, "file bars.csv has no column close")]
    (failure,) = ran.filter_events(lambda event: event.is_step_failure)
    assert failure.step_failure_data.user_failure_data is not None
    assert failure.step_failure_data.user_failure_data.description == "file bars.csv has no column close"
    ended = workshop.heard[-1]
    assert isinstance(ended, Finished)


def test_another_failure_is_tried_again(workshop: Workshop) -> None:
    stage = declared(lambda _context: None)
    policy = build_asset(stage, [stage], workshop.settings_with(retries=4)).op.retry_policy
    assert policy is not None
    assert policy.max_retries == 4


def test_a_payload_that_its_table_refuses_leaves_nothing(workshop: Workshop) -> None:
    workshop.run(lambda _context: output())
    empty = replace(output(), writes=(upsert(BACKUPS, BACKUPS.empty()),))
    assert not workshop.run(lambda _context: empty).success
    assert workshop.trail()[-1][0] == "failed"
    assert "has no rows" in str(workshop.trail()[-1][2])
    assert workshop.stores.count(BACKUPS) == 1


def test_a_table_behind_the_night_does_not_pass_its_check(workshop: Workshop) -> None:
    ran = workshop.run(lambda _context: output(watermark=DAYS[2]))
    assert ran.success
    (check,) = ran.get_asset_check_evaluations()
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert (check.metadata["reached"].value, check.metadata["as_of"].value) == (str(DAYS[2]), str(DAYS[3]))


def test_the_body_learns_what_the_run_was_asked_for_and_how_far_it_has_come(workshop: Workshop) -> None:
    nights: list[StageContext] = []

    def body(context: StageContext) -> StageOutput:
        nights.append(context)
        return output(watermark=DAYS[2])

    workshop.run(body, as_of=str(DAYS[2]), source="files", path="a.csv")
    workshop.run(body, full_refresh=True)
    first, second = nights
    assert (first.as_of, first.watermark, first.market_watermark, first.options.source, first.options.path) == (
        DAYS[2],
        None,
        DAYS[3],
        "files",
        "a.csv",
    )
    assert not first.full_refresh
    assert (second.as_of, second.watermark, second.full_refresh) == (DAYS[3], DAYS[2], True)


def test_rows_of_another_version_of_the_code_are_made_again(workshop: Workshop) -> None:
    seen: list[bool] = []

    def body(context: StageContext) -> StageOutput:
        seen.append(context.full_refresh)
        return output()

    for version in ("1", "1", "2", "2"):
        workshop.run(body, code_version=version)
    assert seen == [False, False, True, False]


def test_a_session_that_is_no_date_is_wrong_input(workshop: Workshop) -> None:
    ran = workshop.run(lambda _context: output(), retries=2, as_of="tonight")
    (failure,) = ran.filter_events(lambda event: event.is_step_failure)
    assert "as-of 'tonight' is not a date" in str(failure.step_failure_data.error)


def test_the_version_that_dagster_compares_follows_the_settings_that_the_rows_depend_on(workshop: Workshop) -> None:
    stage = declared(lambda _context: None, code_version="3", settings=("backtest",))
    plain = workshop.settings_with()
    other, beyond = workshop.settings_with(backtest={"top_share": 0.2}), workshop.settings_with(drift={"window_sessions": 9})
    assert code_version(replace(stage, settings=()), other) == "3"
    assert code_version(stage, plain).startswith("3 ")
    assert code_version(stage, plain) == code_version(stage, beyond) != code_version(stage, other)
    assert build_asset(stage, [stage], other).code_versions_by_key[dg.AssetKey(stage.keys[0])] == code_version(stage, other)


def test_a_trail_that_cannot_be_written_hides_neither_success_nor_failure(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object) -> None:
        raise RefusedWriteError("no more room")

    def body(_context: StageContext) -> StageOutput:
        raise ValueError("the first error")

    monkeypatch.setattr(Stores, "record_executions", refuse)
    assert workshop.run(lambda _context: output()).success
    failed = workshop.run(body)
    (failure,) = failed.filter_events(lambda event: event.is_step_failure)
    assert "the first error" in str(failure.step_failure_data.error)


def test_several_keys_are_made_together(workshop: Workshop) -> None:
    together = Stage(
        keys=(key_of(BACKUPS), key_of(TRAININGS), ("maintenance", "no_table")),
        description="Made up.",
        tables=(BACKUPS, TRAININGS),
        reads=(),
        body=lambda _context: output(),
    )
    settings = plain_settings(workshop.home)
    ran = dg.materialize([build_asset(together, [together], settings)], resources=resources(settings), instance=workshop.instance)
    shown = {
        event.asset_key.to_user_string(): set(event.metadata)
        for event in ran.asset_materializations_for_node("maintenance__backups")
        if event.asset_key is not None
    }
    assert set(shown) == {NAME, "models/trainings", "maintenance/no_table"}
    assert "curve" in shown[NAME]
    assert "curve" not in shown["models/trainings"]
    assert "dagster/row_count" in shown["models/trainings"]
    assert "dagster/row_count" not in shown["maintenance/no_table"]
    assert len(ran.get_asset_check_evaluations()) == 3


def test_ingestion_without_news_materialises_nothing_in_its_own_job(workshop: Workshop) -> None:
    sound = StageCheck((CheckSpec("sound", ""),), lambda _context: {"sound": CheckOutcome(True)})
    stage, settings = declared(lambda _context: output(), cadence="ingestion", checks=(sound,)), workshop.settings_with()
    jobs = [dg.define_asset_job(name, selection=dg.AssetSelection.all()) for name in (INGESTION_JOB, "everything")]
    definitions = dg.Definitions([build_asset(stage, [stage], settings)], jobs=jobs, resources=dict(resources(settings)))
    found = []
    for name in (INGESTION_JOB, INGESTION_JOB, "everything"):
        ran = definitions.resolve_job_def(name).execute_in_process(instance=workshop.instance)
        node = stage.name.replace("/", "__")
        found.append((len(ran.asset_materializations_for_node(node)), [check.passed for check in ran.get_asset_check_evaluations()]))
    # In a run of more assets those downstream wait for it, so that there is one.
    assert found == [(1, [True, True]), (0, [True, True]), (1, [True, True])]
