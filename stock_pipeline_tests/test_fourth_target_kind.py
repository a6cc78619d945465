"""A kind of target that is nothing but an object goes all the way: from the panel through training and scores to a prediction."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import (
    FORWARD_RETURN,
    PAST_VOLATILITY,
    PREDICTED_EXCESS_RETURN,
    PREDICTED_VOLATILITY,
    PROBABILITY_UP,
    SCORE,
    SESSION,
    SYMBOL,
    TARGET,
)
from stock_pipeline.datasets.catalogue import TargetKind
from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.reading import LoadedModel, Predictor
from stock_pipeline.models.recording import metrics_of
from stock_pipeline.models.subprocess_training import train_in_subprocesses
from stock_pipeline.predictions.inference import LoadedVersion, predict
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline_tests.factories.training_panels import FEATURES, panel, plan_of, saved, train_here

EXPOSED = ("f4",)


MOVE = TargetKind(
    name="move",
    outcomes=(FORWARD_RETURN, PAST_VOLATILITY),
    make=(pl.col(FORWARD_RETURN).abs() / pl.col(PAST_VOLATILITY)).log1p(),
    prediction=PREDICTED_VOLATILITY,
    predict=(pl.col(SCORE) + 0.5) * pl.col(PAST_VOLATILITY),
    exposures=EXPOSED,
    ranked_against=TARGET,
    ranks_stocks=False,
    betrays_leaks=False,
)


def test_a_fourth_kind_is_learnt_scored_and_predicted_as_it_says(tmp_path: Path) -> None:
    rows = panel(symbols=20, count=150, signal=1.0, kind=MOVE, exposures=EXPOSED)
    assert rows[TARGET].is_between(-0.5, 0.5).all() and PAST_VOLATILITY in rows.columns
    plan = plan_of(replace(model_entry("spline_ridge"), target=MOVE), rows, exposures=EXPOSED)
    trained = train_here(plan, rows)
    with train_in_subprocesses(plan, FEATURES, saved(rows, tmp_path / "panel"), lambda _note: None) as elsewhere:
        assert elsewhere.out_of_fold.equals(trained.out_of_fold)

    measured = metrics_of(trained.out_of_fold, MOVE)
    assert measured["rank_ic"] is not None and measured["rank_ic"] > 0.1
    assert measured["rank_ic"] != metrics_of(trained.out_of_fold, replace(MOVE, ranked_against=FORWARD_RETURN))["rank_ic"]

    last = rows[SESSION].max()
    night = rows.filter(pl.col(SESSION) == last)
    past = night.select(SYMBOL, SESSION, PAST_VOLATILITY)
    loaded = Predictor("mover", MOVE, {}, None, {"mover": LoadedModel(trained.model, MOVE.exposures)})
    made = DAILY_PREDICTIONS.validate(
        predict(LoadedVersion(1, "t1", loaded), rows.select(SESSION, SYMBOL, *FEATURES), night[SESSION][0], past)
    )
    assert made.height == 20 and made[SCORE].n_unique() > 1
    said = (np.array(made[SCORE]) + 0.5) * np.array(past.sort(SYMBOL)[PAST_VOLATILITY])
    assert made.sort(SYMBOL)[PREDICTED_VOLATILITY].to_list() == pytest.approx(said.tolist())
    assert made.select(PREDICTED_EXCESS_RETURN, PROBABILITY_UP).null_count().row(0) == (20, 20)
