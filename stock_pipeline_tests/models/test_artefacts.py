import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.core.columns import TARGET
from stock_pipeline.core.errors import ArtefactError, InputError
from stock_pipeline.features.catalogue import hash_features
from stock_pipeline.models.artefacts import write_artefact
from stock_pipeline.models.catalogue import CATALOGUE, ModelEntry, model_entry
from stock_pipeline.models.estimators.estimator import Conditions, Estimator
from stock_pipeline.models.manifest import MANIFEST_FILE, Manifest, TrainingInputs
from stock_pipeline.models.reading import artefact_path, check_artefact, load_estimator, load_stack, read_manifest
from stock_pipeline.models.stacking import StackedModel
from stock_pipeline_tests.factories.training_panels import FEATURES, ONE_THREAD, panel, quick, samples_of

AS_OF = date(2020, 5, 4)
INPUTS = TrainingInputs("lightgbm", AS_OF, FEATURES, "bb", {"trees": 3, "rate": 0.1}, Conditions(seed=1, threads=1), "1")
every_model = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


def manifest_of(name: str, **changes: object) -> Manifest:
    plain = Manifest(
        model=name,
        training_id=replace(INPUTS, model=name).training_id(),
        as_of=AS_OF,
        train_from=date(2019, 1, 2),
        train_to=date(2020, 4, 30),
        features=FEATURES,
        features_hash=hash_features(FEATURES),
        rows=480,
        parameters={"knots": 7},
        metrics={"rank_ic": 0.02, "icir": None},
        seed=1,
        threads=1,
        code_version="1",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def trained(entry: ModelEntry, seed: int = 1) -> Estimator:
    rows = panel(symbols=8, count=60, signal=0.3, seed=seed, kind=entry.target)
    estimator = quick(entry, most_samples=1000).make(ONE_THREAD)
    estimator.fit(samples_of(rows), rows[TARGET].to_numpy())
    return estimator


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@every_model
def test_the_same_training_leaves_the_same_bytes(entry: ModelEntry, tmp_path: Path) -> None:
    artefacts = [write_artefact(tmp_path / place, trained(entry), manifest_of(entry.name)) for place in ("one", "two")]
    assert artefacts[0] == artefacts[1]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert artefacts[0].path == Path(entry.name) / artefacts[0].training_id
    assert artefacts[0].size_bytes == sum(map(len, contents(tmp_path / "one").values()))


@every_model
def test_a_written_model_comes_back(entry: ModelEntry, tmp_path: Path) -> None:
    model = trained(entry)
    artefact = write_artefact(tmp_path, model, manifest_of(entry.name))
    folder = tmp_path / artefact.path
    samples = samples_of(panel(symbols=8, count=20))
    assert load_estimator(folder, artefact.sha256).predict(samples).tolist() == model.predict(samples).tolist()
    manifest = read_manifest(folder)
    assert replace(manifest, files={}) == manifest_of(entry.name)
    assert set(manifest.files) == {file.name for file in folder.iterdir()} - {MANIFEST_FILE}


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


def test_an_intact_artefact_is_kept_and_a_damaged_one_replaced(tmp_path: Path) -> None:
    entry = model_entry("spline_ridge")
    first = write_artefact(tmp_path, trained(entry), manifest_of(entry.name))
    folder = tmp_path / first.path
    before = contents(tmp_path)
    assert write_artefact(tmp_path, trained(entry, seed=2), manifest_of(entry.name)) == first
    assert contents(tmp_path) == before
    next(iter(folder.glob("spline*"))).write_text("{}")
    assert write_artefact(tmp_path, trained(entry), manifest_of(entry.name)) == first
    assert contents(tmp_path) == before


def test_a_crash_before_the_rename_leaves_no_artefact_and_the_next_write_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = model_entry("spline_ridge")
    model, manifest = trained(entry), manifest_of(entry.name)
    expected = contents_of_fresh_write(tmp_path / "fresh", model, manifest)

    def crash(_self: Path, _target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            write_artefact(tmp_path / "models", model, manifest)
    assert not (tmp_path / "models" / artefact_path(manifest.model, manifest.training_id)).exists()
    write_artefact(tmp_path / "models", model, manifest)
    assert contents(tmp_path / "models") == expected


def contents_of_fresh_write(root: Path, model: Estimator, manifest: Manifest) -> dict[str, bytes]:
    write_artefact(root, model, manifest)
    return contents(root)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "Stack", "a b", "x\n", ".", "ä"])
def test_a_name_that_might_lead_elsewhere_never_touches_a_path(name: str, tmp_path: Path) -> None:
    stack = StackedModel({"a": 1.0}, {"a": "0"})
    for manifest in (manifest_of("stack", model=name), manifest_of("stack", training_id=name)):
        with pytest.raises(InputError, match="cannot name a folder"):
            write_artefact(tmp_path, stack, manifest)
    assert list(tmp_path.iterdir()) == []


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


def test_a_training_made_again_has_its_name_unless_others_came_in_between() -> None:
    first = INPUTS.training_id()
    assert INPUTS.training_id([first]) == first
    again = INPUTS.training_id([first, "another"])
    assert again not in (first, "another")
    assert INPUTS.training_id([first, "another", again]) == again
    third = INPUTS.training_id([first, "another", again, "yet another"])
    assert len({first, again, third}) == 3


def test_the_training_id_follows_from_each_of_its_inputs() -> None:
    others = [
        replace(INPUTS, model="stack"),
        replace(INPUTS, as_of=date(2020, 5, 5)),
        replace(INPUTS, features=FEATURES[::-1]),
        replace(INPUTS, data_hash="bc"),
        replace(INPUTS, parameters={"trees": 4, "rate": 0.1}),
        replace(INPUTS, conditions=Conditions(seed=2, threads=1)),
        replace(INPUTS, code_version="2"),
        # Trained elsewhere or with other threads the last digits may differ, so it is another training.
        replace(INPUTS, conditions=Conditions(seed=1, threads=2)),
        replace(INPUTS, conditions=Conditions(seed=1, threads=1, device="cuda")),
    ]
    plain = INPUTS.training_id()
    assert len({plain, *(other.training_id() for other in others)}) == 10
    assert plain == replace(INPUTS, parameters={"rate": 0.1, "trees": 3}).training_id()
    assert len(plain) == 16
    assert hash_features(["a", "b"]) != hash_features(["b", "a"])
