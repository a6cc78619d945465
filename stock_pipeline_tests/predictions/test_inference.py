import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal

from stock_pipeline.core.columns import MODEL, RANK, SCORE, SESSION, SYMBOL, TRAINING_ID, VERSION
from stock_pipeline.core.errors import ArtefactError, InputError
from stock_pipeline.datasets.training_panel import matrix
from stock_pipeline.models.artefacts import Manifest, Saveable, hash_features, load_estimator, write_artefact
from stock_pipeline.models.catalogue import STACK, model_entry
from stock_pipeline.models.recording import RETURN_SCALE
from stock_pipeline.models.stacking import StackedModel, combine
from stock_pipeline.models.training import fit_final
from stock_pipeline.predictions.inference import load_service, predict
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, PREDICTED_RETURN
from stock_pipeline_tests.models.made_up import FEATURES, panel

AS_OF = date(2012, 6, 1)
PANEL = panel(symbols=20, count=60, signal=1.0)
NIGHT = PANEL.filter(pl.col(SESSION) == pl.col(SESSION).max()).select(SESSION, SYMBOL, *FEATURES)
WEIGHTS = {"spline_ridge": 0.7, "lightgbm": 0.3}


@dataclass(frozen=True)
class Shelf:
    """A folder of artefacts: two base models and their stack, and the row that the registry gives of each."""

    root: Path
    rows: Mapping[str, Mapping[str, object]]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    root = tmp_path_factory.mktemp("models")
    rows = {name: put(root, fit_final(model_entry(name), PANEL, FEATURES, seed=1, threads=1), name, 0.02) for name in WEIGHTS}
    stacked = StackedModel(WEIGHTS, {name: str(row[TRAINING_ID]) for name, row in rows.items()})
    return Shelf(root, {**rows, STACK: put(root, stacked, STACK, None)})


def put(root: Path, model: Saveable, name: str, scale: float | None) -> dict[str, object]:
    manifest = Manifest(
        model=name,
        training_id=f"{name}_1",
        as_of=AS_OF,
        train_from=AS_OF,
        train_to=AS_OF,
        features=FEATURES,
        features_hash=hash_features(FEATURES),
        rows=PANEL.height,
        parameters={},
        metrics={RETURN_SCALE: scale},
        seed=1,
        threads=1,
        code_version="1",
    )
    artefact = write_artefact(root, model, manifest)
    return {MODEL: name, VERSION: 3, TRAINING_ID: f"{name}_1", "artefact": artefact.path.as_posix(), "sha256": artefact.sha256}


def predicted(shelf: Shelf, name: str, ranked: pl.DataFrame = NIGHT) -> pl.DataFrame:
    return DAILY_PREDICTIONS.conform(predict(load_service(shelf.root, shelf.rows[name]), ranked))


@pytest.mark.parametrize("name", [*WEIGHTS, STACK])
def test_every_stock_has_a_score_and_a_place_from_the_best_down(name: str, shelf: Shelf) -> None:
    made = predicted(shelf, name)
    assert made.select(SESSION, SYMBOL).equals(NIGHT.select(SESSION, SYMBOL))
    assert made.select(MODEL, TRAINING_ID, VERSION).unique().rows() == [(name, f"{name}_1", 3)]
    best_first = made.sort(RANK)
    assert best_first[RANK][0] == 1
    assert best_first[SCORE].is_sorted(descending=True)


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_a_base_model_s_score_is_what_its_estimator_says(name: str, shelf: Shelf) -> None:
    estimator = load_estimator(shelf.root / str(shelf.rows[name]["artefact"]))
    made = predicted(shelf, name)
    assert np.array_equal(made[SCORE].to_numpy(), estimator.predict(matrix(NIGHT, FEATURES)))
    assert made[PREDICTED_RETURN].to_list() == pytest.approx((0.02 * made[SCORE]).to_list())


def test_the_stack_s_score_is_its_members_scores_combined(shelf: Shelf) -> None:
    wide = NIGHT.select(SESSION, SYMBOL).with_columns(predicted(shelf, name)[SCORE].alias(name) for name in WEIGHTS)
    assert predicted(shelf, STACK)[SCORE].equals(combine(wide, WEIGHTS)[SCORE])


def test_scores_of_unknown_worth_foretell_no_return(shelf: Shelf) -> None:
    assert predicted(shelf, STACK)[PREDICTED_RETURN].null_count() == NIGHT.height


@pytest.mark.parametrize("name", [*WEIGHTS, STACK])
def test_a_session_is_predicted_alike_alone_and_among_others(name: str, shelf: Shelf) -> None:
    together = predicted(shelf, name, PANEL.select(SESSION, SYMBOL, *FEATURES).sample(fraction=1, shuffle=True, seed=2))
    alone = predicted(shelf, name)
    last = together.filter(pl.col(SESSION) == NIGHT[SESSION][0]).sort(SYMBOL)
    # Not to the bit: a product of matrices rounds by the number of its rows, and a night is always predicted alone.
    assert_frame_equal(last, alone.sort(SYMBOL), rel_tol=1e-9)


def test_stocks_of_one_score_share_the_better_place(shelf: Shelf) -> None:
    twins = pl.concat([NIGHT.head(1), NIGHT.head(1).with_columns(pl.lit("TWIN").alias(SYMBOL)), NIGHT.slice(1, 1)])
    made = predicted(shelf, "spline_ridge", twins)
    assert made[SCORE][0] == made[SCORE][1]
    assert sorted(made[RANK].to_list()) in ([1, 1, 3], [1, 2, 2])


def test_a_stock_more_or_less_does_not_change_what_a_base_model_says_of_the_others(shelf: Shelf) -> None:
    fewer = predicted(shelf, "spline_ridge", NIGHT.head(5))
    assert_series_equal(fewer[SCORE], predicted(shelf, "spline_ridge")[SCORE].head(5), rel_tol=1e-9)


@pytest.mark.parametrize("name", ["spline_ridge", STACK])
def test_an_artefact_that_is_not_the_one_recorded_does_not_serve(name: str, shelf: Shelf) -> None:
    with pytest.raises(ArtefactError, match="is not the one that was recorded"):
        load_service(shelf.root, {**shelf.rows[name], "sha256": "0" * 64})


def test_a_stack_whose_member_was_altered_does_not_serve(shelf: Shelf, tmp_path: Path) -> None:
    copy = tmp_path / "models"
    shutil.copytree(shelf.root, copy)
    model_file = next((copy / str(shelf.rows["lightgbm"]["artefact"])).glob("*.txt"))
    model_file.write_text(model_file.read_text() + " ")
    with pytest.raises(ArtefactError, match="is not the file that the manifest lists"):
        load_service(copy, shelf.rows[STACK])


def test_a_version_whose_artefact_is_gone_does_not_serve(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="is missing"):
        load_service(tmp_path, shelf.rows["spline_ridge"])


@pytest.mark.parametrize("model", [*WEIGHTS, STACK])
def test_a_version_whose_features_are_not_made_now_is_refused_with_the_remedy(model: str, shelf: Shelf) -> None:
    service = load_service(shelf.root, shelf.rows[model])
    with pytest.raises(
        InputError, match=f"version . of {model} learned from 2 features that are not made now, {sorted(FEATURES)[0]} among"
    ):
        predict(service, NIGHT.drop(sorted(FEATURES)[:2]))
