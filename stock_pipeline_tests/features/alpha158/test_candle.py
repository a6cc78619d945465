import pytest

from stock_pipeline.features.alpha158.candle import CANDLE_FEATURES
from stock_pipeline.features.compute import compute_features
from stock_pipeline_tests.factories.feature_bars import bars


def _row(opening: float, high: float, low: float, close: float) -> dict[str, float | None]:
    return compute_features(bars([close], ranges=[(opening, high, low)]), CANDLE_FEATURES).row(0, named=True)


def test_a_bar_that_closes_above_its_open() -> None:
    row = _row(opening=100, high=120, low=80, close=110)
    expected = {
        "KMID": 0.1,
        "KLEN": 0.4,
        "KMID2": 0.25,
        "KUP": 0.1,
        "KUP2": 0.25,
        "KLOW": 0.2,
        "KLOW2": 0.5,
        "KSFT": 0.2,
        "KSFT2": 0.5,
        "OPEN0": 100 / 110,
        "HIGH0": 120 / 110,
        "LOW0": 80 / 110,
        "VWAP0": (120 + 80 + 110) / 3 / 110,
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-6)


def test_a_bar_that_closes_below_its_open() -> None:
    row = _row(opening=110, high=120, low=80, close=100)
    shown = {name: row[name] for name in ("KMID", "KUP2", "KLOW2")}
    assert shown == pytest.approx({"KMID": -10 / 110, "KUP2": 0.25, "KLOW2": 0.5}, rel=1e-6)


def test_a_bar_without_a_range_has_no_shape() -> None:
    row = _row(opening=10.1, high=10.1, low=10.1, close=10.1)
    assert [row[name] for name in ("KMID2", "KUP2", "KLOW2", "KSFT2")] == [0, 0, 0, 0]


def test_the_stand_in_for_the_volume_weighted_price_is_said_to_be_one() -> None:
    formula = {feature.name: feature.formula for feature in CANDLE_FEATURES}["VWAP0"]
    assert "stands for the volume-weighted mean price" in formula
