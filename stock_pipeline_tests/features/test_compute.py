from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import CLOSE, HIGH, JUMP, LOW, OPEN, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.features.bars import FILL_SESSIONS
from stock_pipeline.features.catalogue import CORE, FEATURE_SETS, FeatureSet
from stock_pipeline.features.compute import compute_features, session_span
from stock_pipeline.features.feature import Feature
from stock_pipeline_tests.factories.feature_bars import (
    AWKWARD,
    BY_NAME,
    EVERY_FEATURE,
    awkward_panel,
    bars,
    compute_night,
    values,
    with_actions,
    with_companies,
)
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.harness.laws import law

NAMES = [feature.name for feature in EVERY_FEATURE]
BY_FEATURE = pytest.mark.parametrize("feature", EVERY_FEATURE, ids=NAMES)
BY_SET = pytest.mark.parametrize("chosen", FEATURE_SETS, ids=lambda chosen: chosen.name)


def close_to(left: pl.DataFrame, right: pl.DataFrame, tolerance: float) -> list[str]:
    """Names of the features that differ in a null, or by more than ``tolerance`` of their size or of 1e-3."""
    different = []
    for name in left.columns[2:]:
        one, other = left[name].cast(pl.Float64), right[name].cast(pl.Float64)
        apart = ((one - other).abs() > tolerance * one.abs().clip(lower_bound=1e-3)).fill_null(False)
        if not one.is_null().equals(other.is_null()) or apart.any():
            different.append(name)
    return different


@BY_SET
def test_a_row_for_every_bar_sorted_with_a_float32_column_per_feature(chosen: FeatureSet) -> None:
    panel = awkward_panel()
    result = compute_features(panel.sample(fraction=1, shuffle=True, seed=3), chosen.features)
    assert result.columns == [SYMBOL, SESSION, *chosen.names]
    assert result.select(SYMBOL, SESSION).equals(panel.select(SYMBOL, SESSION).sort(SYMBOL, SESSION))
    assert set(result.select(chosen.names).dtypes) == {pl.Float32}
    assert result.equals(compute_features(panel, chosen.features))


def test_nothing_is_ever_nan_or_infinite_and_nothing_is_always_null() -> None:
    result = compute_features(awkward_panel(), EVERY_FEATURE)
    assert result.select(pl.col(NAMES).is_finite().all()).row(0) == (True,) * len(NAMES)
    assert [name for name in NAMES if result[name].count() == 0] == []


@BY_SET
def test_a_panel_without_rows_gives_none(chosen: FeatureSet) -> None:
    panel = with_companies(adjusted_panel(symbols=1, count=3))
    nothing = compute_features(panel.clear(), chosen.features)
    assert nothing.schema == compute_features(panel, chosen.features).schema
    assert nothing.is_empty()


def test_what_the_panel_lacks_is_named() -> None:
    features = [BY_NAME["earnings_yield"], BY_NAME["return_5_sector_rank"]]
    with pytest.raises(InputError, match="the panel of the features has no column pe, sector; join it"):
        compute_features(adjusted_panel(symbols=1, count=3), features)


@given(
    seed=st.integers(0, 10_000), missing_share=st.sampled_from([0.0, 0.04, 0.3]), position=st.integers(0, AWKWARD - 1), acts=st.booleans()
)
@law(examples=8)
def test_a_night_is_the_bulk_build_bit_for_bit(seed: int, missing_share: float, position: int, acts: bool) -> None:
    panel = awkward_panel(seed, missing_share)
    panel = with_actions(panel, seed=seed) if acts else panel
    session = panel[SESSION].unique().sort()[position]
    night = compute_night(panel, session, EVERY_FEATURE)
    assert night.equals(compute_features(panel, EVERY_FEATURE).filter(pl.col(SESSION) == session))
    assert night.height == panel.filter(pl.col(SESSION) == session).height


@given(seed=st.integers(0, 10_000), first=st.integers(0, AWKWARD - 1))
@law(examples=5)
def test_the_last_sessions_alone_are_those_of_the_bulk_build_bit_for_bit(seed: int, first: int) -> None:
    panel = with_actions(awkward_panel(seed), seed=seed)
    day = panel[SESSION].unique().sort()[first]
    alone = compute_features(panel, EVERY_FEATURE, first=day)
    assert alone.equals(compute_features(panel, EVERY_FEATURE).filter(pl.col(SESSION) >= day))


@given(seed=st.integers(0, 10_000), position=st.integers(60, AWKWARD - 1))
@law(examples=5)
def test_actions_to_come_do_not_change_a_bit(seed: int, position: int) -> None:
    """A night computes with what it knows: later splits and dividends must not show in what a bulk build says of it."""
    panel = with_actions(awkward_panel(seed), share=0.08, seed=seed)
    day = panel[SESSION].unique().sort()[position]
    past = pl.col(SESSION) <= day
    known_then = compute_features(panel.filter(past), EVERY_FEATURE)
    assert known_then.equals(compute_features(panel, EVERY_FEATURE).filter(past))


@given(seed=st.integers(0, 10_000))
@law(examples=3)
def test_prices_adjusted_beforehand_give_the_same_to_rounding(seed: int) -> None:
    panel = awkward_panel(seed).filter(pl.col(SYMBOL) != "S00")  # which never moves, and would by its price's rounding
    raw = with_actions(panel, seed=seed)
    assert close_to(compute_features(panel, EVERY_FEATURE), compute_features(raw, EVERY_FEATURE), 2e-5) == []


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
    panel = with_companies(adjusted_panel(symbols=18, count=106))
    # Weeks without a holiday: of 100 sessions the first falls on the weekday that comes after the last.
    monday_to_friday = pl.lit(date(2024, 1, 1)).dt.add_business_days(pl.col(SESSION).rank("dense").cast(pl.Int64))
    panel = panel.with_columns(monday_to_friday.alias(SESSION))
    days = panel[SESSION].unique().sort()
    oldest = pl.when(pl.col(SESSION) == days[-feature.look_back])
    rng = np.random.default_rng(1)
    factor, spread = pl.Series(rng.uniform(0.3, 3, panel.height)), pl.Series(rng.uniform(1.5, 3, panel.height))
    others = [name for name, dtype in panel.schema.items() if dtype == pl.Float64 and name not in PRICES]
    other = panel.with_columns(
        *(oldest.then(pl.col(price) * factor).otherwise(price).alias(price) for price in PRICES),
        *(oldest.then(pl.col(name) * spread).otherwise(name).alias(name) for name in others),
    ).with_columns(
        oldest.then(pl.col(HIGH) * spread).otherwise(HIGH).alias(HIGH),
        oldest.then(pl.col(OPEN) / spread).otherwise(OPEN).alias(OPEN),
        oldest.then(pl.col(LOW) / spread).otherwise(LOW).alias(LOW),
    )
    on_last = pl.col(SESSION) == days[-1]
    assert not compute_features(other, [feature]).filter(on_last).equals(compute_features(panel, [feature]).filter(on_last))


@BY_FEATURE
def test_a_window_is_full_or_it_is_none(feature: Feature) -> None:
    panel = with_companies(adjusted_panel(symbols=8, count=106))
    shown = compute_features(panel, [feature]).filter(pl.col(SYMBOL) == "S03")[feature.name]
    assert shown[: feature.look_back - 1].count() == 0
    # What was reported, and what a sector is, may be null by chance.
    assert shown[feature.look_back - 1 :].null_count() == 0 or feature.on == "bar"


def test_a_night_without_bars_has_no_rows() -> None:
    panel = bars([1, 2, 3])
    day = panel[SESSION][1]
    assert compute_night(panel.filter(pl.col(SESSION) != day), day, CORE.features).is_empty()


@given(
    seed=st.integers(0, 10_000),
    price_factor=st.floats(1e-3, 1e3),
    volume_factor=st.floats(1e-3, 1e3),
    symbol=st.sampled_from([f"S{i:02d}" for i in range(8)]),
)
@law(examples=6)
def test_features_do_not_depend_on_the_scale_of_a_symbol_s_prices_or_volume(
    seed: int, price_factor: float, volume_factor: float, symbol: str
) -> None:
    panel = awkward_panel(seed)
    chosen = pl.when(pl.col(SYMBOL) == symbol)
    scaled = panel.with_columns(
        *(chosen.then(pl.col(price) * price_factor).otherwise(price).alias(price) for price in PRICES),
        chosen.then(pl.col(VOLUME) * volume_factor).otherwise(VOLUME).alias(VOLUME),
    )
    assert close_to(compute_features(panel, EVERY_FEATURE), compute_features(scaled, EVERY_FEATURE), 1e-5) == []


def test_one_symbol_s_own_features_do_not_depend_on_the_others() -> None:
    panel = with_companies(adjusted_panel(symbols=3, count=106))
    own = [feature for feature in EVERY_FEATURE if feature.family not in ("cross_section", "regime", "sector", "factor")]
    alone = compute_features(panel.filter(pl.col(SYMBOL) == "S01"), own)
    assert alone.equals(compute_features(panel, own).filter(pl.col(SYMBOL) == "S01"))


def test_jumps_are_not_looked_at() -> None:
    panel = awkward_panel()
    made = compute_features(panel, CORE.features)
    assert made.equals(compute_features(panel.with_columns(pl.lit(True).alias(JUMP)), CORE.features))
    assert made.equals(compute_features(panel.drop(JUMP), CORE.features))


def test_a_price_that_never_moves() -> None:
    row = compute_features(bars([10.1] * 80), CORE.features).row(-1, named=True)
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
    row = compute_features(panel, CORE.features).row(-1, named=True)
    assert {feature.name for feature in CORE.features if row[feature.name] is None} == {
        feature.name for feature in CORE.features if feature.family == "volume"
    }


@BY_SET
def test_a_stock_that_is_delisted_in_mid_window_leaves_its_bars_features_and_no_more(chosen: FeatureSet) -> None:
    panel = with_companies(adjusted_panel(symbols=9, count=106))
    days = panel[SESSION].unique().sort()
    gone = panel.filter(~((pl.col(SYMBOL) == "S01") & (pl.col(SESSION) > days[103])))
    made = compute_features(gone, chosen.features)
    assert made.filter(pl.col(SYMBOL) == "S01")[SESSION].max() == days[103]
    until = (pl.col(SYMBOL) == "S01") & (pl.col(SESSION) <= days[103])
    assert made.filter(until).equals(compute_features(panel, chosen.features).filter(until))


def test_the_return_after_a_pause_is_from_the_last_price_before_it_unless_that_is_stale() -> None:
    panel = pl.concat([bars([float(i) for i in range(1, 21)]), bars([5.0] * 20, symbol="B")])
    days = panel[SESSION].unique().sort()
    for missing, expected in ((FILL_SESSIONS, 17 / 11 - 1), (FILL_SESSIONS + 1, None)):
        gone = (pl.col(SYMBOL) == "A") & pl.col(SESSION).is_between(days[11], days[10 + missing])
        after = values(panel.filter(~gone), "return_1")[11]
        assert after == (None if expected is None else pytest.approx(expected))


def test_a_long_pause_leaves_a_window_null_that_begins_within_it() -> None:
    panel = pl.concat([bars([float(i) for i in range(1, 71)]), bars([5.0] * 70, symbol="B")])
    days = panel[SESSION].unique().sort()
    gone = (pl.col(SYMBOL) == "A") & pl.col(SESSION).is_between(days[30], days[38])
    shown = dict(
        zip(panel.filter(~gone & (pl.col(SYMBOL) == "A"))[SESSION], values(panel.filter(~gone), "distance_to_mean_20"), strict=True)
    )
    # The price stands for five of the nine sessions; a window that begins on one of the four after them is not full.
    null = [position for position in range(19, 70) if days[position] in shown and shown[days[position]] is None]
    assert null == [54, 55, 56, 57]


def test_the_window_counts_sessions_and_not_bars() -> None:
    panel = pl.concat([bars([float(i) for i in range(1, 31)]), bars([5.0] * 30, symbol="B")])
    days = panel[SESSION].unique().sort()
    with_gap = panel.filter(~((pl.col(SYMBOL) == "A") & pl.col(SESSION).is_in([days[26], days[27]])))
    assert values(with_gap, "return_5")[-1] == pytest.approx(30 / 25 - 1)
    assert values(with_gap, "distance_to_mean_20")[-1] == pytest.approx(30 / (sum([*range(11, 27), 26, 26, 29, 30]) / 20) - 1)


@BY_SET
def test_the_span_of_the_set_is_what_a_night_reads(chosen: FeatureSet) -> None:
    panel = with_companies(adjusted_panel(symbols=9, count=120))
    days = panel[SESSION].unique().sort()
    before = pl.col(SESSION) < days[-chosen.span]
    distorted = panel.with_columns(pl.when(before).then(1e6).otherwise(price).alias(price) for price in PRICES)
    assert compute_night(distorted, days[-1], chosen.features).equals(compute_night(panel, days[-1], chosen.features))


def test_a_night_reaches_the_price_carried_forward_to_the_far_end_of_its_longest_formula() -> None:
    panel = adjusted_panel(symbols=2, count=80)
    days = panel[SESSION].unique().sort()
    span = session_span(CORE.features)
    stale = (pl.col(SYMBOL) == "S00") & pl.col(SESSION).is_between(days[-span + 1], days[-span + FILL_SESSIONS])
    gappy = panel.filter(~stale)
    night = compute_night(gappy, days[-1], CORE.features)
    first = gappy.filter((pl.col(SYMBOL) == "S00") & (pl.col(SESSION) == days[-span]))[CLOSE][0]
    current = gappy.filter((pl.col(SYMBOL) == "S00") & (pl.col(SESSION) == days[-1]))[CLOSE][0]
    assert night["return_60"][0] == pytest.approx(current / first - 1, rel=1e-6)
    assert night.equals(compute_features(gappy, CORE.features).filter(pl.col(SESSION) == days[-1]))
