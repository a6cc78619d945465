"""The model of docs/add-a-model.md, as it stands there, goes all the way: trained, stacked, kept and loaded."""

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from stock_pipeline.core.columns import METRIC, MODEL, SCORE, SESSION, SYMBOL, VALUE
from stock_pipeline.datasets.catalogue import RETURN_KIND
from stock_pipeline.features.catalogue import hash_features
from stock_pipeline.models import catalogue
from stock_pipeline.models.artefacts import write_artefact
from stock_pipeline.models.catalogue import CATALOGUE, STACK, ModelEntry, parse_models, stacked_models
from stock_pipeline.models.manifest import Manifest
from stock_pipeline.models.metrics import metric_table
from stock_pipeline.models.reading import load_estimator, load_stack
from stock_pipeline.models.recording import metrics_of
from stock_pipeline.models.stacking import StackedModel, stack_out_of_fold, stack_scale, stack_weights, widen
from stock_pipeline.models.subprocess_training import train_in_subprocesses
from stock_pipeline_tests.factories.training_panels import DAYS, FEATURES, panel, plan_of, samples_of, saved, train_here
from stock_pipeline_tests.harness.pages import DOCS, blocks_of

PAGE = "add-a-model.md"
MODULE = "the_ninth_model"
ROWS = panel(symbols=40, count=150, signal=0.15)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The page's first block as a module, on the path so that another process finds it too."""
    folder = tmp_path_factory.mktemp("estimators")
    (folder / f"{MODULE}.py").write_text(blocks_of(PAGE)[0], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module(MODULE)
        sys.modules.pop(MODULE, None)


@pytest.fixture
def entry(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModelEntry:
    """The page's second block, added to the catalogue as the page says."""
    made = eval(blocks_of(PAGE)[1], {"ModelEntry": ModelEntry, **vars(module)})  # noqa: S307
    assert isinstance(made, ModelEntry)
    monkeypatch.setattr(catalogue, "CATALOGUE", (*CATALOGUE, made))
    return made


def manifest_of(name: str, metrics: dict[str, float | None]) -> Manifest:
    return Manifest(
        model=name,
        training_id="0" * 16,
        as_of=DAYS[149],
        train_from=DAYS[0],
        train_to=DAYS[149],
        features=FEATURES,
        features_hash=hash_features(FEATURES),
        rows=ROWS.height,
        parameters={},
        metrics=metrics,
        seed=7,
        threads=1,
        code_version="1",
    )


def test_the_page_has_the_file_and_the_entry_and_no_other_code() -> None:
    assert len(blocks_of(PAGE)) == 2
    assert len(list(re.finditer("```", (DOCS / PAGE).read_text(encoding="utf-8")))) == 4


def test_the_ninth_model_is_trained_stacked_kept_and_loaded(entry: ModelEntry, tmp_path: Path) -> None:
    assert stacked_models(None)[-1] == entry.name
    assert parse_models([entry.name]) == (entry,)
    plan = plan_of(entry, ROWS)
    with train_in_subprocesses(plan, FEATURES, saved(ROWS, tmp_path / "panel"), lambda _note: None) as trained:
        said = trained.out_of_fold
        assert trained.explained.height == 500 * len(FEATURES)
        artefact = write_artefact(tmp_path, trained.model, manifest_of(entry.name, metrics_of(said, RETURN_KIND)))
    found = dict(metric_table(said).select(METRIC, VALUE).iter_rows())
    assert found["rank_ic"] > 0.1 and found["rank_ic_t"] > 5 and found["r2"] > 0

    loaded = load_estimator(tmp_path / artefact.path, artefact.sha256)
    here = train_here(plan, ROWS)
    assert loaded.predict(samples_of(ROWS)).tolist() == here.model.predict(samples_of(ROWS)).tolist()
    assert here.out_of_fold.equals(said)

    other = train_here(plan_of(catalogue.model_entry("spline_ridge"), ROWS), ROWS).out_of_fold
    wide = widen([other, said])
    names = ("spline_ridge", entry.name)
    weights = stack_weights(wide, names)
    assert min(weights.values()) > 0.2
    stacked = stack_out_of_fold(wide, names, plan.splits)
    assert stacked.select(SESSION, SYMBOL).equals(said.select(SESSION, SYMBOL))
    assert stacked[MODEL].unique().to_list() == [STACK] and stacked[SCORE].null_count() == 0
    stack = StackedModel(weights, dict.fromkeys(names, "0" * 16), stack_scale(wide, weights))
    kept = write_artefact(tmp_path, stack, manifest_of(STACK, metrics_of(stacked, RETURN_KIND)))
    assert load_stack(tmp_path / kept.path, kept.sha256) == stack


def test_its_parameters_can_be_tried(entry: ModelEntry) -> None:
    rows = panel(symbols=10, count=150, signal=0.3)
    trained = train_here(plan_of(entry, rows, trials=3), rows)
    assert trained.trials.height == 3 and trained.trials["chosen"].sum() == 1
