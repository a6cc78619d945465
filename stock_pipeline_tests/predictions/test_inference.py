import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal

from stock_pipeline.core.columns import (
    CONTRIBUTION,
    FEATURE,
    MODEL,
    PAST_VOLATILITY,
    PREDICTED_EXCESS_RETURN,
    PREDICTED_VOLATILITY,
    PROBABILITY_UP,
    RANK,
    SCORE,
    SESSION,
    SYMBOL,
    TRAINING_ID,
    VALUE,
    VERSION,
)
from stock_pipeline.core.errors import ArtefactError, InputError
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.datasets.targets.neutralisation import neutralised
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.stacking import combine
from stock_pipeline.predictions.inference import explanations, load_version, predict
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPLANATIONS
from stock_pipeline_tests.factories.artefact_shelf import EXPOSED, INPUTS, LAST, NIGHT, OTHERS, SCALE, WEIGHTS, Shelf, filled_shelf, put
from stock_pipeline_tests.factories.training_panels import FEATURES

PAST = NIGHT.select(SYMBOL, SESSION, pl.Series(PAST_VOLATILITY, [None, *np.linspace(0.01, 0.05, NIGHT.height - 1)]))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return filled_shelf(tmp_path_factory.mktemp("models"))


def predicted(shelf: Shelf, name: str, inputs: pl.DataFrame = INPUTS) -> pl.DataFrame:
    return DAILY_PREDICTIONS.validate(predict(load_version(shelf.root, shelf.rows[name], shelf.recorded), inputs, LAST, PAST))


def told(shelf: Shelf, name: str, inputs: pl.DataFrame = INPUTS, count: int = 5) -> pl.DataFrame:
    return EXPLANATIONS.validate(explanations(load_version(shelf.root, shelf.rows[name], shelf.recorded), inputs, LAST, count))


@pytest.mark.parametrize("name", [*WEIGHTS, *OTHERS, STACK])
def test_every_stock_has_a_score_and_a_place_from_the_best_down(name: str, shelf: Shelf) -> None:
    made = predicted(shelf, name)
    assert made.select(SESSION, SYMBOL).equals(NIGHT.select(SESSION, SYMBOL))
    assert made.select(MODEL, TRAINING_ID, VERSION).unique().rows() == [(name, f"{name}_1", 3)]
    best_first = made.sort(RANK)
    assert best_first[RANK][0] == 1
    assert best_first[SCORE].is_sorted(descending=True)


@pytest.mark.parametrize("name", [*WEIGHTS, "lightgbm"])
def test_a_score_is_what_the_estimator_says_less_a_quarter_of_what_the_exposures_explain(name: str, shelf: Shelf) -> None:
    said = shelf.estimator(name).predict(Samples.of(INPUTS, FEATURES))
    raw = INPUTS.with_columns(pl.Series("said", said)).filter(pl.col(SESSION) == LAST)
    neutral = neutralised(raw, "said", EXPOSED)["said"]
    made = predicted(shelf, name)[SCORE]
    assert_series_equal(made, 0.75 * raw["said"] + 0.25 * neutral, check_names=False, rel_tol=1e-6)
    assert not np.allclose(made.to_numpy(), raw["said"].to_numpy())


@pytest.mark.parametrize("name", ["risk", "direction"])
def test_a_score_that_ranks_no_returns_is_what_the_estimator_says(name: str, shelf: Shelf) -> None:
    said = shelf.estimator(name).predict(Samples.of(NIGHT, FEATURES))
    assert np.allclose(predicted(shelf, name)[SCORE].to_numpy(), said)


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_a_model_of_the_return_foretells_the_return_alone(name: str, shelf: Shelf) -> None:
    made = predicted(shelf, name)
    assert made[PREDICTED_EXCESS_RETURN].to_list() == pytest.approx((SCALE * (made[SCORE] - made[SCORE].mean())).to_list())
    assert made.select(PREDICTED_VOLATILITY, PROBABILITY_UP).null_count().row(0) == (made.height, made.height)


def test_the_volatility_ahead_is_the_past_one_times_what_the_model_makes_of_it(shelf: Shelf) -> None:
    made = predicted(shelf, "risk").join(PAST, on=[SYMBOL, SESSION])
    first, *others = made.iter_rows(named=True)
    assert first[PREDICTED_VOLATILITY] is None  # nothing is known of the past
    ahead = [1.2 * (np.exp(r[SCORE]) * r[PAST_VOLATILITY]) ** 0.95 for r in others]
    assert [row[PREDICTED_VOLATILITY] for row in others] == pytest.approx(ahead)
    assert all(row[PREDICTED_VOLATILITY] > 0 for row in others)
    assert made.select(PREDICTED_EXCESS_RETURN, PROBABILITY_UP).null_count().row(0) == (made.height, made.height)


def test_the_probability_of_a_rise_lies_half_above_the_score(shelf: Shelf) -> None:
    made = predicted(shelf, "direction")
    assert made[PROBABILITY_UP].to_list() == pytest.approx((made[SCORE] + 0.5).to_list())
    assert made[PROBABILITY_UP].is_between(0, 1).all()
    assert made.select(PREDICTED_EXCESS_RETURN, PREDICTED_VOLATILITY).null_count().row(0) == (made.height, made.height)


def test_the_stack_s_score_is_its_members_scores_combined(shelf: Shelf) -> None:
    wide = NIGHT.select(SESSION, SYMBOL).with_columns(predicted(shelf, name)[SCORE].alias(name) for name in WEIGHTS)
    assert predicted(shelf, STACK)[SCORE].equals(combine(wide, WEIGHTS, 0.3)[SCORE])


def test_scores_of_unknown_worth_foretell_no_return(shelf: Shelf) -> None:
    assert predicted(shelf, STACK)[PREDICTED_EXCESS_RETURN].null_count() == NIGHT.height


def test_a_stack_looks_at_as_many_sessions_as_the_member_that_looks_at_most(shelf: Shelf) -> None:
    windows = {name: load_version(shelf.root, row, shelf.recorded).predictor.window for name, row in shelf.rows.items()}
    assert windows == {"spline_ridge": 1, "n_hits": 4, "lightgbm": 1, "risk": 1, "direction": 1, STACK: 4}


@pytest.mark.parametrize("name", [*WEIGHTS, "risk", STACK])
def test_a_session_is_predicted_alike_alone_and_among_others(name: str, shelf: Shelf) -> None:
    window = load_version(shelf.root, shelf.rows[name], shelf.recorded).predictor.window
    days = INPUTS[SESSION].unique().sort().tail(window)
    alone = predicted(shelf, name, INPUTS.filter(pl.col(SESSION) >= days[0]))
    among = predicted(shelf, name, INPUTS.sample(fraction=1, shuffle=True, seed=2))
    assert among[SESSION].unique().to_list() == [LAST]
    # Not to the bit: a product of matrices rounds by the number of its rows, and a night is always predicted alone.
    assert_frame_equal(among.sort(SYMBOL), alone.sort(SYMBOL), rel_tol=1e-6)


def test_a_model_that_looks_at_several_sessions_says_otherwise_of_one_alone(shelf: Shelf) -> None:
    assert not np.allclose(predicted(shelf, "n_hits", NIGHT)[SCORE].to_numpy(), predicted(shelf, "n_hits")[SCORE].to_numpy())


def test_what_comes_after_the_session_changes_nothing(shelf: Shelf) -> None:
    days = INPUTS[SESSION].unique().sort()
    loaded = load_version(shelf.root, shelf.rows[STACK], shelf.recorded)
    earlier = [predict(loaded, INPUTS.filter(pl.col(SESSION) <= last), days[-3], PAST) for last in (days[-3], days[-1])]
    assert_frame_equal(earlier[0], earlier[1], rel_tol=1e-6)


def test_stocks_of_one_score_share_the_better_place(shelf: Shelf) -> None:
    twins = pl.concat([NIGHT.head(1), NIGHT.head(1).with_columns(pl.lit("TWIN").alias(SYMBOL)), NIGHT.slice(1, 1)])
    made = predicted(shelf, "risk", twins)
    scores = dict(made.select(SYMBOL, SCORE).iter_rows())
    assert scores[NIGHT[SYMBOL][0]] == scores["TWIN"]
    assert sorted(made[RANK].to_list()) in ([1, 1, 3], [1, 2, 2])


def test_a_stock_without_a_score_has_no_prediction_and_takes_no_place(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_version(shelf.root, shelf.rows["risk"], shelf.recorded)
    days = INPUTS[SESSION].unique().sort().tail(2)
    said = pl.DataFrame({SYMBOL: list("ABCDE"), SCORE: [2.0, None, 3.0, 2.0, 1.0]}).with_columns(pl.lit(days[1]).alias(SESSION))
    monkeypatch.setattr(type(loaded.predictor), "score", lambda *_: said)
    # What was known of a stock on another session, or of another stock on this one, says nothing.
    past = pl.DataFrame({SYMBOL: ["A", "A", "D", "C"], SESSION: [*days, days[1], days[0]], PAST_VOLATILITY: [0.1, 0.2, 0.3, 0.4]})
    made = DAILY_PREDICTIONS.validate(predict(loaded, INPUTS, days[1], past))
    assert made.select(SYMBOL, RANK).rows() == [("A", 2), ("C", 1), ("D", 2), ("E", 4)]
    expected = [1.2 * (np.exp(2.0) * 0.2) ** 0.95, None, 1.2 * (np.exp(2.0) * 0.3) ** 0.95, None]
    assert made[PREDICTED_VOLATILITY].to_list() == [None if value is None else pytest.approx(value) for value in expected]


def test_a_stock_more_or_less_does_not_change_what_a_model_without_exposures_says_of_the_others(shelf: Shelf) -> None:
    fewer = predicted(shelf, "risk", NIGHT.head(5))
    assert_series_equal(fewer[SCORE], predicted(shelf, "risk")[SCORE].head(5), rel_tol=1e-9)


@pytest.mark.parametrize("name", ["spline_ridge", STACK])
def test_an_artefact_that_is_not_the_one_recorded_does_not_serve(name: str, shelf: Shelf) -> None:
    with pytest.raises(ArtefactError, match="is not the one that was recorded"):
        load_version(shelf.root, {**shelf.rows[name], "sha256": "0" * 64}, shelf.recorded)


def alter(models: Path, row: Mapping[str, object]) -> None:
    """Add a byte to each file of the artefact but its manifest."""
    for file in (models / str(row["artefact"])).iterdir():
        if file.name != "manifest.json":
            file.write_bytes(file.read_bytes() + b" ")


def test_a_stack_goes_on_without_the_members_that_were_altered_or_disabled(shelf: Shelf, tmp_path: Path) -> None:
    copy, notes = tmp_path / "models", list[str]()
    shutil.copytree(shelf.root, copy)
    alter(copy, shelf.rows["n_hits"])
    whole = load_version(shelf.root, shelf.rows[STACK], shelf.recorded)
    left = load_version(copy, shelf.rows[STACK], shelf.recorded, report_progress=notes.append)
    members = left.predictor.members
    assert set(members) == set(whole.predictor.members) - {"n_hits"} and left.predictor.stack is not None
    assert set(left.predictor.stack.weights) == set(members)
    assert len(notes) == 1 and notes[0].startswith("the stack goes on without n_hits") and "is not the file that" in notes[0]
    off = load_version(shelf.root, shelf.rows[STACK], shelf.recorded, frozenset({"n_hits"}))
    told = [predict(loaded, INPUTS, LAST, PAST)[SCORE].to_list() for loaded in (left, off)]
    assert told[0] == told[1] != predict(whole, INPUTS, LAST, PAST)[SCORE].to_list()


def forge(models: Path, row: Mapping[str, object]) -> None:
    """Alter each file of the artefact, and its manifest so that it lists what is there now."""
    alter(models, row)
    folder = models / str(row["artefact"])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_member_that_was_forged_with_its_manifest_is_not_loaded(shelf: Shelf, tmp_path: Path) -> None:
    copy, notes = tmp_path / "models", list[str]()
    shutil.copytree(shelf.root, copy)
    forge(copy, shelf.rows["n_hits"])
    left = load_version(copy, shelf.rows[STACK], shelf.recorded, report_progress=notes.append)
    assert (
        "n_hits" not in left.predictor.members and "n_hits" in load_version(shelf.root, shelf.rows[STACK], shelf.recorded).predictor.members
    )
    assert len(notes) == 1 and "manifest.json is not the one that was recorded" in notes[0]


def test_a_member_whose_training_is_not_on_record_is_not_loaded(shelf: Shelf) -> None:
    recorded = {training: sha256 for training, sha256 in shelf.recorded.items() if training != "n_hits_1"}
    assert "n_hits" not in load_version(shelf.root, shelf.rows[STACK], recorded).predictor.members


def test_a_stack_without_a_member_left_does_not_serve(shelf: Shelf, tmp_path: Path) -> None:
    copy = tmp_path / "models"
    shutil.copytree(shelf.root, copy)
    members = set(load_version(copy, shelf.rows[STACK], shelf.recorded).predictor.members)
    for name in members:
        alter(copy, shelf.rows[name])
    with pytest.raises(ArtefactError, match=r"the stack has no member left: .* is not the file that the manifest lists"):
        load_version(copy, shelf.rows[STACK], shelf.recorded)
    with pytest.raises(ArtefactError, match=r"the stack has no member left: every member is disabled"):
        load_version(shelf.root, shelf.rows[STACK], shelf.recorded, frozenset(members))


def test_a_version_whose_artefact_is_gone_does_not_serve(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="is missing"):
        load_version(tmp_path, shelf.rows["spline_ridge"], shelf.recorded)


@pytest.mark.parametrize("model", [*WEIGHTS, STACK])
def test_a_version_whose_features_are_not_made_now_is_refused_with_the_remedy(model: str, shelf: Shelf) -> None:
    loaded = load_version(shelf.root, shelf.rows[model], shelf.recorded)
    missing = f"version . of {model} learned from 2 features that are not made now, {sorted(FEATURES)[0]} among"
    with pytest.raises(InputError, match=missing):
        predict(loaded, NIGHT.drop(sorted(FEATURES)[:2]), LAST, PAST)


def test_an_exposure_that_is_not_made_now_is_missed_like_a_feature(shelf: Shelf, tmp_path: Path) -> None:
    row = put(tmp_path, shelf.estimator("spline_ridge"), "spline_ridge", ("volatility_60",))
    with pytest.raises(InputError, match="learned from 1 features that are not made now, volatility_60 among"):
        predict(load_version(tmp_path, row, shelf.recorded), INPUTS, LAST, PAST)


@pytest.mark.parametrize("name", ["spline_ridge", "lightgbm", "risk", "direction"])
def test_the_strongest_features_of_every_score_are_told(name: str, shelf: Shelf) -> None:
    made = told(shelf, name)
    assert made.select(SYMBOL, RANK).rows() == [(symbol, rank) for symbol in NIGHT[SYMBOL] for rank in range(1, 6)]
    assert made.select(MODEL, TRAINING_ID, SESSION).unique().rows() == [(name, f"{name}_1", LAST)]
    tonight = Samples.of(INPUTS, FEATURES).take((INPUTS[SESSION] == LAST).to_numpy())
    contributions = shelf.estimator(name).explain(tonight)
    assert contributions is not None
    if name in ("spline_ridge", "lightgbm"):  # whose scores are neutralised
        columns = [pl.Series(feature, contributions[:, place]) for place, feature in enumerate(FEATURES)]
        freed = [neutralised(NIGHT.with_columns(raw.alias("raw")), "raw", EXPOSED)["raw"] for raw in columns]
        contributions = np.column_stack([0.75 * raw + 0.25 * free for raw, free in zip(columns, freed, strict=True)])
    for place, rows in enumerate(made.partition_by(SYMBOL)):
        strength = np.abs(contributions[place])
        assert rows[CONTRIBUTION].abs().to_list() == pytest.approx(sorted(strength, reverse=True)[:5], rel=1e-5, abs=1e-9)
        expected = [contributions[place][FEATURES.index(feature)] for feature in rows[FEATURE]]
        assert rows[CONTRIBUTION].to_list() == pytest.approx(expected, rel=1e-5, abs=1e-9)
        assert rows[VALUE].to_list() == [NIGHT[feature][place] for feature in rows[FEATURE]]


@pytest.mark.parametrize("name", ["spline_ridge", "lightgbm"])
def test_the_contributions_of_all_features_add_up_to_the_score_that_is_told(name: str, shelf: Shelf) -> None:
    summed = told(shelf, name, count=len(FEATURES)).group_by(SYMBOL).agg(pl.col(CONTRIBUTION).cast(pl.Float64).sum())
    both = summed.join(predicted(shelf, name), on=SYMBOL)
    rest = both[SCORE] - both[CONTRIBUTION]
    assert both.height == NIGHT.height and rest.std() < 1e-4 * both[SCORE].std()  # type: ignore[operator]


def test_only_as_many_features_are_told_as_asked_for(shelf: Shelf) -> None:
    assert told(shelf, "lightgbm", count=2)[RANK].unique().sort().to_list() == [1, 2]


@pytest.mark.parametrize("name", ["n_hits", STACK])
def test_models_that_cannot_tell_and_the_stack_explain_nothing(name: str, shelf: Shelf) -> None:
    assert told(shelf, name).is_empty()
