"""The asset of the predictions: what it reads for models that look at several sessions, and what it writes."""

import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import (
    HORIZON,
    MODEL,
    PAST_VOLATILITY,
    PREDICTED_EXCESS_RETURN,
    PREDICTED_VOLATILITY,
    RANK,
    SCORE,
    SESSION,
    SYMBOL,
    TRAINING_ID,
    VERSION,
)
from stock_pipeline.datasets.reading import read_inputs, read_past_volatility
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.features.catalogue import CORE, hash_features
from stock_pipeline.features.tables import daily_features
from stock_pipeline.models.artefacts import write_artefact
from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.manifest import Manifest
from stock_pipeline.models.tables import RETURN_CALIBRATIONS, TRAININGS
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.orchestration.reporting import output_metadata
from stock_pipeline.predictions.assets import REASONS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPECTATION, EXPECTED_RETURNS, EXPLANATIONS, SIGNALS
from stock_pipeline.registry.tables import MODEL_ENABLEMENT, MODEL_VERSIONS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import empty_stores, everyone_in, prediction_row, put, training_row, version_row
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.factories.training_panels import ONE_THREAD, quick
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import make, rows_of

SYMBOLS, SESSIONS = 6, 50
DAYS = sessions(SESSIONS)
MODELS = ("n_hits", "risk")


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """Bars and made-up features of fifty sessions, and two active versions since the fortieth: one looks at four sessions."""
    stores = empty_stores(tmp_path)
    put_bars(stores, SESSIONS, SYMBOLS)
    rng = np.random.default_rng(5)
    keys = {SYMBOL: [f"S{i:02d}" for i in range(SYMBOLS)] * SESSIONS, SESSION: [day for day in DAYS for _ in range(SYMBOLS)]}
    features = pl.DataFrame({**keys, **{name: rng.normal(size=SYMBOLS * SESSIONS).astype(np.float32) for name in CORE.names}})
    put(stores, daily_features(CORE), features, DAYS[-1])
    everyone_in(stores, features, DAYS[-1])
    trained = [serve(stores, name) for name in MODELS]
    put(stores, TRAININGS, trained, DAYS[39])
    put(stores, MODEL_VERSIONS, [version_row(name, 1, f"{name}_1", DAYS[39]) for name in MODELS], DAYS[39])
    return stores


def fitted(stores: Stores, name: str) -> Estimator:
    inputs = read_inputs(stores, plain_settings(stores.home), Selection(last=DAYS[39])).sort(SESSION, SYMBOL)
    estimator = quick(model_entry(name)).make(ONE_THREAD)
    estimator.fit(Samples.of(inputs, CORE.names), inputs["return_1"].cast(pl.Float64).to_numpy())
    return estimator


def serve(stores: Stores, name: str) -> dict[str, object]:
    """Write the artefact of a model; returns its row of TRAININGS."""
    estimator, target = fitted(stores, name), model_entry(name).target.name
    manifest = Manifest(
        model=name,
        training_id=f"{name}_1",
        as_of=DAYS[39],
        train_from=DAYS[0],
        train_to=DAYS[39],
        features=CORE.names,
        features_hash=hash_features(CORE.names),
        rows=SYMBOLS * 40,
        parameters={},
        metrics={},
        seed=1,
        threads=1,
        code_version="1",
        target=target,
        window=estimator.window,
    )
    artefact = write_artefact(stores.home / "models", estimator, manifest)
    return training_row(name, f"{name}_1", DAYS[39], target=target, artefact=artefact.path.as_posix(), sha256=artefact.sha256)


def predict_night(stores: Stores, as_of: date) -> StageResult:
    return make(DAILY_PREDICTIONS, stores, plain_settings(stores.home), as_of)


def rows(stores: Stores, model: str, days: Sequence[date]) -> pl.DataFrame:
    return stores.read(DAILY_PREDICTIONS).filter((pl.col(MODEL) == model) & pl.col(SESSION).is_in(days)).sort(SESSION, SYMBOL)


def test_a_model_that_looks_at_several_sessions_is_given_them(stores: Stores) -> None:
    predict_night(stores, DAYS[45])
    inputs = read_inputs(stores, plain_settings(stores.home), Selection(last=DAYS[45])).sort(SESSION, SYMBOL)
    said = fitted(stores, "n_hits").predict(Samples.of(inputs, CORE.names).take((inputs[SESSION] == DAYS[45]).to_numpy()))
    assert np.allclose(rows(stores, "n_hits", DAYS)[SCORE].to_numpy(), said, rtol=1e-5)


def test_nights_made_up_for_after_a_gap_are_predicted_as_on_the_night(stores: Stores, tmp_path: Path) -> None:
    predict_night(stores, DAYS[45])
    predict_night(stores, DAYS[49])
    caught_up = rows(stores, "n_hits", DAYS[46:])
    assert caught_up[SESSION].unique().to_list() == DAYS[46:]
    for day in DAYS[46:]:
        inputs = read_inputs(stores, plain_settings(tmp_path), Selection(last=day)).sort(SESSION, SYMBOL)
        said = fitted(stores, "n_hits").predict(Samples.of(inputs, CORE.names).take((inputs[SESSION] == day).to_numpy()))
        assert np.allclose(caught_up.filter(pl.col(SESSION) == day)[SCORE].to_numpy(), said, rtol=1e-5)


def test_the_volatility_ahead_rests_on_the_past_one_as_of_the_session(stores: Stores) -> None:
    predict_night(stores, DAYS[45])
    past = read_past_volatility(stores, plain_settings(stores.home), DAYS[45]).filter(pl.col(SESSION) == DAYS[45])
    found = rows(stores, "risk", DAYS).join(past, on=[SYMBOL, SESSION], how="left")
    expected = (found[SCORE].exp() * found[PAST_VOLATILITY]).to_list()
    assert sum(value is not None for value in expected) > 0
    assert found[PREDICTED_VOLATILITY].to_list() == [None if value is None else pytest.approx(value) for value in expected]


def test_explanations_are_written_for_models_that_can_tell(stores: Stores) -> None:
    predict_night(stores, DAYS[45])
    found = stores.read(EXPLANATIONS)
    assert set(found[TRAINING_ID]) == {"risk_1"}
    assert found.group_by(SYMBOL, SESSION).agg(pl.col(RANK).sort())[RANK].to_list() == [list(range(1, REASONS + 1))] * SYMBOLS


def test_where_no_model_can_tell_nothing_is_explained_and_predictions_are_made_all_the_same(stores: Stores) -> None:
    put(stores, MODEL_VERSIONS, [version_row("risk", 1, "risk_1", DAYS[39], DAYS[40])], DAYS[40])
    predict_night(stores, DAYS[45])
    assert (stores.count(DAILY_PREDICTIONS), stores.count(EXPLANATIONS)) == (SYMBOLS, 0)


def test_what_has_been_predicted_stands(stores: Stores) -> None:
    predict_night(stores, DAYS[45])
    before = stores.content_hash(DAILY_PREDICTIONS)
    assert predict_night(stores, DAYS[45]).output is None
    assert stores.content_hash(DAILY_PREDICTIONS) == before


def add_version(stores: Stores, name: str, version: int, row: dict[str, object]) -> None:
    """Another version of a model, with an artefact of its own."""
    first = next(held for held in stores.read(TRAININGS).iter_rows(named=True) if held[TRAINING_ID] == f"{name}_1")
    training = f"{name}_{version}"
    folder, source = (stores.home / "models" / name / key for key in (training, f"{name}_1"))
    shutil.copytree(source, folder)
    put(stores, TRAININGS, [first | {TRAINING_ID: training, "artefact": f"{name}/{training}", "number": version}], DAYS[40])
    put(stores, MODEL_VERSIONS, [row], DAYS[40])


def test_versions_in_shadow_predict_beside_those_in_service_and_are_not_traded(stores: Stores) -> None:
    add_version(stores, "n_hits", 2, version_row("n_hits", 2, "n_hits_2", DAYS[40]) | {"status": "shadow", "active_from": None})
    predict_night(stores, DAYS[45])
    made = rows(stores, "n_hits", DAYS)
    assert dict(made.group_by(TRAINING_ID).len().iter_rows()) == {"n_hits_1": SYMBOLS, "n_hits_2": SYMBOLS}
    assert set(signals_of(stores, DAYS[45])[VERSION]) == {1}


def test_a_damaged_version_gives_way_to_the_last_good_one(stores: Stores) -> None:
    put(stores, MODEL_VERSIONS, [version_row("n_hits", 1, "n_hits_1", DAYS[39], DAYS[40])], DAYS[40])
    add_version(stores, "n_hits", 2, version_row("n_hits", 2, "n_hits_2", DAYS[40]))
    next((stores.home / "models" / "n_hits" / "n_hits_2").glob("*.safetensors")).unlink()
    predict_night(stores, DAYS[45])
    assert set(rows(stores, "n_hits", DAYS)[TRAINING_ID]) == {"n_hits_1"}
    assert set(signals_of(stores, DAYS[45])[VERSION]) == {1}
    assert predict_night(stores, DAYS[45]).output is None  # it is not tried again and again


def test_a_model_none_of_whose_versions_is_whole_is_left_out(stores: Stores) -> None:
    shutil.rmtree(stores.home / "models" / "n_hits")
    predict_night(stores, DAYS[45])
    assert set(stores.read(DAILY_PREDICTIONS)[MODEL]) == {"risk"}


def test_a_disabled_model_predicts_nothing_until_it_is_enabled(stores: Stores) -> None:
    put(stores, MODEL_ENABLEMENT, [{MODEL: "n_hits", "enabled": False, "as_of": DAYS[44], "reason": "it errs"}], DAYS[44])
    predict_night(stores, DAYS[45])
    assert set(stores.read(DAILY_PREDICTIONS)[MODEL]) == {"risk"}
    assert signals_of(stores, DAYS[45]).is_empty()
    put(stores, MODEL_ENABLEMENT, [{MODEL: "n_hits", "enabled": True, "as_of": DAYS[45], "reason": "mended"}], DAYS[45])
    predict_night(stores, DAYS[45])
    assert rows(stores, "n_hits", DAYS).height == SYMBOLS


def signals_of(stores: Stores, as_of: date) -> pl.DataFrame:
    """The signals that are made as of a session."""
    outcome = make(SIGNALS, stores, plain_settings(stores.home), as_of)
    assert outcome.output is not None
    return rows_of(outcome, SIGNALS) if outcome.output.writes else SIGNALS.empty()


def test_predictions_and_signals_show_a_picture_and_tables_of_one_line_a_stock(stores: Stores) -> None:
    predicted = predict_night(stores, DAYS[45]).output
    traded = make(SIGNALS, stores, plain_settings(stores.home), DAYS[45]).output
    assert predicted is not None and traded is not None
    assert set(predicted.charts()) == {"predictions"} and set(output_metadata(traded)) == {"best_and_worst", "signals"}
    assert predicted.tables["best"].columns == [RANK, SYMBOL, SCORE, PREDICTED_EXCESS_RETURN]
    assert predicted.tables["best"][RANK].to_list() == list(range(1, SYMBOLS + 1))
    assert predicted.tables["strongest_feature"].width == 5


def predicted_by(home: Path, serving: Mapping[str, int]) -> Stores:
    """Stores with predictions up to DAYS[43] of models, each from the night of its first version on."""
    stores = empty_stores(home)
    put_bars(stores, SESSIONS, SYMBOLS)
    put(stores, MODEL_VERSIONS, [version_row(model, 1, f"{model}_1", DAYS[first]) for model, first in serving.items()], DAYS[40])
    made = [
        prediction_row(model, f"{model}_1", DAYS[night], f"S{stock:02d}", float(stock))
        for model, first in serving.items()
        for night in range(first, 44)
        for stock in range(SYMBOLS)
    ]
    put(stores, DAILY_PREDICTIONS, made, DAYS[40])
    return stores


def test_signals_are_for_the_open_after_the_session_that_was_predicted_even_where_none_was_since(tmp_path: Path) -> None:
    stores = predicted_by(tmp_path, {"lightgbm": 40, "xgboost": 40})
    for night in (43, 44):
        made = signals_of(stores, DAYS[night]).filter(pl.col(SESSION) == DAYS[43])
        assert made["next_session"].unique().to_list() == [DAYS[44]]


def test_a_stack_none_of_whose_models_is_enabled_is_not_traded(tmp_path: Path) -> None:
    stores = predicted_by(tmp_path, {"lightgbm": 40, "xgboost": 40, "stack": 40})
    off = [{MODEL: model, "enabled": False, "as_of": DAYS[43], "reason": "it errs"} for model in ("lightgbm", "xgboost")]
    put(stores, MODEL_ENABLEMENT, off[:1], DAYS[43])
    assert set(signals_of(stores, DAYS[43])[MODEL]) == {"stack"}
    put(stores, MODEL_ENABLEMENT, off, DAYS[43])
    assert signals_of(stores, DAYS[43]).is_empty()


def test_every_missed_night_has_the_signals_of_the_model_that_led_on_it(tmp_path: Path) -> None:
    """The stack leads only from the night of its first version on; before it, the first of the models."""
    made = {}
    for name, nights in (("on", range(40, 44)), ("off", (40, 43))):
        stores = predicted_by(tmp_path / name, {"lightgbm": 40, "xgboost": 40, "stack": 42})
        for night in nights:
            signals_of(stores, DAYS[night])
        made[name] = stores.read(SIGNALS)
    led = made["off"].select(SESSION, MODEL).unique().sort(SESSION)[MODEL].to_list()
    assert led == ["lightgbm", "lightgbm", "stack", "stack"]
    assert made["off"].equals(made["on"])


def test_going_back_to_a_version_trades_on_it_and_leaves_what_was_said(stores: Stores) -> None:
    add_version(stores, "n_hits", 2, version_row("n_hits", 2, "n_hits_2", DAYS[40]))
    put(stores, MODEL_VERSIONS, [version_row("n_hits", 1, "n_hits_1", DAYS[39], DAYS[40])], DAYS[40])
    predict_night(stores, DAYS[45])
    said = rows(stores, "n_hits", DAYS)
    assert set(said[TRAINING_ID]) == {"n_hits_2"}
    back = [version_row("n_hits", 1, "n_hits_1", DAYS[45]), version_row("n_hits", 2, "n_hits_2", DAYS[40], DAYS[45])]
    put(stores, MODEL_VERSIONS, back, DAYS[45])
    predict_night(stores, DAYS[45])
    now = rows(stores, "n_hits", DAYS)
    assert now.filter(pl.col(TRAINING_ID) == "n_hits_2").sort(SYMBOL).equals(said.sort(SYMBOL))
    assert set(now[TRAINING_ID]) == {"n_hits_1", "n_hits_2"}
    assert set(signals_of(stores, DAYS[45])[VERSION]) == {1}


def test_what_a_prediction_means_is_written_for_each_horizon_of_versions_that_were_calibrated(stores: Stores) -> None:
    found = {"slope": 0.01, "return_scale": 0.01, "residual_low": -1.0, "residual_high": 1.0, "odds_slope": 0.1, "odds_intercept": 0.0}
    named = {TRAINING_ID: "n_hits_1", MODEL: "n_hits", "as_of": DAYS[39], "sessions": 30}
    put(stores, RETURN_CALIBRATIONS, [{**named, **found, HORIZON: horizon} for horizon in (1, 5)], DAYS[39])
    made = predict_night(stores, DAYS[45]).output
    meant = stores.read(EXPECTED_RETURNS)
    assert meant.group_by(MODEL, VERSION, SESSION, HORIZON).len().sort(HORIZON).rows() == [
        ("n_hits", 1, DAYS[45], horizon, SYMBOLS) for horizon in (1, 5)
    ]
    scores = rows(stores, "n_hits", DAYS)[SCORE]
    expected = (0.01 * (scores - scores.mean())).to_list() * 2
    assert meant.sort(HORIZON, SYMBOL)[PREDICTED_EXCESS_RETURN].to_list() == pytest.approx(expected)
    volatility = stores.read(daily_features(CORE)).filter(pl.col(SESSION) == DAYS[45])["volatility_60"].cast(pl.Float64)
    width = (meant["excess_return_high"] - meant["excess_return_low"]).sort().to_list()
    assert width == pytest.approx(sorted([2 * value for value in volatility] * 2))
    assert set(meant["round_trip_cost"]) == {0.002}  # 10 basis points to buy and 10 to sell
    assert made is not None
    shown = made.tables["expected"]
    assert shown.columns == [RANK, SYMBOL, *EXPECTATION] and shown[RANK].to_list() == list(range(1, SYMBOLS + 1))
    assert shown.drop(RANK).sort(SYMBOL).equals(meant.filter(pl.col(HORIZON) == 1).sort(SYMBOL).select(SYMBOL, *EXPECTATION))
