"""Training jobs as users meet them: waited for, in the background, from the web UI; refused, failed, killed."""

import fcntl
import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from filelock import FileLock

from stock_pipeline.command_line.errors import FAILED, WRONG_INPUT
from stock_pipeline.core.columns import MODEL
from stock_pipeline.core.layout import Layout
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.execution import Run, StageResult, execute_stages
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.orchestration.training_request import OP, training_request
from stock_pipeline.registry.jobs import training_job
from stock_pipeline.registry.tables import MODEL_VERSIONS, TRAINING_JOBS
from stock_pipeline.registry.training_jobs import DIED
from stock_pipeline.storage import open_stores
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.dagster_services import until
from stock_pipeline_tests.harness.default_stages import STAGES
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.own_files import QUICK, OwnFiles
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.training_desk import MIRRORED, REGISTERED, STACKED, Desk, StandIns

SESSION = date(2024, 5, 3)
NOT_REACHED = "the run ended before it was trained"
SECONDS_TO_BEGIN = 120  # for a machine that is busy with other things


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(ingested(tmp_path / "data", SESSION).home, monkeypatch)


def test_what_was_asked_for_is_executed_and_stands_in_the_row(desk: Desk) -> None:
    stages = StandIns(failing={"models/mlp": "no memory", MIRRORED: "no MLflow"})
    asked = ("--models", "mlp,lightgbm", "--sessions", "90", "--folds", "2", "--trials", "3", "--reason", "schedule")
    code, told = desk.train(*asked, stages=stages)
    assert code == FAILED
    assert "models/mlp failed: no memory" in told and "failed: mlp: no memory" in told and "Out-of-fold metrics" in told
    assert [name for name, _ in stages.executed] == ["models/lightgbm", "models/mlp", REGISTERED, STACKED, MIRRORED]
    assert {options for _, options in stages.executed} == {RunOptions(full_refresh=True, keeps_folds=True, sessions=90, folds=2, trials=3)}
    row = desk.job(1)
    assert (row["state"], row["reason"], row["error"]) == ("COMPLETED", "schedule", None)
    assert (row["sessions"], row["folds"], row["trials"]) == (90, 2, 3)
    assert (row["models"], row["succeeded"], row["failed"]) == (["lightgbm", "mlp"], ["lightgbm", "stack"], {"mlp": "no memory"})
    assert row["requested_at"] <= row["started_at"] <= row["finished_at"]


def test_a_dry_run_leaves_its_row_and_what_was_scored_on_the_screen(desk: Desk) -> None:
    stages = StandIns()
    code, told = desk.train("--models", "mlp", "--dry-run", stages=stages)
    assert code == 0 and "Dry run, nothing was written" in told and "models/mlp has begun" in told
    assert stages.executed == [("models/mlp", RunOptions(full_refresh=True, keeps_folds=True, dry_run=True))]
    row = desk.job(1)
    assert (row["state"], row["dry_run"], row["succeeded"]) == ("COMPLETED", True, ["mlp"])


@pytest.mark.parametrize(
    ("stages", "succeeded", "failed", "error"),
    [
        (StandIns(failing={"models/mlp": "no memory"}), [], {"mlp": "no memory"}, "no model could be trained"),
        (StandIns(failing={REGISTERED: "no disk"}), ["mlp"], {"stack": NOT_REACHED}, f"{REGISTERED} failed: no disk"),
        (
            StandIns(leaking="models/mlp"),
            [],
            {"mlp": "check plausible_ic failed: rank_ic 0.9", "stack": NOT_REACHED},
            "nothing was registered: models/mlp: check plausible_ic failed: rank_ic 0.9",
        ),
    ],
    ids=["no-model", "registry", "leak"],
)
def test_a_job_of_which_nothing_came_has_failed(
    stages: StandIns, succeeded: list[str], failed: dict[str, str], error: str, desk: Desk
) -> None:
    assert desk.train("--models", "mlp", stages=stages)[0] == FAILED
    row = desk.job(1)
    assert (row["state"], row["succeeded"], row["failed"], row["error"]) == ("FAILED", succeeded, failed, error)


def test_a_job_that_is_interrupted_is_closed_with_what_was_trained_until_then(desk: Desk) -> None:
    assert desk.train("--models", "mlp,lightgbm", stages=StandIns(stopped_at="models/mlp"))[0] != 0
    row = desk.job(1)
    assert (row["state"], row["error"]) == ("FAILED", "KeyboardInterrupt")
    assert row["succeeded"] == ["lightgbm"] and row["failed"]["mlp"] == "the run ended before it was trained"
    assert desk.train("--models", "mlp")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--models", "oracle"), ("model 'oracle'", "spline_ridge")),
        (("--models", " , "), ("--models is empty", "leave it out")),
        (("--sessions", "0"), ("--sessions '0'", "from 1 to")),
        (("--trials", "99999999999999999999"), ("--trials '99999999999999999999'", "from 1 to")),
        (("--reason", "boredom"), ("reason 'boredom'", "schedule, drift, missing, manual")),
        (("--job", "1"), ("no training job 1", "`stock-pipeline training-jobs list`")),
    ],
)
@pytest.mark.parametrize("background", [("--background",), ()], ids=["background", "at-once"])
def test_wrong_input_is_refused_before_there_is_a_job(
    background: tuple[str, ...], arguments: tuple[str, ...], told: tuple[str, ...], desk: Desk
) -> None:
    code, output = desk.told("train", *background, *arguments)
    assert code == WRONG_INPUT and all(part in output for part in told)
    assert desk.numbers() == [] and not (desk.home / "logs").exists()


def test_before_anything_was_ingested_there_is_no_job_and_no_store(tmp_path: Path) -> None:
    for background in ((), ("--background",)):
        ended = invoke(tmp_path / "data", "train", *background)
        assert (ended.exit_code, ended.output.count("\n")) == (WRONG_INPUT, 1)
        assert "there are no bars in" in ended.output and not (tmp_path / "data").exists()
    listed = invoke(tmp_path / "data", "training-jobs", "list", "--json")
    assert listed.exit_code == 0 and json.loads(listed.output)["jobs"] == []
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("background", [("--background",), ()], ids=["background", "at-once"])
def test_where_a_run_is_at_work_no_job_is_opened(background: tuple[str, ...], desk: Desk) -> None:
    with FileLock(desk.home / ".run.lock"):
        code, told = desk.train(*background)
    assert code == WRONG_INPUT and "another `stock-pipeline run` or training is at work" in told
    assert desk.numbers() == []


def test_jobs_are_listed_shown_and_deleted(desk: Desk) -> None:
    for reason in ("manual", "drift", "manual"):
        assert desk.train("--models", "mlp", "--reason", reason)[0] == 0
    assert desk.numbers() == [3, 2, 1]
    assert desk.numbers("--reason", "manual", "--page", "2", "--per-page", "1", "--state", "completed") == [1]
    code, told = desk.told("training-jobs", "list", "--per-page", "2")
    assert code == 0 and "Training jobs, 3 in all, page 1 of 2" in told
    assert desk.told("training-jobs", "delete", "2") == (0, "Training job 2 was deleted.")
    assert desk.numbers() == [3, 1]
    assert desk.told("training-jobs", "delete", "3")[0] == 0
    assert desk.train("--models", "mlp")[0] == 0
    assert desk.numbers() == [4, 1]
    code, told = desk.told("training-jobs", "show", "4")
    assert code == 0 and "state: COMPLETED" in told and "succeeded: mlp, stack" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("list", "--state", "DONE"), "Error: state 'DONE' is not known; choose one of PENDING, RUNNING, COMPLETED, FAILED"),
        (("list", "--reason", "boredom"), "Error: reason 'boredom' is not known; choose one of schedule, drift, missing, manual"),
        (("list", "--page", "2"), "Error: there is no page 2; the last is 1"),
        (("show", "7"), "Error: there is no training job 7; see `stock-pipeline training-jobs list`"),
        (("delete", "7"), "Error: there is no training job 7; see `stock-pipeline training-jobs list`"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(arguments: tuple[str, ...], told: str, desk: Desk) -> None:
    assert desk.told("training-jobs", *arguments) == (WRONG_INPUT, told)


@contextmanager
def waiting_for_dagster(home: Path) -> Iterator[None]:
    """Within it, whoever carries a job out stands still once it has begun: before its first run."""
    (home / "dagster").mkdir(exist_ok=True)
    with FileLock(home / "dagster" / ".lock"):
        yield


def processes_of(number: int) -> list[int]:
    """The processes of the machine that carry out a job of that number below the folder of the tests."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if command[-4:-1] == [b"train", b"--job", str(number).encode()]:
                found.append(int(folder.name))
    return found


def test_a_job_in_the_background_refuses_another_until_it_is_killed_and_then_tells_of_it(desk: Desk) -> None:
    number = 1
    with waiting_for_dagster(desk.home):
        code, told = desk.told("train", "--background", "--models", "mlp")
        (log,) = (desk.home / "logs").iterdir()
        assert log == Layout(desk.home).job_log(number, open_stores(desk.home).read(TRAINING_JOBS)["requested_at"][0])
        assert code == 0 and f"Training job {number} has been started; its log is {log}." in told
        assert "`stock-pipeline training-jobs show 1`" in told
        assert desk.job(number)["state"] in ("PENDING", "RUNNING")
        code, refused = desk.told("train", "--models", "lightgbm")
        assert code == WRONG_INPUT and refused.startswith("Error: training job 1 (manual) has been")
        until(lambda: desk.job(number)["state"] == "RUNNING", SECONDS_TO_BEGIN, f"the job to begin, see {log}")
        before = desk.job(number)
        for arguments in (("train",), ("train", "--background"), ("training-jobs", "delete", "1")):
            code, refused = desk.told(*arguments)
            assert code == WRONG_INPUT and refused.startswith("Error: training job 1 (manual) has been at work since 20")
        assert (desk.numbers(), desk.job(number)) == ([number], before)
        (process,) = [found for found in processes_of(number) if f"={desk.home}\0" in Path(f"/proc/{found}/environ").read_text()]
        assert os.getsid(process) == process  # it outlives the terminal that it was started from
        os.kill(process, signal.SIGKILL)
        until(lambda: _is_free(Layout(desk.home).training_lock), SECONDS_TO_BEGIN, "the lock of the process that was killed")
    code, _ = desk.train("--models", "mlp")
    assert code == 0 and desk.job(2)["state"] == "COMPLETED"
    row = desk.job(number)
    assert (row["state"], row["error"]) == ("FAILED", DIED) and row["finished_at"] is not None


def _is_free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> OwnFiles:
    """A home with all that models learn from, and no model."""
    found = OwnFiles(tmp_path_factory.mktemp("retrained"))
    found.make()
    settings = plain_settings(found.home, source={"name": "files", "path": str(found.folder / "bars.csv")}, models={"threads": 1})
    before = [stage for stage in STAGES if stage.keys[0][0] in ("market_data", "universe", "features", "labels", "datasets")]
    results = list(execute_stages(before, Run(found.stores, settings)))
    assert len(results) == len(before) and all(isinstance(result, StageResult) for result in results)
    return found


def test_the_op_trains_and_its_run_shows_what_was_made(files: OwnFiles) -> None:
    settings = plain_settings(files.home, registry={"mirror_to_mlflow": False}, models={"threads": 1})
    config = {"models": ["spline_ridge"], "sessions": 95, "reason": "drift"}
    with dg.DagsterInstance.ephemeral() as instance:
        job = training_job(settings, STAGES)
        ended = job.execute_in_process(run_config={"ops": {OP: {"config": config}}}, instance=instance)
        assert ended.success
        event = instance.get_latest_materialization_event(dg.AssetKey(["models", "spline_ridge"]))
        assert event is not None and event.run_id == ended.run_id
        (check,) = [
            found.event_specific_data
            for found in ended.all_events
            if found.event_type_value == "ASSET_CHECK_EVALUATION"
            and found.event_specific_data.check_name == "plausible_ic"  # type: ignore[union-attr]
            and found.event_specific_data.asset_key.path[-1] == "spline_ridge"  # type: ignore[union-attr]
        ]
        assert check.passed and check.blocking  # type: ignore[union-attr]
    (row,) = files.stores.read(TRAINING_JOBS).iter_rows(named=True)
    assert (row["state"], row["reason"], row["succeeded"]) == ("COMPLETED", "drift", '["spline_ridge", "stack"]')
    trained = files.stores.read(TRAININGS)
    assert trained.filter(pl.col(MODEL) == "spline_ridge")["sessions"].to_list() == [95]
    assert files.stores.read(MODEL_VERSIONS)[MODEL].to_list() == ["spline_ridge", "stack"]


def test_a_job_for_the_stack_alone_leaves_it_as_it_is_where_it_follows_and_only_json_is_printed(files: OwnFiles) -> None:
    trained = files.stores.read(TRAININGS).filter(pl.col(MODEL) == "spline_ridge")
    ended = invoke(files.home, "train", "--models", "stack", "--json", **QUICK)
    assert ended.exit_code == 0, ended.output
    row = json.loads(ended.output)
    assert (row["state"], row["models"], row["succeeded"], row["failed"]) == ("COMPLETED", ["stack"], [], {})
    assert files.stores.read(TRAININGS).filter(pl.col(MODEL) == "spline_ridge").equals(trained)


def op_of(desk: Desk, stages: Sequence[Stage], config: dict[str, Any]) -> dg.ExecuteInProcessResult:
    return training_job(plain_settings(desk.home), stages).execute_in_process(run_config={"ops": {OP: {"config": config}}})


@pytest.mark.parametrize(
    ("config", "error", "told"),
    [
        ({"models": ["oracle"]}, dg.DagsterInvalidConfigError, "enum type Model got oracle"),
        ({"sessions": 0}, dg.Failure, "asked for sessions 0"),
    ],
)
def test_the_op_refuses_wrong_input_and_opens_no_job(config: dict[str, Any], error: type[Exception], told: str, desk: Desk) -> None:
    with pytest.raises(error, match=told):
        op_of(desk, StandIns().stages(), config)
    assert desk.numbers() == []


def test_a_job_that_failed_fails_its_op(desk: Desk) -> None:
    stages = StandIns(failing={"models/mlp": "no memory"}).stages()
    config = training_request(["mlp"], "manual", "a-key").run_config["ops"][OP]["config"]
    with pytest.raises(dg.Failure, match="training job 1 failed: no model could be trained"):
        op_of(desk, stages, config)
    assert desk.job(1)["failed"] == {"mlp": "no memory"}
