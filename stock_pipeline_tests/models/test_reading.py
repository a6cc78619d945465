"""What trainings left is read only where it is what was written, and told by training."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.core.columns import ALL_PERIODS, AS_OF, MODEL, TRAINING_ID
from stock_pipeline.core.errors import ArtefactError
from stock_pipeline.models.artefacts import write_artefact
from stock_pipeline.models.catalogue import ModelEntry, model_entry
from stock_pipeline.models.manifest import MANIFEST_FILE
from stock_pipeline.models.metrics import TEST, TRAIN
from stock_pipeline.models.reading import check_artefact, load_estimator, load_stack, overall_metrics, read_manifest
from stock_pipeline.models.stacking import StackedModel
from stock_pipeline.models.tables import MODEL_METRICS
from stock_pipeline_tests.factories.rows import empty_stores, put
from stock_pipeline_tests.factories.training_panels import FEATURES
from stock_pipeline_tests.models.test_artefacts import every_model, manifest_of, trained


@every_model
def test_every_file_that_is_tampered_with_or_missing_is_refused_by_name(entry: ModelEntry, tmp_path: Path) -> None:
    artefact = write_artefact(tmp_path, trained(entry), manifest_of(entry.name))
    folder = tmp_path / artefact.path
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(ArtefactError, match=path.name):
            load_estimator(folder, artefact.sha256)
        path.unlink()
        with pytest.raises(ArtefactError, match=f"{path.name} is missing"):
            load_estimator(folder)
        path.write_bytes(whole)
    (folder / "stray.txt").write_text("?")
    with pytest.raises(ArtefactError, match=r"stray\.txt"):
        load_estimator(folder)
    (folder / "stray.txt").unlink()
    assert load_estimator(folder, artefact.sha256).feature_names == FEATURES


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": "x"}', '{"as_of": 5}'])
def test_a_manifest_that_is_none_is_refused_by_name(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST_FILE).write_text(text)
    with pytest.raises(ArtefactError, match=f"{MANIFEST_FILE} is damaged"):
        read_manifest(tmp_path)


def test_a_manifest_from_before_models_had_targets_windows_and_devices_loads(tmp_path: Path) -> None:
    entry = model_entry("spline_ridge")
    folder = tmp_path / write_artefact(tmp_path, trained(entry), manifest_of(entry.name)).path
    path = folder / MANIFEST_FILE
    content = json.loads(path.read_text())
    newer = {"target", "exposures", "window", "trials", "device"}
    path.write_text(json.dumps({name: value for name, value in content.items() if name not in newer}))
    manifest = read_manifest(folder)
    assert (manifest.target, manifest.exposures, manifest.window, manifest.trials, manifest.device) == ("return", (), 1, 1, "cpu")
    assert load_estimator(folder).feature_names == FEATURES


def test_what_is_new_of_a_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    told = manifest_of("risk", target="volatility", exposures=("f0", "f5"), window=20, trials=5, device="cuda", threads=3)
    folder = tmp_path / write_artefact(tmp_path, trained(model_entry("risk")), told).path
    assert replace(read_manifest(folder), files={}) == told


def test_a_listed_file_outside_the_folder_is_refused(tmp_path: Path) -> None:
    artefact = write_artefact(tmp_path, StackedModel({"a": 1.0}, {"a": "0"}), manifest_of("stack"))
    path = tmp_path / artefact.path / MANIFEST_FILE
    content = json.loads(path.read_text())
    content["files"]["../../elsewhere.json"] = "0" * 64
    path.write_text(json.dumps(content))
    (tmp_path / "elsewhere.json").write_text("{}")
    with pytest.raises(ArtefactError, match=r"elsewhere\.json"):
        check_artefact(tmp_path / artefact.path)


def test_the_stack_is_an_artefact_too(tmp_path: Path) -> None:
    stack = StackedModel({"lightgbm": 0.7, "spline_ridge": 0.3}, {"lightgbm": "0" * 16, "spline_ridge": "1" * 16})
    folder = tmp_path / write_artefact(tmp_path, stack, manifest_of("stack")).path
    assert load_stack(folder) == stack
    with pytest.raises(ArtefactError, match="holds a stack"):
        load_estimator(folder)
    base = tmp_path / write_artefact(tmp_path, trained(model_entry("spline_ridge")), manifest_of("spline_ridge")).path
    with pytest.raises(ArtefactError, match="base model spline_ridge"):
        load_stack(base)


def test_files_of_another_model_are_not_loaded(tmp_path: Path) -> None:
    artefact = write_artefact(tmp_path, StackedModel({"a": 1.0}, {"a": "0"}), manifest_of("spline_ridge"))
    with pytest.raises(ArtefactError, match="does not hold the model"):
        load_estimator(tmp_path / artefact.path)


def test_the_measures_of_a_training_are_those_over_all_its_test_sessions(tmp_path: Path) -> None:
    stores = empty_stores(tmp_path)
    parts = [(TEST, 0, ALL_PERIODS, 0.1), (TEST, 1, ALL_PERIODS, 0.2), (TEST, 0, "2012", 0.3), (TRAIN, 0, ALL_PERIODS, 0.4)]
    names = ("part", "fold", "period", "value")
    rows = [
        {TRAINING_ID: name, MODEL: "a", AS_OF: date(2012, 3, 1), "metric": "mae", "observations": 9, **dict(zip(names, part, strict=True))}
        for name in ("t1", "t2")
        for part in parts
    ]
    put(stores, MODEL_METRICS, rows, date(2012, 3, 1))
    assert overall_metrics(stores) == {"t1": {"mae": 0.1}, "t2": {"mae": 0.1}}
    assert overall_metrics(stores, ["t2", "t3"]) == {"t2": {"mae": 0.1}}
