"""A training in processes of its own: what it makes comes back, and whatever becomes of it is told in one sentence."""

import multiprocessing
import os
import signal
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.datasets.panel import Panel
from stock_pipeline.models import fit_server
from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.plan import in_sequence
from stock_pipeline.models.subprocess_training import TrainingFailedError, train_in_subprocesses
from stock_pipeline.models.training import train
from stock_pipeline_tests.factories.stub_estimators import (
    Aborts,
    Exits,
    IsKilled,
    NamesItsServer,
    NeedsALibrary,
    Raises,
    RaisesWithoutWords,
    RunsOutOfMemory,
    Stub,
    entry_of,
)
from stock_pipeline_tests.factories.training_panels import FEATURES, ONE_THREAD, panel, plan_of, quick, samples_of, saved

ROWS = panel(symbols=5, count=100)
PLAN = plan_of(entry_of(Stub), ROWS)
FRAMES = ("out_of_fold", "in_sample", "explained", "trials")


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, so that a test sees what is left of them."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The folder of ROWS."""
    return saved(ROWS, tmp_path / "panel")


def left_over(folder: Path) -> list[Path]:
    fit_server.stop()
    assert multiprocessing.active_children() == []
    return list(folder.iterdir())


@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_comes_back_whole_and_leaves_nothing_behind(threads: int, temporary_files: Path, tmp_path: Path) -> None:
    entry = quick(model_entry("lightgbm"))
    rows = panel(symbols=8, count=180)
    plan = plan_of(entry, rows, min_train=120, trials=2, conditions=replace(ONE_THREAD, threads=threads))
    folders = [tmp_path / name for name in ("here", "copy")]
    for folder in folders:
        folder.mkdir()
    here = train(plan, folders[0], in_sequence(plan, Panel.of(rows, FEATURES)))
    told = list[str]()
    with train_in_subprocesses(plan, FEATURES, saved(rows, tmp_path / "panel"), told.append) as trained:
        for name in FRAMES:
            assert_frame_equal(getattr(trained, name), getattr(here, name))
        assert (trained.model.fitted_with, trained.model.window) == (here.model.fitted_with, 1)
        trained.model.save(folders[1])
    contents = [{file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders]
    assert contents[0] == contents[1]
    assert len(set(entry.load(folders[1]).predict(samples_of(rows)).tolist())) > 100
    begun = [note.rpartition(", ")[2].removeprefix("at work: ") for note in told]
    trials = [f"trial {number} of 2 on inner fold {fold} of 2" for number in (1, 2) for fold in (1, 2)]
    assert list(dict.fromkeys(begun)) == [*trials, "final fit", "fold 2 of 2", "fold 1 of 2"]
    assert told[0] == "0 of 4 fits done, at work: trial 1 of 2 on inner fold 1 of 2" and told[-1].startswith("2 of 3 fits done, at work: ")
    assert ("0 of 3 fits done, at work: final fit, fold 2 of 2" in told) == (threads == 2)
    assert left_over(temporary_files) == []


def test_as_many_fits_run_at_once_as_there_are_threads_which_they_share() -> None:
    budgets = {threads: replace(PLAN, conditions=replace(ONE_THREAD, threads=threads)) for threads in (1, 2, 3, 7)}
    shared = {threads: (plan.fits_at_once, plan.conditions_of_a_fit.threads) for threads, plan in budgets.items()}
    assert shared == {1: (1, 1), 2: (2, 1), 3: (3, 1), 7: (3, 2)}  # two folds and the final fit
    on_gpu = replace(PLAN, conditions=replace(ONE_THREAD, threads=4, device="cuda"))
    assert (on_gpu.fits_at_once, on_gpu.conditions_of_a_fit.threads) == (1, 4)


def test_one_server_starts_the_fits_of_several_models_and_another_one_after_it_was_killed(stored: Path) -> None:
    servers = []
    for killed in (False, True, False):
        with train_in_subprocesses(plan_of(entry_of(NamesItsServer), ROWS), FEATURES, stored, lambda _note: None) as trained:
            servers.append(trained.model.fitted_with["server"])
        if killed:
            os.kill(servers[-1], signal.SIGKILL)
            multiprocessing.active_children()[0].join()
    assert servers[0] == servers[1] != servers[2]


def test_what_is_wrong_with_whoever_listens_is_not_taken_for_the_end_of_the_server(stored: Path) -> None:
    def unheard(_note: str) -> None:
        raise BrokenPipeError("nobody reads the terminal any more")

    with pytest.raises(BrokenPipeError), train_in_subprocesses(PLAN, FEATURES, stored, unheard):
        raise AssertionError("there is nothing to use")


def test_a_library_that_is_not_there_is_told_by_the_fit_that_needs_it(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    def missing() -> None:
        asked.append("gone")
        raise ImportError("no such library")

    monkeypatch.setattr(fit_server, "IMPORTS", {"gone": missing, "there": lambda: asked.append("there")})
    fit_server.import_libraries(("gone", "numpy", "there"))
    assert asked == ["gone", "there"]
    entry = entry_of(NeedsALibrary)
    with pytest.raises(TrainingFailedError, match=r"^stub could not be trained: No module named 'no_library'$"):  # noqa: SIM117
        with train_in_subprocesses(plan_of(entry, ROWS), FEATURES, stored, lambda _note: None):
            raise AssertionError("there is nothing to use")


def test_a_crash_takes_one_model_along_and_no_other(stored: Path) -> None:
    with pytest.raises(TrainingFailedError), train_in_subprocesses(plan_of(entry_of(IsKilled), ROWS), FEATURES, stored, lambda _note: None):
        raise AssertionError("there is nothing to use")
    with train_in_subprocesses(PLAN, FEATURES, stored, lambda _note: None) as trained:
        assert trained.out_of_fold.height > 0


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
def test_what_became_of_a_training_is_told_in_one_sentence(kind: type[Stub], sentence: str, temporary_files: Path, stored: Path) -> None:
    told: list[str] = []
    with pytest.raises(TrainingFailedError) as caught, train_in_subprocesses(plan_of(entry_of(kind), ROWS), FEATURES, stored, told.append):
        raise AssertionError("there is nothing to use")
    assert str(caught.value) == sentence
    assert told == ["0 of 3 fits done, at work: final fit"]
    assert left_over(temporary_files) == []


def test_a_panel_that_cannot_be_trained_on_is_refused_in_the_words_of_the_training(temporary_files: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(TrainingFailedError, match="stub could not be trained: there is no labelled row to train stub on"),
        train_in_subprocesses(PLAN, FEATURES, saved(ROWS.clear(), tmp_path / "empty"), lambda _note: None),
    ):
        raise AssertionError("there is nothing to use")
    assert left_over(temporary_files) == []


def test_a_run_that_is_stopped_takes_its_training_with_it(temporary_files: Path, stored: Path) -> None:
    def stop(_note: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), train_in_subprocesses(PLAN, FEATURES, stored, stop):
        raise AssertionError("there is nothing to use")
    assert left_over(temporary_files) == []


def test_an_error_of_whoever_uses_the_training_removes_its_files_too(temporary_files: Path, stored: Path) -> None:
    with (
        pytest.raises(ValueError, match="of the user"),
        train_in_subprocesses(PLAN, FEATURES, stored, lambda _note: None) as trained,
    ):
        assert (trained.model.window, trained.model.fitted_with) == (3, {"weight": 1.0})
        raise ValueError("of the user")
    assert left_over(temporary_files) == []
