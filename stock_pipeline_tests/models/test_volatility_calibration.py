"""The volatility to be expected, against what came, in every tenth of the stocks."""

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import PAST_VOLATILITY, SCORE, SESSION, SYMBOL, TARGET
from stock_pipeline.models.volatility_calibration import volatility_calibration
from stock_pipeline_tests.factories.panels import sessions

DAYS = sessions(240)


def world(reversion: float, noise: float, seed: int, count: int = 120, stocks: int = 200) -> pl.DataFrame:
    """Scores of a model that knows a part of what is to be known, but not the level: the calm become wilder, the wild calmer."""
    rng = np.random.default_rng(seed)
    usual = np.log(0.015)
    past = usual + 0.5 * rng.normal(size=(count, stocks)) + 0.1 * rng.normal(size=(count, 1))
    known = 0.2 * rng.normal(size=past.shape)
    target = known - reversion * (past - usual) + noise * rng.normal(size=past.shape)
    keys = {SESSION: [day for day in DAYS[:count] for _ in range(stocks)], SYMBOL: [f"S{i:03d}" for i in range(stocks)] * count}
    return pl.DataFrame({**keys, SCORE: known.ravel(), TARGET: target.ravel(), PAST_VOLATILITY: np.exp(past).ravel()})


def ratios(frame: pl.DataFrame, factor: float, exponent: float) -> np.ndarray:
    """Mean of realised over mean of predicted in each tenth of the predicted."""
    said = np.exp(frame[SCORE].to_numpy()) * frame[PAST_VOLATILITY].to_numpy()
    predicted, realised = factor * said**exponent, np.exp(frame[TARGET].to_numpy()) * frame[PAST_VOLATILITY].to_numpy()
    return np.array([realised[tenth].mean() / predicted[tenth].mean() for tenth in np.array_split(np.argsort(predicted), 10)])


@pytest.mark.parametrize(("reversion", "noise"), [(0.2, 0.5), (0.0, 0.6), (-0.1, 0.3)])
def test_the_mean_of_what_comes_is_what_was_predicted_in_every_tenth(reversion: float, noise: float) -> None:
    told = volatility_calibration(world(reversion, noise, 1), horizon=5)
    assert told["volatility_factor"] is not None and told["volatility_exponent"] is not None
    fresh = world(reversion, noise, 2)
    assert np.abs(ratios(fresh, told["volatility_factor"], told["volatility_exponent"]) - 1).max() < 0.05


def test_the_score_alone_is_a_median_and_too_low_for_the_calmest_tenth() -> None:
    alone = ratios(world(0.2, 0.5, 2), 1.0, 1.0)
    assert alone[0] > 1.25 and alone[-1] < 1.0


def test_where_the_level_is_known_the_factor_is_duans_smearing_estimate() -> None:
    frame = world(0.0, 0.6, 3)
    told = volatility_calibration(frame, horizon=1)
    assert told["volatility_exponent"] == pytest.approx(1.0, abs=0.01)
    assert told["volatility_factor"] == pytest.approx(np.exp(frame[TARGET] - frame[SCORE]).mean(), rel=0.05)
    assert told["volatility_factor"] == pytest.approx(np.exp(0.6**2 / 2), rel=0.06)


def test_few_sessions_bend_the_level_less_than_many() -> None:
    def bent(count: int) -> float:
        told = volatility_calibration(world(0.2, 0.5, 4, count, stocks=8), horizon=5)["volatility_exponent"]
        assert told is not None
        return 1 - told

    assert bent(1) == 0 and bent(240) == pytest.approx(0.2, abs=0.05)


def test_a_level_that_would_turn_the_order_round_is_left_as_it_is_and_no_row_tells_nothing() -> None:
    told = volatility_calibration(world(1.5, 0.1, 5), horizon=1)
    assert told["volatility_exponent"] == 1.0
    frame = world(0.2, 0.5, 6)
    nothing = {"volatility_factor": None, "volatility_exponent": None}
    assert volatility_calibration(frame.clear(), 5) == nothing
    assert volatility_calibration(frame.with_columns(pl.lit(None, pl.Float64).alias(PAST_VOLATILITY)), 5) == nothing
    flat = frame.with_columns(pl.lit(0.0).alias(SCORE), pl.lit(0.02).alias(PAST_VOLATILITY))
    assert volatility_calibration(flat, 5)["volatility_exponent"] == 1.0
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    assert volatility_calibration(shuffled, 5) == volatility_calibration(frame, 5)
