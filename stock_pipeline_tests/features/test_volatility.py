from math import log, sqrt

import pytest

from stock_pipeline_tests.factories.feature_bars import bars, last

SWING = [100.0, 110.0] * 35  # log returns of +s and -s in turn
S = log(1.1)


@pytest.mark.parametrize("window", [20, 60])
def test_volatility_is_the_deviation_of_log_returns(window: int) -> None:
    assert last(bars(SWING), f"volatility_{window}") == pytest.approx(S * sqrt(window / (window - 1)))


def test_volatility_ratio() -> None:
    calm_then_wild = [100.0] * 65 + [110.0, 100.0, 110.0, 100.0]
    short = sqrt((4 * S * S - 0) / 4)
    long = sqrt(4 * S * S / 59)
    assert last(bars(calm_then_wild), "volatility_ratio_5_60") == pytest.approx(short / long)


def test_parkinson() -> None:
    panel = bars([100.0] * 20, ranges=[(100, 110, 100)] * 20)
    assert last(panel, "parkinson_20") == pytest.approx(S / sqrt(4 * log(2)))


def test_the_average_true_range_sees_the_gap_overnight() -> None:
    panel = bars([100.0] * 60 + [120.0], ranges=[(100, 101, 99)] * 60 + [(119, 121, 118)])
    assert last(panel, "atr_14") == pytest.approx((13 * 2 + 21) / 14 / 120)


def test_the_session_s_range() -> None:
    assert last(bars([100.0], ranges=[(100, 103, 98)]), "session_range") == pytest.approx(103 / 98 - 1)


def test_bollinger_counts_in_deviations() -> None:
    panel = bars([100.0] * 19 + [120.0])
    assert last(panel, "bollinger_20") == pytest.approx(19 / sqrt(20 * 19 / 19), rel=1e-6)


def test_downside_volatility_counts_gains_as_nothing() -> None:
    assert last(bars(SWING[:21]), "downside_volatility_20") == pytest.approx(S / sqrt(2))
    assert last(bars([1.01**i for i in range(21)]), "downside_volatility_20") == 0


def test_skewness_has_the_sign_of_the_long_tail() -> None:
    flat = [100.0] * 60
    n = 60
    expected = (n - 2) / sqrt(n - 1)  # of one value that differs from n - 1 equal ones
    assert last(bars([*flat, 150.0]), "skewness_60") == pytest.approx(expected)
    assert last(bars([*flat, 50.0]), "skewness_60") == pytest.approx(-expected)


def test_the_largest_daily_return() -> None:
    closes = [100.0, 120.0, 114.0] + [114.0] * 18
    assert last(bars(closes), "maximum_return_20") == pytest.approx(0.2)
    assert last(bars([*closes, 114.0]), "maximum_return_20") == 0
