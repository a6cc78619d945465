from collections.abc import Callable
from math import isfinite

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import CLOSE, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.features.alpha158 import ALPHA158_FEATURES
from stock_pipeline.features.compute import compute_features
from stock_pipeline_tests.factories.feature_bars import awkward_panel
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.features.alpha158.oracle import CANDLES, KINDS_BY_WINDOW, NAMES, WINDOWS, Bars, alpha158
from stock_pipeline_tests.harness.laws import law

OF_CHANGES = {"ROC", "CORD", "CNTP", "CNTN", "CNTD", "SUMP", "SUMN", "SUMD", "WVMA", "VSUMP", "VSUMN", "VSUMD"}


def _as_it_is(panel: pl.DataFrame) -> pl.DataFrame:
    return panel


def _rarely_traded(panel: pl.DataFrame) -> pl.DataFrame:
    """No volume in one session of eleven, and in another the price of the session before."""
    row = pl.int_range(pl.len())
    return panel.with_columns(
        pl.when(row % 11 == 4).then(0.0).otherwise(VOLUME).alias(VOLUME),
        *(pl.when(row % 11 == 7).then(pl.col(CLOSE).shift(1)).otherwise(price).alias(price) for price in PRICES),
    )


def _coarse(panel: pl.DataFrame) -> pl.DataFrame:
    """Prices and volumes of so few digits that most windows hold equal ones."""
    return panel.with_columns(*(pl.col(price).round(0) for price in PRICES), (pl.col(VOLUME) / 2e5).round(0).clip(lower_bound=1))


def _still(panel: pl.DataFrame) -> pl.DataFrame:
    return panel.with_columns(*(pl.lit(10.1).alias(price) for price in PRICES), pl.lit(700.0).alias(VOLUME))


def _never_traded(panel: pl.DataFrame) -> pl.DataFrame:
    return panel.with_columns(pl.lit(0.0).alias(VOLUME))


@pytest.mark.parametrize("shape", [_as_it_is, _rarely_traded, _coarse, _still, _never_traded])
def test_every_feature_is_the_oracle_s(shape: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    panel = shape(adjusted_panel(symbols=1, count=130))
    made, whole = compute_features(panel, ALPHA158_FEATURES), Bars.of(panel)
    for position in range(60, 130, 3):
        row = made.row(position, named=True)
        expected = alpha158(whole.until(position + 1))
        wrong = {name: (row[name], value) for name, value in expected.items() if not _agree(row[name], value)}
        assert wrong == {}, f"at bar {position}"


def _agree(made: float | None, expected: float) -> bool:
    if made is None or not isfinite(expected):
        return made is None and not isfinite(expected)
    return made == pytest.approx(expected, rel=2e-5, abs=1e-9)


def test_names_and_order_are_qlib_s() -> None:
    assert len(ALPHA158_FEATURES) == len(NAMES) == 158
    assert tuple(feature.name for feature in ALPHA158_FEATURES) == NAMES


def test_the_look_back_is_what_the_formula_spans() -> None:
    expected = dict.fromkeys(CANDLES, 1)
    expected |= {f"{kind}{window}": window + (kind in OF_CHANGES) for kind in KINDS_BY_WINDOW for window in WINDOWS}
    assert {feature.name: feature.look_back for feature in ALPHA158_FEATURES} == expected


def test_every_feature_says_in_words_what_it_is_and_over_how_many_sessions() -> None:
    by_window = [feature for feature in ALPHA158_FEATURES if feature.name not in CANDLES]
    assert all(f"{feature.name.lstrip('ABCDEFGHIJKLMNOPQRSTUVWXYZ')} " in f"{feature.formula} " for feature in by_window)
    assert not any("{" in feature.formula or "|" in feature.formula for feature in ALPHA158_FEATURES)
    assert len({feature.formula for feature in ALPHA158_FEATURES}) == 158
    assert all("Alpha158" in feature.source for feature in ALPHA158_FEATURES)


def test_a_symbol_s_values_are_its_own() -> None:
    panel = adjusted_panel(symbols=3, count=75)
    alone = compute_features(panel.filter(pl.col(SYMBOL) == "S01"), ALPHA158_FEATURES)
    assert alone.equals(compute_features(panel, ALPHA158_FEATURES).filter(pl.col(SYMBOL) == "S01"))


def test_a_short_history_has_the_features_whose_windows_it_fills() -> None:
    made = compute_features(adjusted_panel(symbols=1, count=25), ALPHA158_FEATURES)
    for feature in ALPHA158_FEATURES:
        first = min(feature.look_back - 1, 25)
        assert made[feature.name].is_null().to_list() == [True] * first + [False] * (25 - first), feature.name


@given(
    seed=st.integers(0, 10_000),
    price_factor=st.floats(1e-3, 1e3),
    volume_factor=st.floats(1e-3, 1e3),
    shape=st.sampled_from([_as_it_is, _rarely_traded, _coarse]),
)
@law(examples=8)
def test_no_feature_depends_on_the_scale_of_prices_or_volume(
    seed: int, price_factor: float, volume_factor: float, shape: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    panel = shape(awkward_panel(seed).sort(SYMBOL, SESSION))
    scaled = panel.with_columns(*(pl.col(price) * price_factor for price in PRICES), pl.col(VOLUME) * volume_factor)
    one, other = (compute_features(frame, ALPHA158_FEATURES) for frame in (panel, scaled))
    different = [name for name in NAMES if not _same_but_for_rounding(one[name], other[name])]
    assert different == []


def _same_but_for_rounding(one: pl.Series, other: pl.Series) -> bool:
    frame = pl.DataFrame({"one": one, "other": other}).cast(pl.Float64)
    apart = (pl.col("one") - pl.col("other")).abs() > 1e-5 * pl.col("one").abs().clip(lower_bound=1e-3)
    nulls_differ = pl.col("one").is_null() != pl.col("other").is_null()
    return frame.filter(apart | nulls_differ).is_empty()


@pytest.mark.parametrize("shape", [_as_it_is, _coarse])
def test_shares_ranks_and_correlations_keep_within_their_bounds(shape: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    made = compute_features(shape(adjusted_panel(symbols=4, count=130)), ALPHA158_FEATURES)
    bounds = {"RSQR": (0, 1), "CORR": (-1, 1), "CORD": (-1, 1), "RANK": (0, 1), "RSV": (0, 1), "SUMP": (0, 1), "VSUMN": (0, 1)}
    for kind, (low, high) in bounds.items():
        shown = made.select(f"{kind}{window}" for window in WINDOWS)
        assert shown.select(pl.min_horizontal(pl.all().count())).item() > 0
        assert shown.select(pl.all().drop_nulls().is_between(low, high).all()).row(0) == (True,) * len(WINDOWS), kind
