import pytest

from stock_pipeline.features.alpha158.price_windows import PRICE_LEVEL_FEATURES, PRICE_MOVE_FEATURES
from stock_pipeline_tests.factories.feature_bars import bars, values_of

FEATURES = {feature.name: feature for feature in (*PRICE_LEVEL_FEATURES, *PRICE_MOVE_FEATURES)}
CLOSES = [8.0, 2.0, 4.0, 4.0, 1.0, 4.0]
RANGES = [(9, 9, 7), (3, 6, 2), (4, 7, 1), (4, 7, 3), (1, 5, 1), (4, 6, 2)]


def _last(name: str, closes: list[float] = CLOSES) -> float | None:
    return values_of(bars(closes, ranges=RANGES if closes is CLOSES else None), FEATURES[name])[-1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ROC5", 8 / 4),
        ("MA5", 3 / 4),
        ("STD5", (8 / 4) ** 0.5 / 4),
        ("BETA5", 0.1 / 4),
        ("RSQR5", 0.1**2 * 10 / 8),
        ("RESI5", (4 - 3.2) / 4),
        ("MAX5", 7 / 4),
        ("MIN5", 1 / 4),
        ("QTLU5", 4 / 4),
        ("QTLD5", 1.8 / 4),
        ("RANK5", 4 / 5),
        ("RSV5", (4 - 1) / (7 - 1)),
        ("IMAX5", 2 / 5),
        ("IMIN5", 2 / 5),
        ("IMXD5", 0),
        ("CNTP5", 2 / 5),
        ("CNTN5", 2 / 5),
        ("CNTD5", 0),
        ("SUMP5", 5 / 14),
        ("SUMN5", 9 / 14),
        ("SUMD5", -4 / 14),
    ],
)
def test_by_hand(name: str, expected: float) -> None:
    assert _last(name) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_a_price_that_never_moves() -> None:
    still = [10.1] * 70
    assert [_last(name, still) for name in ("STD60", "RSV60", "CNTP60", "CNTN60", "CNTD60", "IMXD60")] == [0] * 6
    assert [_last(name, still) for name in ("RSQR60", "SUMP60", "SUMN60", "SUMD60")] == [None] * 4
    assert _last("RANK60", still) == pytest.approx(61 / 120)
    assert _last("IMAX60", still) == pytest.approx(1 / 60)


def test_a_price_that_only_rises() -> None:
    rising = [float(i) for i in range(1, 71)]
    expected = {"RANK30": 1, "RSV30": 1, "IMAX30": 1, "IMIN30": 1 / 30, "CNTP30": 1, "CNTN30": 0, "SUMP30": 1, "SUMN30": 0, "RSQR30": 1}
    assert {name: _last(name, rising) for name in expected} == pytest.approx(expected)
