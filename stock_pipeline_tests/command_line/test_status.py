"""``stock-pipeline status``: a verdict first, and the exit code with it."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.command_line.errors import FAILED, UNREAD
from stock_pipeline.registry.tables import MODEL_VERSIONS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.audit import Execution
from stock_pipeline.universe.checks import BLOCKING
from stock_pipeline_tests.factories.rows import MOMENT, everyone_in, ingested, put, version_row
from stock_pipeline_tests.harness.default_stages import STAGES
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.plain_settings import plain_environment
from stock_pipeline_tests.harness.training_desk import Desk, StandIns

DAY = date(2024, 5, 3)
ACTIVE = {"model": "mlp", "active_version": 1, "metrics": {}, "weight": None, "problem": None}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(ingested(tmp_path / "data", DAY).home, monkeypatch)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return ingested(tmp_path / "data", DAY)


def test_what_is_behind_is_told_first_with_the_data_directory(stores: Stores) -> None:
    ended = invoke(stores.home, "status")
    assert ended.exit_code == FAILED
    told, table = ended.output.split("Assets", 1)
    assert "Not all is well" in told and "labels/daily_labels: has never been made" in told
    assert str(stores.home) in " ".join(told.split()) and "market_data/daily_bars" in table
    verdict = json.loads(invoke(stores.home, "status", "--json").output)["verdict"]
    assert verdict["state"] == "wrong"
    assert {"of": "portfolio/suggested_stocks", "what": f"has never been made; the last session ingested is {DAY}"} in verdict["problems"]


def test_all_is_well_where_nothing_is_wrong(desk: Desk) -> None:
    with desk.monkeypatch.context() as patched:
        # one asset, and it has no table that could be behind; its training is a stand-in, so that it leaves no version
        patched.setattr("stock_pipeline.registry.overview.model_status", lambda _stores: [ACTIVE])
        patched.setattr("stock_pipeline.stages.all_stages", lambda settings: StandIns().stages(settings)[-1:])
        assert desk.train("--models", "mlp")[0] == 0
        ended = invoke(desk.home, "status")
        assert ended.exit_code == 0 and ended.output.startswith("All is well")
        assert json.loads(invoke(desk.home, "status", "--json").output)["verdict"]["problems"] == []


def test_a_model_failed_in_training_is_wrong_until_it_is_trained(desk: Desk) -> None:
    def wrong() -> list[str]:
        verdict = json.loads(invoke(desk.home, "status", "--json").output)["verdict"]
        return [problem["of"] for problem in verdict["problems"] if problem["of"].startswith("models/")]

    stages = StandIns(failing={"models/mlp": "no memory"}, leaking="models/xgboost")
    assert desk.train("--models", "mlp,xgboost,lightgbm", stages=stages)[0] == FAILED
    assert sorted(wrong()) == ["models/mlp", "models/xgboost"]
    assert desk.train("--models", "xgboost")[0] == 0
    assert wrong() == ["models/mlp"]


def test_models_never_trained_are_told_from_those_of_which_no_version_is_active(stores: Stores) -> None:
    put(stores, MODEL_VERSIONS, [version_row(model, 1, f"{model}_1", DAY, DAY) for model in ("mlp", "risk")], DAY)
    told = " ".join(invoke(stores.home, "status").output.split())
    never, _, without = told.partition("Never trained: ")[2].partition("Trained, but without an active version: ")
    assert without.startswith("mlp, risk.") and "lightgbm" in never and "mlp" not in never


def test_how_little_ranks_of_few_stocks_tell_is_said(stores: Stores) -> None:
    stocks = pl.DataFrame({"symbol": [f"S{number:02d}" for number in range(20)], "session": [DAY] * 20})
    everyone_in(stores, stocks.head(5).with_columns(session=pl.lit(date(2024, 5, 2))), DAY)
    everyone_in(stores, stocks.head(7), DAY)
    told = " ".join(invoke(stores.home, "status").output.split())
    assert "Note: only 7 stocks are in the universe" in told and "rank IC is off by 0.41" in told
    assert json.loads(invoke(stores.home, "status", "--json").output)["note"].startswith("only 7 stocks")
    everyone_in(stores, stocks, DAY)
    assert "Note" not in invoke(stores.home, "status").output
    assert json.loads(invoke(stores.home, "status", "--json").output)["note"] is None


def test_a_check_that_failed_is_wrong_and_one_that_warns_is_not(stores: Stores) -> None:
    stage = next(stage for stage in STAGES if stage.keys[0] == ("backtest", "daily_returns"))
    done = Execution(stage.name, "a-run", MOMENT, MOMENT, "succeeded", 1, passed=("possible_benchmark",))
    universe = Execution("universe/daily_universe", "a-run", MOMENT, MOMENT, "succeeded", 1, passed=tuple(BLOCKING))
    stores.record_executions("ml", done, universe)
    problems = {row["of"]: row["what"] for row in json.loads(invoke(stores.home, "status", "--json").output)["verdict"]["problems"]}
    assert "possible_session_return, possible_volatility" in problems[stage.name]
    assert "ranks_can_tell" not in problems["universe/daily_universe"]


@pytest.mark.parametrize("arguments", [("status",), ("models", "list"), ("models", "show", "mlp"), ("training-jobs", "list")])
def test_an_empty_directory_is_named_with_the_remedy(arguments: tuple[str, ...], tmp_path: Path) -> None:
    home = tmp_path / "data"
    ended = invoke(home, *arguments)
    assert ended.exit_code == 0
    told = " ".join(ended.output.split())
    assert str(home) in told and "run `stock-pipeline run` first" in told
    assert not home.exists()


def test_the_verdict_on_an_empty_directory_is_no_fault(tmp_path: Path) -> None:
    ended = invoke(tmp_path / "data", "status", "--json")
    assert ended.exit_code == 0 and json.loads(ended.output)["verdict"]["state"] == "empty"


@pytest.mark.parametrize("command", [("status",), ("models", "list")], ids="-".join)
def test_a_reader_who_has_read_enough_is_no_sign_that_something_is_wrong(command: tuple[str, ...], stores: Stores) -> None:
    variables = plain_environment() | {"STOCK_PIPELINE_HOME": str(stores.home)}
    program = [sys.executable, "-m", "stock_pipeline.command_line.main", *command]
    with subprocess.Popen(program, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert (process.returncode, told) == (UNREAD, "")
