import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_pipeline.core.columns import CLOSE, HIGH, JUMP, OPEN, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.features.catalogue import CATALOGUE, feature_names, look_back
from stock_pipeline.features.compute import compute_features, compute_night
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.grid import FILL_SESSIONS
from stock_pipeline.features.windows import least_samples
from stock_pipeline_tests.features.bars import bars, values
from stock_pipeline_tests.panels import adjusted_panel

NAMES = feature_names()
BY_FEATURE = pytest.mark.parametrize("feature", CATALOGUE, ids=NAMES)


def awkward_panel(seed: int = 0, missing_share: float = 0.05) -> pl.DataFrame:
    """90 sessions of random stocks; one never moves, one is never traded, one pauses and one is listed late."""
    panel = adjusted_panel(symbols=8, count=90, seed=seed, missing_share=missing_share)
    days = panel[SESSION].unique().sort()
    still, silent, paused, late = (pl.col(SYMBOL) == name for name in ("S00", "S01", "S02", "S03"))
    return panel.filter(~(paused & pl.col(SESSION).is_between(days[50], days[59])) & ~(late & (pl.col(SESSION) < days[70]))).with_columns(
        *(pl.when(still).then(10.1).otherwise(price).alias(price) for price in PRICES),
        pl.when(silent).then(0.0).otherwise(VOLUME).alias(VOLUME),
    )


def close_to(left: pl.DataFrame, right: pl.DataFrame, tolerance: float) -> list[str]:
    """Names of the features that differ in a null, or by more than ``tolerance`` of their size or of 1e-3."""
    different = []
    for name in NAMES:
        one, other = left[name].cast(pl.Float64), right[name].cast(pl.Float64)
        apart = ((one - other).abs() > tolerance * one.abs().clip(lower_bound=1e-3)).fill_null(False)
        if not one.is_null().equals(other.is_null()) or apart.any():
            different.append(name)
    return different


def test_a_row_for_every_bar_sorted_with_a_float32_column_per_feature() -> None:
    panel = awkward_panel()
    result = compute_features(panel.sample(fraction=1, shuffle=True, seed=3))
    assert result.columns == [SYMBOL, SESSION, *NAMES]
    assert result.select(SYMBOL, SESSION).equals(panel.select(SYMBOL, SESSION).sort(SYMBOL, SESSION))
    assert set(result.select(NAMES).dtypes) == {pl.Float32}
    assert result.equals(compute_features(panel))


def test_nothing_is_ever_nan_or_infinite() -> None:
    result = compute_features(awkward_panel())
    assert result.select(pl.col(NAMES).is_finite().all()).row(0) == (True,) * len(NAMES)
    assert (result.select(pl.col(NAMES).count()).to_numpy() > 0).all()


def test_a_panel_without_rows_gives_none() -> None:
    assert compute_features(adjusted_panel().clear()).schema == compute_features(adjusted_panel(symbols=1, count=3)).schema
    assert compute_features(adjusted_panel().clear()).is_empty()


@given(seed=st.integers(0, 10_000), missing_share=st.sampled_from([0.0, 0.04, 0.3]), position=st.integers(0, 89))
@settings(max_examples=8, deadline=None)
def test_a_night_is_the_bulk_build_bit_for_bit(seed: int, missing_share: float, position: int) -> None:
    panel = awkward_panel(seed, missing_share)
    session = panel[SESSION].unique().sort()[position]
    night = compute_night(panel, session)
    assert night.equals(compute_features(panel).filter(pl.col(SESSION) == session))
    assert night.height == panel.filter(pl.col(SESSION) == session).height


@BY_FEATURE
def test_a_feature_needs_no_more_sessions_than_its_look_back(feature: Feature) -> None:
    panel = awkward_panel(missing_share=0.15)
    whole = compute_features(panel, [feature])
    for session in whole[SESSION].unique().sort()[-12::3]:
        window = panel.filter(pl.col(SESSION) <= session)[SESSION].unique().sort().tail(feature.look_back + FILL_SESSIONS)
        alone = compute_features(panel.filter(pl.col(SESSION).is_in(window.implode())), [feature])
        assert alone.filter(pl.col(SESSION) == session).equals(whole.filter(pl.col(SESSION) == session))


@BY_FEATURE
def test_a_feature_needs_no_fewer_sessions_than_its_look_back(feature: Feature) -> None:
    panel = adjusted_panel(symbols=6, count=66)
    days = panel[SESSION].unique().sort()
    oldest = pl.when(pl.col(SESSION) == days[-feature.look_back])
    rng = np.random.default_rng(1)
    factor, spread = pl.Series(rng.uniform(0.3, 3, panel.height)), pl.Series(rng.uniform(1.5, 3, panel.height))
    other = panel.with_columns(
        *(oldest.then(pl.col(price) * factor).otherwise(price).alias(price) for price in PRICES),
        oldest.then(pl.col(VOLUME) * spread).otherwise(VOLUME).alias(VOLUME),
    ).with_columns(
        oldest.then(pl.col(HIGH) * spread).otherwise(HIGH).alias(HIGH),
        oldest.then(pl.col(OPEN) / spread).otherwise(OPEN).alias(OPEN),
    )
    on_last = pl.col(SESSION) == days[-1]
    assert not compute_features(other, [feature]).filter(on_last).equals(compute_features(panel, [feature]).filter(on_last))


def test_a_night_without_bars_has_no_rows() -> None:
    panel = bars([1, 2, 3])
    day = panel[SESSION][1]
    assert compute_night(panel.filter(pl.col(SESSION) != day), day).is_empty()


@given(
    seed=st.integers(0, 10_000),
    price_factor=st.floats(1e-3, 1e3),
    volume_factor=st.floats(1e-3, 1e3),
    symbol=st.sampled_from([f"S{i:02d}" for i in range(8)]),
)
@settings(max_examples=8, deadline=None)
def test_features_do_not_depend_on_the_scale_of_a_symbol_s_prices_or_volume(
    seed: int, price_factor: float, volume_factor: float, symbol: str
) -> None:
    panel = awkward_panel(seed)
    chosen = pl.when(pl.col(SYMBOL) == symbol)
    scaled = panel.with_columns(
        *(chosen.then(pl.col(price) * price_factor).otherwise(price).alias(price) for price in PRICES),
        chosen.then(pl.col(VOLUME) * volume_factor).otherwise(VOLUME).alias(VOLUME),
    )
    assert close_to(compute_features(panel), compute_features(scaled), 1e-5) == []


def test_one_symbol_s_own_features_do_not_depend_on_the_others() -> None:
    panel = adjusted_panel(symbols=3, count=80)
    own = [feature for feature in CATALOGUE if feature.family != "cross_section"]
    alone = compute_features(panel.filter(pl.col(SYMBOL) == "S01"), own)
    assert alone.equals(compute_features(panel, own).filter(pl.col(SYMBOL) == "S01"))


def test_jumps_are_not_looked_at() -> None:
    panel = awkward_panel()
    assert compute_features(panel).equals(compute_features(panel.with_columns(pl.lit(True).alias(JUMP))))
    assert compute_features(panel).equals(compute_features(panel.drop(JUMP)))


def test_a_price_that_never_moves() -> None:
    row = compute_features(bars([10.1] * 80)).row(-1, named=True)
    zero = ["return_60", "distance_to_mean_60", "volatility_60", "downside_volatility_20", "maximum_return_20", "session_range"]
    undefined = [
        "rsi_14",
        "range_position_20",
        "trend_r2_20",
        "volatility_ratio_5_60",
        "bollinger_20",
        "skewness_60",
        "money_flow_14",
    ]
    assert [row[name] for name in zero] == pytest.approx([0] * len(zero), abs=1e-14)
    assert [row[name] for name in undefined] == [None] * len(undefined)
    assert row["trend_slope_20"] == pytest.approx(0, abs=1e-14)


def test_a_stock_that_is_never_traded_has_price_features_only() -> None:
    panel = adjusted_panel(symbols=1, count=80).with_columns(pl.lit(0.0).alias(VOLUME))
    row = compute_features(panel).row(-1, named=True)
    assert {feature.name for feature in CATALOGUE if row[feature.name] is None} == {
        feature.name for feature in CATALOGUE if feature.family == "volume"
    }


@pytest.mark.parametrize(("name", "window"), [("distance_to_mean_20", 20), ("distance_to_high_60", 60), ("volume_variability_20", 20)])
def test_a_short_history_gives_null_until_three_quarters_are_there(name: str, window: int) -> None:
    shown = values(bars([float(i) for i in range(1, 71)], volumes=list(range(1, 71))), name)
    first = least_samples(window) - 1
    assert shown[:first] == [None] * first
    assert None not in shown[first:]


def test_the_return_after_a_pause_is_from_the_last_price_before_it_unless_that_is_stale() -> None:
    panel = pl.concat([bars([float(i) for i in range(1, 21)]), bars([5.0] * 20, symbol="B")])
    days = panel[SESSION].unique().sort()
    for missing, expected in ((FILL_SESSIONS, 17 / 11 - 1), (FILL_SESSIONS + 1, None)):
        gone = (pl.col(SYMBOL) == "A") & pl.col(SESSION).is_between(days[11], days[10 + missing])
        after = values(panel.filter(~gone), "return_1")[11]
        assert after == (None if expected is None else pytest.approx(expected))


def test_the_window_counts_sessions_and_not_bars() -> None:
    panel = pl.concat([bars([float(i) for i in range(1, 31)]), bars([5.0] * 30, symbol="B")])
    days = panel[SESSION].unique().sort()
    with_gap = panel.filter(~((pl.col(SYMBOL) == "A") & pl.col(SESSION).is_in([days[26], days[27]])))
    assert values(with_gap, "return_5")[-1] == pytest.approx(30 / 25 - 1)
    assert values(with_gap, "distance_to_mean_20")[-1] == pytest.approx(30 / (sum([*range(11, 27), 26, 26, 29, 30]) / 20) - 1)


def test_the_look_back_of_the_set_is_what_a_night_reads() -> None:
    panel = adjusted_panel(symbols=2, count=80)
    days = panel[SESSION].unique().sort()
    before = pl.col(SESSION) < days[-look_back()]
    distorted = panel.with_columns(pl.when(before).then(1e6).otherwise(price).alias(price) for price in PRICES)
    assert compute_night(distorted, days[-1]).equals(compute_night(panel, days[-1]))


def test_a_night_reaches_the_price_carried_forward_to_the_far_end_of_its_longest_formula() -> None:
    panel = adjusted_panel(symbols=2, count=80)
    days = panel[SESSION].unique().sort()
    stale = (pl.col(SYMBOL) == "S00") & pl.col(SESSION).is_between(days[-look_back() + 1], days[-look_back() + FILL_SESSIONS])
    gappy = panel.filter(~stale)
    night = compute_night(gappy, days[-1])
    first = gappy.filter((pl.col(SYMBOL) == "S00") & (pl.col(SESSION) == days[-look_back()]))[CLOSE][0]
    current = gappy.filter((pl.col(SYMBOL) == "S00") & (pl.col(SESSION) == days[-1]))[CLOSE][0]
    assert night["return_60"][0] == pytest.approx(current / first - 1, rel=1e-6)
    assert night.equals(compute_features(gappy).filter(pl.col(SESSION) == days[-1]))
