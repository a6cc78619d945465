"""What scores are worth in return: made-up sessions of known skill, and new ones to try the findings on."""

from math import log, sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import FORWARD_RETURN, LOCAL_VOLATILITY, RETURN_SCALE, SCORE, SESSION, SYMBOL
from stock_pipeline.models.return_calibration import return_calibration
from stock_pipeline.models.tables import ODDS_INTERCEPT, ODDS_SLOPE, RESIDUAL_HIGH, RESIDUAL_LOW, SLOPE, SLOPE_ERROR
from stock_pipeline_tests.factories.panels import sessions

DAYS = sessions(600)
CALM, WILD = 0.01, 0.04


def world(skill: float, seed: int, count: int = 60, stocks: int = 20) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was said and what came: ``skill`` times the score, under noise as each stock's volatility has it and a market that moves all."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(count, stocks))
    volatility = np.tile(np.where(np.arange(stocks) % 2, CALM, WILD), (count, 1))
    storm = np.exp(0.3 * rng.normal(size=(count, 1)))  # some sessions are wilder than others
    returns = skill * score + volatility * storm * rng.normal(size=score.shape) + 0.02 * rng.normal(size=(count, 1))
    keys = {SESSION: [day for day in DAYS[:count] for _ in range(stocks)], SYMBOL: [f"S{i:02d}" for i in range(stocks)] * count}
    said = pl.DataFrame({**keys, SCORE: score.ravel(), LOCAL_VOLATILITY: volatility.ravel()})
    return said, pl.DataFrame({**keys, FORWARD_RETURN: returns.ravel()})


def found(said: pl.DataFrame, outcomes: pl.DataFrame, horizon: int = 1) -> dict[str, Any]:
    made = return_calibration(said, outcomes, horizon)
    assert made is not None
    return made


def excess(frame: pl.DataFrame, column: str) -> np.ndarray:
    return frame.select(pl.col(column) - pl.col(column).mean().over(SESSION)).to_series().to_numpy()


@pytest.mark.parametrize(("errors", "low", "high"), [(8.0, 0.95, 1.05), (3.0, 0.85, 1.1)])
def test_a_dollar_promised_is_a_dollar_brought_over_many_worlds_of_the_same_skill(errors: float, low: float, high: float) -> None:
    """The slope of realised on predicted excess returns of new sessions, for a skill of so many standard errors."""
    skill = errors * found(*world(0.0, 99, count=600))[SLOPE_ERROR] * sqrt(10)
    products = squares = 0.0
    for seed in range(60):
        scale = found(*world(skill, seed))[RETURN_SCALE] or 0.0
        said, outcomes = world(skill, 1000 + seed)
        predicted, realised = scale * excess(said, SCORE), excess(outcomes, FORWARD_RETURN)
        products, squares = products + float(predicted @ realised), squares + float(predicted @ predicted)
    assert low < products / squares < high


def test_noise_promises_little_and_less_than_its_slope_does() -> None:
    told = [found(*world(0.0, seed)) for seed in range(100)]
    shrunk, raw = (np.array(values) for values in zip(*((one[RETURN_SCALE] or 0.0, max(one[SLOPE], 0.0)) for one in told), strict=True))
    assert np.sqrt((shrunk**2).mean()) < 0.75 * np.sqrt((raw**2).mean())
    assert 35 <= int((shrunk == 0).sum()) <= 65  # a slope that does not rise promises nothing
    errors = np.array([one[SLOPE_ERROR] for one in told])
    assert np.std([one[SLOPE] for one in told]) == pytest.approx(errors.mean(), rel=0.2)


def test_the_scale_is_the_slope_of_excess_returns_shrunk() -> None:
    said, outcomes = world(0.0, 1, count=30, stocks=4)
    level = pl.col(SESSION).rank("dense") * 0.01
    exact = said.select(SESSION, SYMBOL, (0.02 * pl.col(SCORE) + level).alias(FORWARD_RETURN))
    assert (found(said, exact)[SLOPE], found(said, exact)[RETURN_SCALE]) == (pytest.approx(0.02), pytest.approx(0.02))
    noisy = found(said, outcomes.with_columns(pl.col(FORWARD_RETURN) + 0.01 * said[SCORE]))
    kept = noisy[SLOPE] ** 2 / (noisy[SLOPE] ** 2 + noisy[SLOPE_ERROR] ** 2)
    assert noisy[RETURN_SCALE] == pytest.approx(kept * noisy[SLOPE]) and kept < 0.999


def test_scores_that_were_wrong_or_follow_the_market_are_worth_nothing_not_their_opposite() -> None:
    said, _ = world(0.0, 1)
    wrong = said.select(SESSION, SYMBOL, (-pl.col(SCORE)).alias(FORWARD_RETURN))
    assert found(said, wrong)[RETURN_SCALE] is None and found(said, wrong)[ODDS_SLOPE] == 0
    level = said.with_columns(pl.col(SESSION).rank("dense").cast(pl.Float64).alias(SCORE))
    market = level.select(SESSION, SYMBOL, (0.01 * pl.col(SCORE)).alias(FORWARD_RETURN))
    assert (found(level, market)[SLOPE], found(level, market)[RETURN_SCALE]) == (0.0, None)


def test_four_fifths_of_the_outcomes_of_new_sessions_lie_within_the_interval_of_calm_and_of_wild_stocks() -> None:
    told = found(*world(0.002, 3, count=150))
    said, outcomes = world(0.002, 4, count=400)
    predicted = (told[RETURN_SCALE] or 0.0) * excess(said, SCORE)
    surprise = excess(outcomes, FORWARD_RETURN) - predicted
    width = said[LOCAL_VOLATILITY].to_numpy()
    inside = (told[RESIDUAL_LOW] * width <= surprise) & (surprise <= told[RESIDUAL_HIGH] * width)
    by_session = inside.reshape(400, 20).mean(axis=1)
    assert by_session.mean() == pytest.approx(0.8, abs=0.03)
    for part in (CALM, WILD):
        assert inside[width == part].mean() == pytest.approx(0.8, abs=0.05)
    assert (surprise < told[RESIDUAL_LOW] * width).mean() == pytest.approx(0.1, abs=0.025)


def test_every_session_counts_the_same_in_the_interval_however_many_stocks_it_has() -> None:
    said, outcomes = world(0.0, 5, count=40, stocks=4)
    crowd = pl.DataFrame({SESSION: [DAYS[100]] * 1000, SYMBOL: [f"C{i}" for i in range(1000)], SCORE: [0.0] * 1000})
    crowd = crowd.with_columns(pl.lit(CALM).alias(LOCAL_VOLATILITY), (pl.int_range(1000) / 100).alias(FORWARD_RETURN))
    alone, beside = (found(said, outcomes), found(pl.concat([said, crowd.drop(FORWARD_RETURN)]), _joined(outcomes, crowd)))
    assert beside[RESIDUAL_HIGH] < 1.5 * alone[RESIDUAL_HIGH]
    few = world(0.0, 5, count=8)
    assert found(*few)[RESIDUAL_LOW] is None and found(*few)[RESIDUAL_HIGH] is None
    assert found(*world(0.0, 5, count=9))[RESIDUAL_HIGH] is not None


def _joined(outcomes: pl.DataFrame, crowd: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([outcomes, crowd.select(SESSION, SYMBOL, FORWARD_RETURN)])


def test_the_odds_of_a_positive_excess_return_are_its_frequency() -> None:
    skill = 0.01
    told = found(*world(skill, 6, count=300))
    said, outcomes = world(skill, 7, count=300)
    x = excess(said, SCORE)
    probability = 1 / (1 + np.exp(-(told[ODDS_SLOPE] * x + told[ODDS_INTERCEPT])))
    positive = excess(outcomes, FORWARD_RETURN) > 0
    for part in np.array_split(np.argsort(x), 5):
        assert positive[part].mean() == pytest.approx(probability[part].mean(), abs=0.05)
    assert np.ptp(probability) > 0.3 and told[ODDS_INTERCEPT] == pytest.approx(log(positive.mean() / (1 - positive.mean())), abs=0.1)


def test_overlapping_outcomes_of_a_longer_horizon_are_less_certain() -> None:
    rng = np.random.default_rng(8)
    stocks, count = 20, 300
    score = np.tile(rng.normal(size=stocks), (count, 1)) + 0.1 * rng.normal(size=(count, stocks))  # it lasts
    daily = 0.02 * rng.normal(size=(count + 4, stocks))
    returns = sum(daily[k : count + k] for k in range(5))
    keys = {SESSION: [day for day in DAYS[:count] for _ in range(stocks)], SYMBOL: [f"S{i:02d}" for i in range(stocks)] * count}
    said = pl.DataFrame({**keys, SCORE: score.ravel(), LOCAL_VOLATILITY: 0.02})
    outcomes = pl.DataFrame({**keys, FORWARD_RETURN: np.asarray(returns).ravel()})
    assert found(said, outcomes, 5)[SLOPE_ERROR] > 1.5 * found(said, outcomes, 1)[SLOPE_ERROR]


def test_where_nothing_is_known_there_is_no_calibration_and_what_is_missing_is_left_out() -> None:
    said, outcomes = world(0.005, 9)
    assert return_calibration(said, outcomes.clear(), 1) is None
    assert return_calibration(said.clear(), outcomes, 1) is None
    gone = said.with_columns(pl.when(pl.col(SYMBOL) == "S00").then(None).otherwise(LOCAL_VOLATILITY).alias(LOCAL_VOLATILITY))
    assert found(gone, outcomes)[SLOPE] == found(said, outcomes)[SLOPE]
    assert found(gone, outcomes)[RESIDUAL_HIGH] != found(said, outcomes)[RESIDUAL_HIGH]
    shuffled, others = (frame.sample(fraction=1, shuffle=True, seed=1) for frame in (said, outcomes))
    assert found(shuffled, others) == found(said, outcomes)
