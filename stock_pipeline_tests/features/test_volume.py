from math import sqrt

import pytest

from stock_pipeline_tests.factories.feature_bars import bars, last

SWING = [100.0, 110.0] * 35


def test_volume_ratio() -> None:
    assert last(bars([10.0] * 20, volumes=[100] * 15 + [300] * 5), "volume_ratio_5_20") == pytest.approx(300 / 150)


def test_log_volume_in_deviations() -> None:
    panel = bars([10.0] * 20, volumes=[100] * 19 + [1000])
    assert last(panel, "log_volume_z_20") == pytest.approx(19 / sqrt(20))


def test_dollar_volume_trend() -> None:
    panel = bars([10.0] * 60, volumes=[100] * 40 + [400] * 20)
    assert last(panel, "dollar_volume_trend_20_60") == pytest.approx(400 / 200 - 1)


def test_illiquidity_doubles_where_volume_halves() -> None:
    closes = [10.0 * 1.01**i for i in range(61)]
    volumes = [1e6 / close for close in closes[:56]] + [0.5e6 / close for close in closes[56:]]
    assert last(bars(closes, volumes), "illiquidity_ratio_5_60") == pytest.approx(2 / ((55 * 1 + 5 * 2) / 60))


def test_correlation_of_return_and_volume_change() -> None:
    assert last(bars(SWING, volumes=[5, 9] * 35), "return_volume_correlation_20") == pytest.approx(1)
    assert last(bars(SWING, volumes=[9, 5] * 35), "return_volume_correlation_20") == pytest.approx(-1)


def test_money_flow_weighs_rises_by_what_was_traded() -> None:
    panel = bars(SWING[:15], volumes=[7, *[30, 10] * 7])
    assert last(panel, "money_flow_14") == pytest.approx(30 * 110 / (30 * 110 + 10 * 100))


def test_an_unchanged_typical_price_flows_nowhere_though_its_last_bit_differs() -> None:
    close, high, low = 1.2, 1.3, 1.1
    assert (high + low + close) / 3 != (close + close + close) / 3
    panel = bars([close] * 16, ranges=[(close, high, low), (close, close, close)] * 8)
    assert last(panel, "money_flow_14") is None


def test_a_session_without_trades_is_left_out_of_illiquidity() -> None:
    closes = [10.0 * 1.01**i for i in range(61)]
    volumes = [0.0 if i == 30 else 1e6 / close for i, close in enumerate(closes)]
    assert last(bars(closes, volumes), "illiquidity_ratio_5_60") == pytest.approx(1)


def test_volume_variability() -> None:
    panel = bars([10.0] * 20, volumes=[100, 300] * 10)
    assert last(panel, "volume_variability_20") == pytest.approx(sqrt(20 * 100**2 / 19) / 200)


def test_a_z_score_does_not_depend_on_the_unit_of_volume() -> None:
    shares = [100 + 7 * (i % 5) for i in range(20)]
    lots = [share / 100 for share in shares]
    assert last(bars([10.0] * 20, shares), "log_volume_z_20") == pytest.approx(last(bars([10.0] * 20, lots), "log_volume_z_20"))
