"""Retraining jobs as users meet them: waited for, in the background, from the web UI; refused, failed, killed."""

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from filelock import FileLock

from stock_pipeline.command_line.errors import FAILED, WRONG_INPUT
from stock_pipeline.command_line.retraining import REGISTRY, Training, retrain_within_dagster
from stock_pipeline.core.columns import MODEL
from stock_pipeline.definitions import STAGE_ASSETS, WHOLE_JOURNEY, build_definitions
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.in_process import runner
from stock_pipeline.orchestration.progress import Ended, Event, Noted, Stopped
from stock_pipeline.orchestration.retraining_job import STARTED_BY, retraining_job, retraining_request
from stock_pipeline.registry.jobs import LOCK, log_of
from stock_pipeline.registry.retraining import DIED
from stock_pipeline.registry.tables import MODEL_VERSIONS, RETRAINING_JOBS
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.dagster_services import until
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.own_files import QUICK, OwnFiles
from stock_pipeline_tests.harness.plain_settings import plain_settings

SESSION = date(2024, 5, 3)
SECONDS_TO_BEGIN = 120  # for a machine that is busy with other things
REGISTERED = "/".join(REGISTRY[0])


@dataclass
class StandIn:
    """In place of a run: what the assets do is said beforehand."""

    failing: dict[str, str] = field(default_factory=dict)
    barred: str | None = None
    broken: BaseException | None = None
    asked: list[tuple[dict[str, Any], list[str]]] = field(default_factory=list)

    def __call__(self, _settings: object, scope: dict[str, Any], listener: Any, keys: list[tuple[str, str]]) -> bool:
        assets = ["/".join(key) for key in keys]
        self.asked.append((scope, assets))
        for event in self._events([name for name in assets if self.barred is None or name != REGISTERED]):
            listener(event)
        if self.broken is not None:
            raise self.broken
        return self.barred is None

    def _events(self, assets: list[str]) -> Iterator[Event]:
        for name in assets[:1] if self.broken is not None else assets:
            yield Noted(name, f"{name} has begun")
            yield Ended(name, 1, 0.5, error=self.failing.get(name))
        if self.barred is not None:
            yield Stopped(self.barred, "no_leak", "rank_ic 0.9")


@dataclass
class Desk:
    """The command line on stores in which ingestion has reached a session, with a stand-in for the run."""

    home: Path
    monkeypatch: pytest.MonkeyPatch

    def retrain(self, *arguments: str, run: StandIn | None = None) -> tuple[int, str]:
        """Exit code and all that was told, by ``retrain --wait``."""
        stand_in = run or StandIn()
        with self.monkeypatch.context() as patched:
            patched.setattr("stock_pipeline.orchestration.in_process.runner", lambda *_given: stand_in)
            return self.told("retrain", "--wait", *arguments)

    def told(self, *arguments: str) -> tuple[int, str]:
        """Exit code and all that was told by a command."""
        ended = invoke(self.home, *arguments, **QUICK)
        assert "Traceback" not in ended.output
        return ended.exit_code, " ".join(ended.output.split())

    def job(self, number: int) -> dict[str, Any]:
        """What ``jobs show`` tells of a job."""
        ended = invoke(self.home, "jobs", "show", str(number), "--json")
        assert ended.exit_code == 0, ended.output
        row: dict[str, Any] = json.loads(ended.output)
        return row

    def numbers(self, *arguments: str) -> list[int]:
        """The jobs that ``jobs list`` lists."""
        ended = invoke(self.home, "jobs", "list", "--json", *arguments)
        assert ended.exit_code == 0, ended.output
        return [row["job"] for row in json.loads(ended.output)["jobs"]]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(ingested(tmp_path / "data", SESSION).home, monkeypatch)


def test_what_was_asked_for_is_run_and_stands_in_the_row(desk: Desk) -> None:
    run = StandIn(failing={"models/mlp": "no memory", "registry/mlflow_mirror": "no MLflow"})
    code, told = desk.retrain("--models", "mlp,lightgbm", "--days", "90", "--reason", "schedule", run=run)
    assert code == FAILED
    assert "models/mlp failed: no memory" in told and "failed: mlp: no memory" in told and "Scores out of fold" in told
    ((scope, assets),) = run.asked
    assert scope == {"full_refresh": True, "dry_run": False, "sessions": 90}
    assert assets == ["models/lightgbm", "models/mlp", "models/stack", *("/".join(key) for key in REGISTRY)]
    row = desk.job(1)
    assert (row["state"], row["reason"], row["sessions"], row["error"]) == ("COMPLETED", "schedule", 90, None)
    assert (row["models"], row["succeeded"], row["failed"]) == (["lightgbm", "mlp"], ["lightgbm", "stack"], {"mlp": "no memory"})
    assert row["requested_at"] <= row["started_at"] <= row["finished_at"]


def test_a_dry_run_leaves_its_row_and_what_was_scored_on_the_screen(desk: Desk) -> None:
    run = StandIn()
    code, told = desk.retrain("--models", "mlp", "--dry-run", run=run)
    assert code == 0 and "Dry run, nothing was written" in told and "models/mlp has begun" in told
    assert run.asked == [({"full_refresh": True, "dry_run": True}, ["models/mlp"])]
    row = desk.job(1)
    assert (row["state"], row["dry_run"], row["succeeded"]) == ("COMPLETED", True, ["mlp"])


@pytest.mark.parametrize(
    ("run", "succeeded", "failed", "error"),
    [
        (StandIn(failing={"models/mlp": "no memory"}), ["stack"], {"mlp": "no memory"}, "no model could be trained"),
        (StandIn(failing={REGISTERED: "no disk"}), ["mlp", "stack"], {}, f"{REGISTERED} failed: no disk"),
        (
            StandIn(barred="models/mlp"),
            ["stack"],
            {"mlp": "check no_leak failed: rank_ic 0.9"},
            "nothing was registered: check no_leak of models/mlp failed, rank_ic 0.9",
        ),
    ],
    ids=["no-model", "registry", "leak"],
)
def test_a_job_of_which_nothing_came_has_failed(run: StandIn, succeeded: list[str], failed: dict[str, str], error: str, desk: Desk) -> None:
    assert desk.retrain("--models", "mlp", run=run)[0] == FAILED
    row = desk.job(1)
    assert (row["state"], row["succeeded"], row["failed"], row["error"]) == ("FAILED", succeeded, failed, error)


@pytest.mark.parametrize(
    ("broken", "error"), [(OSError("the disk is full"), "the disk is full"), (KeyboardInterrupt(), "KeyboardInterrupt")]
)
def test_a_run_that_breaks_off_closes_its_job_with_what_was_trained_until_then(broken: BaseException, error: str, desk: Desk) -> None:
    assert desk.retrain("--models", "mlp,lightgbm", run=StandIn(broken=broken))[0] != 0
    row = desk.job(1)
    assert row["state"] == "FAILED" and error in row["error"]
    assert row["succeeded"] == ["lightgbm"] and row["failed"]["mlp"] == "the run ended before it was trained"
    assert desk.retrain("--models", "mlp")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--models", "oracle"), "Error: model 'oracle' is not known; choose one of spline_ridge"),
        (("--models", " , "), "Error: --models is empty; name at least one model or leave it out"),
        (("--days", "0"), "Invalid value for '--days': 0 is not in the range x>=1"),
        (("--reason", "boredom"), "Error: reason 'boredom' is not known; choose one of schedule, drift, missing, manual"),
        (("--job", "1"), "Error: there is no retraining job 1; see `stock-pipeline jobs list`"),
    ],
)
@pytest.mark.parametrize("wait", [("--wait",), ()], ids=["wait", "background"])
def test_wrong_input_is_refused_before_there_is_a_job(wait: tuple[str, ...], arguments: tuple[str, ...], told: str, desk: Desk) -> None:
    code, output = desk.told("retrain", *wait, *arguments)
    assert code == WRONG_INPUT and told in output
    assert desk.numbers() == [] and not log_of(desk.home, 1).exists()


def test_before_anything_was_ingested_there_is_no_job_and_no_store(tmp_path: Path) -> None:
    ended = invoke(tmp_path / "data", "retrain")
    assert (ended.exit_code, ended.output.count("\n")) == (WRONG_INPUT, 1)
    assert "there are no bars in" in ended.output and not (tmp_path / "data").exists()
    listed = invoke(tmp_path / "data", "jobs", "list", "--json")
    assert listed.exit_code == 0 and json.loads(listed.output)["jobs"] == []
    assert not (tmp_path / "data").exists()


def test_where_a_run_is_at_work_no_job_is_opened(desk: Desk) -> None:
    with FileLock(desk.home / ".run.lock"):
        code, told = desk.retrain()
    assert code == WRONG_INPUT and "another `stock-pipeline run` is at work" in told
    assert desk.numbers() == []


def test_jobs_are_listed_shown_and_deleted(desk: Desk) -> None:
    for reason in ("manual", "drift", "manual"):
        assert desk.retrain("--models", "mlp", "--reason", reason)[0] == 0
    assert desk.numbers() == [3, 2, 1]
    assert desk.numbers("--reason", "manual", "--page", "2", "--per-page", "1", "--state", "completed") == [1]
    code, told = desk.told("jobs", "list", "--per-page", "2")
    assert code == 0 and "Retraining jobs, 3 in all, page 1 of 2" in told
    assert desk.told("jobs", "delete", "2") == (0, "Retraining job 2 was deleted.")
    assert desk.numbers() == [3, 1]
    code, told = desk.told("jobs", "show", "3")
    assert code == 0 and "state: COMPLETED" in told and "succeeded: mlp, stack" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("list", "--state", "DONE"), "Error: state 'DONE' is not known; choose one of PENDING, RUNNING, COMPLETED, FAILED"),
        (("list", "--reason", "boredom"), "Error: reason 'boredom' is not known; choose one of schedule, drift, missing, manual"),
        (("list", "--page", "2"), "Error: there is no page 2; the last is 1"),
        (("show", "7"), "Error: there is no retraining job 7; see `stock-pipeline jobs list`"),
        (("delete", "7"), "Error: there is no retraining job 7; see `stock-pipeline jobs list`"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(arguments: tuple[str, ...], told: str, desk: Desk) -> None:
    assert desk.told("jobs", *arguments) == (WRONG_INPUT, told)


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
            if command[-4:-1] == [b"retrain", b"--job", str(number).encode()]:
                found.append(int(folder.name))
    return found


def test_a_job_in_the_background_refuses_another_until_it_is_killed_and_then_tells_of_it(desk: Desk) -> None:
    number = 1
    with waiting_for_dagster(desk.home):
        code, told = desk.told("retrain", "--models", "mlp")
        assert code == 0 and f"Retraining job {number} has been started; its log is {log_of(desk.home, number)}." in told
        assert "`stock-pipeline jobs show 1`" in told
        assert desk.job(number)["state"] in ("PENDING", "RUNNING")
        code, refused = desk.told("retrain", "--models", "lightgbm")
        assert code == WRONG_INPUT and refused.startswith("Error: retraining job 1 (manual) has been")
        until(lambda: desk.job(number)["state"] == "RUNNING", SECONDS_TO_BEGIN, f"the job to begin, see {log_of(desk.home, number)}")
        before = desk.job(number)
        for arguments in (("retrain", "--wait"), ("retrain",), ("jobs", "delete", "1")):
            code, refused = desk.told(*arguments)
            assert code == WRONG_INPUT and refused.startswith("Error: retraining job 1 (manual) has been at work since 20")
        assert (desk.numbers(), desk.job(number)) == ([number], before)
        (process,) = [found for found in processes_of(number) if f"={desk.home}\0" in Path(f"/proc/{found}/environ").read_text()]
        assert os.getsid(process) == process  # it outlives the terminal that it was started from
        os.kill(process, signal.SIGKILL)
        until(lambda: _is_free(desk.home / LOCK), SECONDS_TO_BEGIN, "the lock of the process that was killed")
    code, _ = desk.retrain("--models", "mlp")
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
    before = [key for asset in STAGE_ASSETS for key in asset.keys if key[0] in ("market_data", "features", "labels", "datasets")]
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("DAGSTER_HOME", raising=False)
        assert runner(build_definitions, WHOLE_JOURNEY)(settings, {}, lambda _event: None, before)
    return found


def test_the_op_trains_within_its_instance_and_names_the_run(files: OwnFiles) -> None:
    settings = plain_settings(files.home, registry={"mirror_to_mlflow": False}, models={"threads": 1})
    job = retraining_job(settings, build_definitions, WHOLE_JOURNEY, retrain_within_dagster)
    config = {"models": ["spline_ridge"], "days": 95, "reason": "drift"}
    with dg.DagsterInstance.ephemeral() as instance:
        ended = job.execute_in_process(run_config={"ops": {"retrain_models": {"config": config}}}, instance=instance)
        assert ended.success
        (own,) = [run for run in instance.get_runs() if run.job_name == WHOLE_JOURNEY]
        assert (own.status, own.tags[STARTED_BY]) == (dg.DagsterRunStatus.SUCCESS, ended.run_id)
        assert instance.get_latest_materialization_event(dg.AssetKey(["models", "spline_ridge"])) is not None
        said = [entry.user_message for entry in instance.all_logs(ended.run_id)]
    assert f"what the retraining makes is recorded in run {own.run_id}" in said
    (row,) = files.stores.read(RETRAINING_JOBS).iter_rows(named=True)
    assert (row["state"], row["reason"], row["succeeded"]) == ("COMPLETED", "drift", '["spline_ridge", "stack"]')
    trained = files.stores.read(TRAININGS)
    assert trained.filter(pl.col(MODEL) == "spline_ridge")["sessions"].to_list() == [95]
    assert files.stores.read(MODEL_VERSIONS)[MODEL].to_list() == ["spline_ridge", "stack"]


def test_the_stack_can_be_trained_alone_and_only_json_is_printed(files: OwnFiles) -> None:
    trained = files.stores.read(TRAININGS).filter(pl.col(MODEL) == "spline_ridge")
    ended = invoke(files.home, "retrain", "--models", "stack", "--wait", "--json", **QUICK)
    assert ended.exit_code == 0, ended.output
    row = json.loads(ended.output)
    assert (row["state"], row["models"], row["succeeded"], row["failed"]) == ("COMPLETED", ["stack"], ["stack"], {})
    assert files.stores.read(TRAININGS).filter(pl.col(MODEL) == "spline_ridge").equals(trained)


@pytest.mark.parametrize(("config", "told"), [({"models": ["oracle"]}, "model 'oracle' is not known"), ({"days": 0}, "asked for 0 days")])
def test_the_op_refuses_wrong_input_and_opens_no_job(config: dict[str, Any], told: str, desk: Desk) -> None:
    job = retraining_job(plain_settings(desk.home), build_definitions, WHOLE_JOURNEY, retrain_within_dagster)
    with pytest.raises(dg.Failure, match=told):
        job.execute_in_process(run_config={"ops": {"retrain_models": {"config": config}}})
    assert desk.numbers() == []


def test_a_job_that_failed_fails_its_op(desk: Desk) -> None:
    def carry_out(*given: Any) -> dict[str, Any]:
        settings, _run, *asked = given
        return retrain_within_dagster(settings, StandIn(failing={"models/mlp": "no memory"}), *asked)

    job = retraining_job(plain_settings(desk.home), build_definitions, WHOLE_JOURNEY, carry_out)  # type: ignore[arg-type]
    with pytest.raises(dg.Failure, match="retraining job 1 failed: no model could be trained"):
        job.execute_in_process(run_config=retraining_request(["mlp"], "manual", "a-key").run_config)
    assert desk.job(1)["failed"] == {"mlp": "no memory"}


def test_with_every_training_the_whole_registry_is_brought_up_to_date() -> None:
    assert tuple(key for asset in STAGE_ASSETS for key in asset.keys[:1] if key[0] == "registry") == REGISTRY


def test_without_names_the_models_of_the_settings_are_trained_and_the_stack_weighs_more(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path, models={"names": ["lightgbm", "mlp"]})
    assert Training(settings, None, {}, False).models == ("lightgbm", "mlp")
    other = Training(settings, ["stack", "risk"], {}, True)
    assert (other.models, other.settings.models.names) == (("risk", "stack"), ("lightgbm", "mlp", "risk"))
    assert other.keys == [("models", "risk"), ("models", "stack")]
