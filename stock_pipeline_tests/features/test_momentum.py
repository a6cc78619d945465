import pytest

from stock_pipeline_tests.factories.feature_bars import bars, last, values

RISING = [100.0 + i for i in range(70)]


@pytest.mark.parametrize("sessions", [1, 5, 10, 20, 60])
def test_returns(sessions: int) -> None:
    assert last(bars(RISING), f"return_{sessions}") == pytest.approx(169 / (169 - sessions) - 1)
    assert values(bars(RISING), f"return_{sessions}")[sessions - 1] is None


def test_momentum_leaves_out_the_last_five_sessions() -> None:
    crash = [*RISING[:-4], 1.0, 1.0, 1.0, 1.0]
    assert last(bars(crash), "momentum_60_5") == pytest.approx(164 / 109 - 1)


def test_overnight_and_intraday_make_the_day() -> None:
    panel = bars([100, 110], ranges=[(100, 100, 100), (105, 111, 104)])
    assert last(panel, "overnight_return") == pytest.approx(0.05)
    assert last(panel, "intraday_return") == pytest.approx(110 / 105 - 1)


def test_distance_to_a_mean_counts_the_current_close() -> None:
    assert last(bars(RISING), "distance_to_mean_20") == pytest.approx(169 / 159.5 - 1)
    assert last(bars(RISING), "distance_to_mean_60") == pytest.approx(169 / 139.5 - 1)


def test_macd_follows_a_straight_line_at_the_means_lags() -> None:
    # An exponential mean that is seeded with a simple mean of a straight line keeps that mean's distance from it: (period - 1) / 2.
    assert last(bars(RISING), "macd_12_26") == pytest.approx((169 - 5.5) / (169 - 12.5) - 1)


def test_rsi_forgets_by_a_fourteenth_a_session() -> None:
    assert last(bars(RISING), "rsi_14") == pytest.approx(1)
    assert last(bars(RISING[::-1]), "rsi_14") == pytest.approx(0)
    assert last(bars([*RISING, 168.0]), "rsi_14") == pytest.approx(13 / 14)
    assert last(bars([*RISING, 168.0, 169.0]), "rsi_14") == pytest.approx(1 - 13 / 14 / 14)


def test_range_position_uses_highs_and_lows() -> None:
    panel = bars([100.0] * 20, ranges=[(100, 130, 90), *[(100, 101, 99)] * 19])
    assert last(panel, "range_position_20") == pytest.approx(10 / 40)


def test_distance_to_the_extremes_of_sixty_sessions() -> None:
    panel = bars([100.0] * 61, ranges=[(100, 500, 1), (100, 125, 80), *[(100, 101, 99)] * 59])
    assert last(panel, "distance_to_high_60") == pytest.approx(100 / 125 - 1)
    assert last(panel, "distance_to_low_60") == pytest.approx(100 / 80 - 1)


def test_the_trend_of_a_straight_line() -> None:
    assert last(bars(RISING), "trend_slope_20") == pytest.approx(1 / 159.5)
    assert last(bars(RISING), "trend_r2_20") == pytest.approx(1)


def test_a_zigzag_has_hardly_a_trend() -> None:
    assert last(bars([100.0, 101.0] * 15), "trend_r2_20") == pytest.approx(3 / 399, rel=1e-4)
