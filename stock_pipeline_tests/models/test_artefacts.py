from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.core.columns import TARGET
from stock_pipeline.core.errors import InputError
from stock_pipeline.features.catalogue import hash_features
from stock_pipeline.models.artefacts import write_artefact
from stock_pipeline.models.catalogue import CATALOGUE, ModelEntry, model_entry
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.manifest import MANIFEST_FILE, Manifest
from stock_pipeline.models.reading import artefact_path, load_estimator, read_manifest
from stock_pipeline.models.stacking import StackedModel
from stock_pipeline_tests.factories.training_panels import FEATURES, ONE_THREAD, panel, quick, samples_of
from stock_pipeline_tests.models.test_manifest import AS_OF, INPUTS

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
