"""A training in a process of its own: what it makes comes back, and whatever becomes of it is told in one sentence."""

import multiprocessing
import tempfile
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.subprocess_training import FRAMES, TrainingFailedError, train_in_subprocess
from stock_pipeline.models.training import train
from stock_pipeline_tests.factories.stub_estimators import (
    Aborts,
    Exits,
    IsKilled,
    Raises,
    RaisesWithoutWords,
    RunsOutOfMemory,
    Stub,
    entry_of,
)
from stock_pipeline_tests.factories.training_panels import panel, plan_of, quick, samples_of

ROWS = panel(symbols=5, count=100)


@pytest.fixture(autouse=True)
def folder_of_drafts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, so that a test sees what is left of them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_over(folder: Path) -> list[Path]:
    assert multiprocessing.active_children() == []
    return list(folder.iterdir())


def test_a_training_comes_back_whole_and_leaves_nothing_behind(folder_of_drafts: Path) -> None:
    entry = quick(model_entry("lightgbm"))
    rows = panel(symbols=8, count=180)
    plan, told = plan_of(entry, rows, min_train=120, trials=2), list[str]()
    here = train(plan, rows, lambda _note: None)
    with train_in_subprocess(plan, rows, told.append) as trained:
        for name in FRAMES:
            assert_frame_equal(getattr(trained, name), getattr(here, name))
        assert trained.model.fitted_with == here.model.parameters()
        assert trained.model.window == 1
        copies = [folder_of_drafts / name for name in ("copy", "own")]
        for copy in copies:
            copy.mkdir()
        trained.model.save(copies[0])
        here.model.save(copies[1])
    contents = [{file.name: file.read_bytes() for file in copy.iterdir()} for copy in copies]
    assert contents[0] == contents[1]
    assert entry.load(copies[0]).predict(samples_of(rows)).tolist() == here.model.predict(samples_of(rows)).tolist()
    assert told == ["trial 1 of 2", "trial 2 of 2", "fold 1 of 2", "fold 2 of 2", "final fit", "explanations"]
    assert sorted(left_over(folder_of_drafts)) == copies


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Raises, "stub could not be trained: the library has had enough"),
        (RaisesWithoutWords, "stub could not be trained: KeyError"),
        (
            RunsOutOfMemory,
            "stub could not be trained: there was not enough memory; lower datasets.sessions, or choose a smaller features.set",
        ),
        (
            IsKilled,
            "stub could not be trained: its process was killed, as the system does when memory runs out; lower datasets.sessions, or "
            "choose a smaller features.set",
        ),
        (Aborts, "stub could not be trained: its process ended by signal SIGABRT"),
        (Exits, "stub could not be trained: its process ended with exit code 3"),
    ],
)
def test_what_became_of_a_training_is_told_in_one_sentence(kind: type[Stub], sentence: str, folder_of_drafts: Path) -> None:
    told: list[str] = []
    with pytest.raises(TrainingFailedError) as caught, train_in_subprocess(plan_of(entry_of(kind), ROWS), ROWS, told.append):
        raise AssertionError("there is nothing to use")
    assert str(caught.value) == sentence
    assert told == ["fold 1 of 2"]
    assert left_over(folder_of_drafts) == []


def test_a_panel_that_cannot_be_trained_on_is_refused_in_the_words_of_the_training(folder_of_drafts: Path) -> None:
    with (
        pytest.raises(TrainingFailedError, match="stub could not be trained: there is no labelled row to train stub on"),
        train_in_subprocess(plan_of(entry_of(Stub), ROWS), ROWS.clear(), lambda _note: None),
    ):
        raise AssertionError("there is nothing to use")
    assert left_over(folder_of_drafts) == []


def test_a_run_that_is_stopped_takes_its_training_with_it(folder_of_drafts: Path) -> None:
    def stop(_note: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), train_in_subprocess(plan_of(entry_of(Stub), ROWS), ROWS, stop):
        raise AssertionError("there is nothing to use")
    assert left_over(folder_of_drafts) == []


def test_an_error_of_whoever_uses_the_training_removes_its_files_too(folder_of_drafts: Path) -> None:
    with (
        pytest.raises(ValueError, match="of the user"),
        train_in_subprocess(plan_of(entry_of(Stub), ROWS), ROWS, lambda _note: None) as trained,
    ):
        assert (trained.model.window, trained.model.fitted_with) == (3, {"weight": 1.0})
        raise ValueError("of the user")
    assert left_over(folder_of_drafts) == []
