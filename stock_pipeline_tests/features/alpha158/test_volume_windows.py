from math import log

import pytest
from scipy import stats

from stock_pipeline.features.alpha158.volume_windows import PRICE_WITH_VOLUME_FEATURES, VOLUME_WINDOW_FEATURES
from stock_pipeline_tests.factories.feature_bars import bars, values_of

FEATURES = {feature.name: feature for feature in (*PRICE_WITH_VOLUME_FEATURES, *VOLUME_WINDOW_FEATURES)}
CLOSES = [10.0, 11.0, 11.0, 22.0, 11.0, 22.0]
VOLUMES = [700.0, 100.0, 300.0, 200.0, 200.0, 400.0]


def _last(name: str, closes: list[float] = CLOSES, volumes: list[float] = VOLUMES) -> float | None:
    return values_of(bars(closes, volumes), FEATURES[name])[-1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("VMA5", 240 / 400),
        ("VSTD5", (52000 / 4) ** 0.5 / 400),
        ("VSUMP5", 400 / 1100),
        ("VSUMN5", 700 / 1100),
        ("VSUMD5", -300 / 1100),
    ],
)
def test_volume_by_hand(name: str, expected: float) -> None:
    assert _last(name) == pytest.approx(expected, rel=1e-6)


def test_volume_weighted_moves_by_hand() -> None:
    weighted = [0.1 * 100, 0, 1 * 200, 0.5 * 200, 1 * 400]
    centre = sum(weighted) / 5
    spread = sum((value - centre) ** 2 for value in weighted) / 4
    assert _last("WVMA5") == pytest.approx(spread**0.5 / centre, rel=1e-6)


def test_correlation_of_price_and_volume_by_hand() -> None:
    expected = stats.pearsonr(CLOSES[1:], [log(volume) for volume in VOLUMES[1:]]).statistic
    assert _last("CORR5") == pytest.approx(expected, rel=1e-6)


def test_correlation_of_price_and_volume_growth_by_hand() -> None:
    ratios = [1.1, 1, 2, 0.5, 2]
    growth = [log(ratio + 1) for ratio in (1 / 7, 3, 2 / 3, 1, 2)]
    assert _last("CORD5") == pytest.approx(stats.pearsonr(ratios, growth).statistic, rel=1e-6)


def test_a_session_without_volume_is_left_out_of_the_correlation_with_the_price() -> None:
    volumes = [*VOLUMES[:3], 0.0, *VOLUMES[4:]]
    kept = [1, 2, 4, 5]
    expected = stats.pearsonr([CLOSES[i] for i in kept], [log(volumes[i]) for i in kept]).statistic
    assert _last("CORR5", volumes=volumes) == pytest.approx(expected, rel=1e-6)


def test_growth_from_no_volume_is_left_out_and_growth_to_none_is_not() -> None:
    volumes = [*VOLUMES[:3], 0.0, *VOLUMES[4:]]
    moves, growth = [1.1, 1, 2, 2], [log(ratio + 1) for ratio in (1 / 7, 3, 0, 2)]
    assert _last("CORD5", volumes=volumes) == pytest.approx(stats.pearsonr(moves, growth).statistic, rel=1e-6)


def test_two_of_five_sessions_without_volume_leave_too_few_for_a_correlation() -> None:
    assert _last("CORR5", volumes=[700.0, 100.0, 0.0, 0.0, 200.0, 400.0]) is None


def test_a_last_session_without_volume_has_no_ratio_to_it() -> None:
    volumes = [*VOLUMES[:5], 0.0]
    assert [_last(name, volumes=volumes) for name in ("VMA5", "VSTD5")] == [None, None]
    assert _last("VSUMN5", volumes=volumes) == pytest.approx(900 / 1100)


def test_volume_that_never_changes() -> None:
    constant = [700.0] * 6
    assert _last("VSTD5", volumes=constant) == 0
    assert [_last(name, volumes=constant) for name in ("CORR5", "CORD5", "VSUMP5", "VSUMN5", "VSUMD5")] == [None] * 5
