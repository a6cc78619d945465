"""A run in which one model cannot be trained: the others, the stack and what follows from them are made all the same."""

import json
import os
from dataclasses import dataclass, replace
from typing import NoReturn

import polars as pl
import pytest
from click.testing import Result

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.core.columns import MODEL, SESSION, TRAINING_ID
from stock_pipeline.models import assets
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.status import asset_status
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPLANATIONS, SIGNALS
from stock_pipeline.registry.overview import model_status
from stock_pipeline.registry.reading import active_versions
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.default_stages import STAGES
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.own_files import QUICK, SESSIONS, OwnFiles

MODELS = "spline_ridge,xgboost,risk"
BROKEN = "xgboost"
REASON = "xgboost could not be trained: its process ended with exit code 3"
LAST = sessions(SESSIONS)[-1]


def crash(*_given: object, **_named: object) -> NoReturn:
    """Take the whole process down, as a library may."""
    os._exit(3)


@dataclass(frozen=True)
class Night:
    """What became of a run in which one model crashed, and of the run after it."""

    files: OwnFiles
    ended: Result
    members: set[str]
    asset: dict[str, object]
    problems: dict[str, str | None]
    predicted: set[str]
    after: Result


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    files = OwnFiles(tmp_path_factory.mktemp("crashed"))
    files.make()
    broken = tuple(replace(entry, make=crash) if entry.name == BROKEN else entry for entry in CATALOGUE)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(assets, "CATALOGUE", broken)
        ended = files.run(MODELS)
    stores = files.stores
    (asset,) = (row for row in asset_status(stores, STAGES) if row["asset"] == f"models/{BROKEN}")
    problems = {row["model"]: row["problem"] for row in model_status(stores)}
    predicted = set(stores.read(DAILY_PREDICTIONS)[MODEL])
    members = members_of_stack(files)
    return Night(files, ended, members, asset, problems, predicted, files.run(MODELS))


def members_of_stack(files: OwnFiles) -> set[str]:
    """The models that the stack trained last weighs."""
    last = files.stores.read(TRAININGS).filter(pl.col(MODEL) == STACK).sort("number").row(-1, named=True)
    return set(json.loads(last["parameters"])["members"])


def test_the_command_says_which_model_failed_and_why_and_ends_with_one(night: Night) -> None:
    assert night.ended.exit_code == FAILED, night.ended.output
    told = " ".join(night.ended.output.split())
    assert f"models/{BROKEN} failed: {REASON}" in told
    assert "Traceback" not in night.ended.output


def test_what_was_made_without_the_model_is_shown(night: Night) -> None:
    told = " ".join(night.ended.output.split())
    for title in ("Suggested stocks, profile default", "Backtest", "Features by drift severity"):
        assert title in told


def test_the_failure_stands_in_the_status_of_asset_and_model(night: Night) -> None:
    assert (night.asset["last_result"], night.asset["error"], night.asset["watermark"]) == ("failed", REASON, None)
    assert {name: problem for name, problem in night.problems.items() if problem is not None} == {BROKEN: REASON}


def test_the_others_serve_and_the_stack_weighs_what_there_is(night: Night) -> None:
    assert night.members == {"spline_ridge"}
    assert night.predicted == {"spline_ridge", "risk", STACK}
    stores = night.files.stores
    for table in (SIGNALS, SUGGESTED_STOCKS, EXPLANATIONS):
        assert LAST in stores.read(table)[SESSION].to_list(), table.name


def test_the_next_run_trains_it_and_the_stack_takes_it_in(night: Night) -> None:
    assert night.after.exit_code == 0, night.after.output
    assert members_of_stack(night.files) == {"spline_ridge", BROKEN}
    numbers = dict(night.files.stores.read(TRAININGS).group_by(MODEL).agg(pl.col("number").max()).iter_rows())
    assert numbers == {"spline_ridge": 1, BROKEN: 1, "risk": 1, STACK: 2}
    active = active_versions(night.files.stores)
    assert set(active[MODEL]) == {"spline_ridge", BROKEN, "risk", STACK}
    predicted = night.files.stores.read(DAILY_PREDICTIONS)
    assert set(active[TRAINING_ID]) <= set(predicted[TRAINING_ID])


def test_a_dry_run_of_the_training_writes_nothing(night: Night) -> None:
    before = night.files.contents()
    ended = invoke(night.files.home, "train", "--models", "spline_ridge", "--folds", "2", "--sessions", "90", "--dry-run", **QUICK)
    assert ended.exit_code == 0, ended.output
    assert night.files.contents() == before
    assert "rank IC" in ended.output
