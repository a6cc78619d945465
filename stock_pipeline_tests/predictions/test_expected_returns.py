"""What predictions mean over each horizon, against plain arithmetic."""

from math import exp

import polars as pl
import pytest

from stock_pipeline.core.columns import HORIZON, LOCAL_VOLATILITY, PREDICTED_EXCESS_RETURN, SESSION, SYMBOL, TRAINING_ID
from stock_pipeline.models.tables import RETURN_CALIBRATIONS
from stock_pipeline.predictions.expected_returns import expected_returns
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPECTED_RETURNS
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import prediction_row

DAYS = sessions(2)
SCORES = {"A": 0.3, "B": 0.1, "C": -0.1}
VOLATILITY = {"A": 0.01, "B": 0.04, "C": None}


def calibration(training_id: str, horizon: int, **values: float | None) -> dict[str, object]:
    row = {TRAINING_ID: training_id, HORIZON: horizon, "model": "stack", "as_of": DAYS[0], "sessions": 90, "slope": 0.0, "slope_error": 0.1}
    found = {"return_scale": 0.02 * horizon, "residual_low": -1.2 * horizon, "residual_high": 1.3 * horizon}
    return row | found | {"odds_slope": 0.5, "odds_intercept": -0.04 * horizon} | values


def made(*calibrations: dict[str, object], trainings: tuple[str, ...] = ("t1",)) -> pl.DataFrame:
    told = [prediction_row("stack", name, day, symbol, score) for name in trainings for day in DAYS for symbol, score in SCORES.items()]
    volatility = pl.DataFrame([{SESSION: day, SYMBOL: s, LOCAL_VOLATILITY: v} for day in DAYS for s, v in VOLATILITY.items()])
    found = expected_returns(
        pl.DataFrame(told, schema=DAILY_PREDICTIONS.dtypes),
        pl.DataFrame(calibrations, schema=RETURN_CALIBRATIONS.dtypes),
        volatility,
        0.002,
    )
    return EXPECTED_RETURNS.validate(found)


def test_each_stock_and_horizon_has_what_is_expected_its_interval_odds_and_cost() -> None:
    found = made(calibration("t1", 1), calibration("t1", 5))
    assert found.height == 2 * 3 * 2
    for row in found.iter_rows(named=True):
        horizon, over_mean, volatility = row[HORIZON], SCORES[row[SYMBOL]] - 0.1, VOLATILITY[row[SYMBOL]]
        expected = 0.02 * horizon * over_mean
        assert row[PREDICTED_EXCESS_RETURN] == pytest.approx(expected, abs=1e-12)
        assert row["probability_positive"] == pytest.approx(1 / (1 + exp(-(0.5 * over_mean - 0.04 * horizon))))
        assert row["round_trip_cost"] == 0.002
        bounds = (row["excess_return_low"], row["excess_return_high"])
        if volatility is None:
            assert bounds == (None, None)
        else:
            assert bounds == pytest.approx((expected - 1.2 * horizon * volatility, expected + 1.3 * horizon * volatility))


def test_a_score_that_has_shown_no_worth_leaves_the_range_of_what_may_come() -> None:
    found = made(calibration("t1", 1, return_scale=None, residual_high=None)).filter(pl.col(SYMBOL) == "A")
    assert found[PREDICTED_EXCESS_RETURN].to_list() == [None, None]
    assert found["excess_return_low"].to_list() == pytest.approx([-0.012, -0.012])
    assert found["excess_return_high"].to_list() == [None, None]


def test_a_training_that_was_never_calibrated_has_no_row_and_each_has_its_own() -> None:
    found = made(calibration("t1", 1), calibration("t2", 1, return_scale=0.5), trainings=("t1", "t2", "t3"))
    best = found.filter(pl.col(SYMBOL) == "A").group_by(TRAINING_ID).agg(pl.col(PREDICTED_EXCESS_RETURN).mean()).sort(TRAINING_ID)
    assert best.rows() == [("t1", pytest.approx(0.004)), ("t2", pytest.approx(0.1))]
    assert made(trainings=("t1",)).is_empty()
