"""``stock-pipeline train``: one model anew, as the user chooses, and the stack over all of them."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from stock_pipeline.core.columns import FOLD, MODEL
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.tables import OUT_OF_FOLD_PREDICTIONS, TRAININGS, TRIALS
from stock_pipeline.registry.reading import active_versions
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.own_files import QUICK, OwnFiles

WRONG_INPUT = 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[OwnFiles, Result]:
    """A home with two models, one of which was then trained again with choices of its own."""
    files = OwnFiles(tmp_path_factory.mktemp("trained"))
    files.make()
    assert files.run("spline_ridge,lightgbm").exit_code == 0
    choices = ("--folds", "2", "--trials", "3", "--sessions", "95")
    return files, invoke(files.home, "train", "--models", "spline_ridge", *choices, **QUICK)


def test_the_choices_hold_for_this_training_alone(trained: tuple[OwnFiles, Result]) -> None:
    files, ended = trained
    assert ended.exit_code == 0, ended.output
    trainings = files.stores.read(TRAININGS).sort(MODEL, "number")
    ridges = trainings.filter(pl.col(MODEL) == "spline_ridge")
    assert ridges["trials"].to_list() == [1, 3] and ridges["sessions"][1] == 95 < ridges["sessions"][0]
    said = files.stores.read(OUT_OF_FOLD_PREDICTIONS)
    folds = [said.filter(pl.col("training_id") == name)[FOLD].n_unique() for name in ridges["training_id"]]
    assert folds == [4, 2]
    tried = files.stores.read(TRIALS)
    assert tried.height == 3 and tried["chosen"].sum() == 1


def test_the_stack_goes_on_weighing_the_models_that_were_not_trained_now(trained: tuple[OwnFiles, Result]) -> None:
    files, ended = trained
    active = active_versions(files.stores)
    members = json.loads(active.filter(pl.col(MODEL) == STACK)["parameters"][0])["members"]
    assert members == dict(active.filter(pl.col(MODEL).is_in(["spline_ridge", "lightgbm"])).select(MODEL, "training_id").iter_rows())
    assert "weight in stack" in ended.output


def test_a_training_asked_for_takes_the_folds_that_have_not_changed(trained: tuple[OwnFiles, Result]) -> None:
    files, _ = trained
    folds = files.stores.layout.folds / "lightgbm"
    before = {file.name: file.stat().st_mtime_ns for file in folds.iterdir()}
    assert invoke(files.home, "train", "--models", "lightgbm", **QUICK).exit_code == 0
    assert len(before) == 4 and {file.name: file.stat().st_mtime_ns for file in folds.iterdir()} == before


def test_wrong_input_is_told_in_one_sentence(tmp_path: Path, trained: tuple[OwnFiles, Result]) -> None:
    nothing = invoke(tmp_path, "train")
    assert (nothing.exit_code, nothing.output.count("\n")) == (WRONG_INPUT, 1)
    assert "there are no bars in" in nothing.output and "run `stock-pipeline run` first" in nothing.output
    unseen = invoke(tmp_path, "mlflow")
    assert unseen.exit_code == WRONG_INPUT and "MLflow has nothing to show yet" in unseen.output
    unknown = invoke(trained[0].home, "train", "--models", "lightgbn")
    assert unknown.exit_code == WRONG_INPUT
    assert "model 'lightgbn' is not known; choose one of spline_ridge" in unknown.output
