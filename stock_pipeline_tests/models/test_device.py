"""Where a model is trained, for every mix of what is wanted and what there is."""

from dataclasses import replace

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.models import device
from stock_pipeline.models.catalogue import CATALOGUE, ModelEntry, model_entry
from stock_pipeline.models.device import device_for

NO_GPU = "torch sees no GPU"


def entry_with(obstacle: str | None) -> ModelEntry:
    return replace(model_entry("xgboost"), gpu_obstacle=lambda: obstacle)


@pytest.mark.parametrize(
    ("wanted", "missing", "obstacle", "expected", "notes"),
    [
        ("auto", None, None, "cuda", []),
        ("auto", None, "no CUDA here", "cpu", ["on the CPU: no CUDA here"]),
        ("auto", NO_GPU, None, "cpu", []),  # nothing to tell of a machine without one
        ("auto", NO_GPU, "no CUDA here", "cpu", []),
        ("cuda", None, None, "cuda", []),
        ("cuda", None, "no CUDA here", "cpu", ["on the CPU: no CUDA here"]),
        ("cpu", None, None, "cpu", []),
        ("cpu", NO_GPU, "no CUDA here", "cpu", []),
    ],
)
def test_the_device_follows_from_what_is_wanted_and_what_there_is(
    wanted: str, missing: str | None, obstacle: str | None, expected: str, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "torch_obstacle", lambda: missing)
    told: list[str] = []
    assert device_for(entry_with(obstacle), wanted, told.append) == expected
    assert told == notes


def test_a_gpu_that_is_asked_for_and_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "torch_obstacle", lambda: NO_GPU)
    with pytest.raises(InputError, match=r"^models\.device is 'cuda', but torch sees no GPU; set it to auto or cpu$"):
        device_for(entry_with(None), "cuda", lambda _note: None)


def test_the_cpu_is_taken_without_a_look_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str | None:
        raise AssertionError("looked for a GPU")

    monkeypatch.setattr(device, "torch_obstacle", fail)
    assert device_for(replace(entry_with(None), gpu_obstacle=fail), "cpu", lambda _note: None) == "cpu"


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_an_obstacle_is_a_reason_in_words_that_follow_a_colon(entry: ModelEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "torch_obstacle", lambda: None)
    told: list[str] = []
    found = device_for(entry, "auto", told.append)
    assert (found == "cuda") == (not told)
    assert all(note.startswith("on the CPU: ") and len(note) > 20 and not note.endswith(".") for note in told)
