"""Nothing known at a session may depend on a later one: every feature, every label beyond its horizon, and planted leaks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, OPEN, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.lookahead import ROW, Violation, lookahead_violations
from stock_pipeline.features.bars import RETURN
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.fundamental_ratios import PE
from stock_pipeline.features.market import ADVANCING, MARKET_RETURN
from stock_pipeline.labels.catalogue import purge_span, return_reach
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.tables import daily_labels
from stock_pipeline_tests.factories.feature_bars import BY_NAME, EVERY_FEATURE, with_actions, with_companies
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions

SEED = 11
COUNT = 125
HORIZONS, VOLATILITY_HORIZON = (1, 5), 4
PANEL = adjusted_panel(symbols=10, count=COUNT, missing_share=0.08)
RAW_PANEL = with_actions(with_companies(PANEL))  # as bars come, with splits and dividends, sectors and reports
DAYS = sessions(COUNT + purge_span(HORIZONS, VOLATILITY_HORIZON))
# Early and late: a leak shows only where the cut falls between a value and what it saw.
CUTS = [DAYS[position] for position in (10, 66, 97, 110, 122)]

_CLOSE = pl.col(CLOSE)


# How far each column of the labels may look ahead; when a label is known follows from the calendar alone.
REACHES = {
    **{f"{name}_{horizon}": return_reach(horizon) for horizon in HORIZONS for name in ("forward_return", "direction", "label_status")},
    **dict.fromkeys(("forward_volatility", "label_status_volatility"), VOLATILITY_HORIZON),
    **dict.fromkeys(("known_on_1", "known_on_5", "known_on_volatility"), 0),
}


def _made_on_the_last_night(panel: pl.DataFrame) -> pl.DataFrame:
    """The labels as of the panel's last session, as a night makes them."""
    last: date = panel[SESSION].max()  # type: ignore[assignment]
    return compute_labels(panel, DAYS, last, HORIZONS, VOLATILITY_HORIZON)


def _labels(*names: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda panel: _made_on_the_last_night(panel).select(SYMBOL, SESSION, *names)


def _planted(name: str, expression: pl.Expr) -> Feature:
    return Feature(name, "a leak", 21, "planted", expression, family="momentum")


LEAKS = (
    _planted("the_next_return", _CLOSE.shift(-1) / _CLOSE - 1),
    _planted("a_backward_fill", (pl.col(VOLUME) / pl.col(VOLUME).shift(1)).backward_fill()),
    _planted("a_centred_window", _CLOSE / _CLOSE.rolling_mean(5, center=True, min_samples=1) - 1),
    _planted("a_whole_column_z_score", (pl.col(RETURN) - pl.col(RETURN).mean()) / pl.col(RETURN).std()),
    _planted("a_whole_column_rank", pl.col(RETURN).rank() / pl.col(RETURN).count()),
    _planted("a_scaling_by_the_symbol_s_last_close", _CLOSE / _CLOSE.last().over(SYMBOL)),
    _planted("the_number_of_bars_to_come", pl.col(VOLUME).count().over(SYMBOL).cast(pl.Float64)),
    _planted("an_interpolation", pl.col(VOLUME).interpolate().rolling_mean(5) / pl.col(VOLUME).interpolate().mean()),
    _planted("the_market_s_next_return", pl.col(MARKET_RETURN).shift(-1) - pl.col(MARKET_RETURN)),
    replace(_planted("a_rank_of_the_next_return", _CLOSE.shift(-1) / _CLOSE), ranked="session"),
    replace(_planted("a_rank_of_the_next_return_in_the_sector", _CLOSE.shift(-1) / _CLOSE), ranked="sector"),
    replace(_planted("the_next_report", pl.col(PE).shift(-1)), on="bar"),
    replace(_planted("a_ratio_over_the_whole_past_and_future", pl.col(PE) / pl.col(PE).mean().over(SYMBOL)), on="bar"),
    replace(_planted("the_market_of_tomorrow", pl.col(ADVANCING).shift(-1)), on="market", bounds=(0.0, 1.0)),
    replace(_planted("a_regime_of_the_whole_sample", pl.col(ADVANCING) / pl.col(ADVANCING).sum()), on="market", bounds=(0.0, 1.0)),
)


@pytest.fixture(scope="module")
def feature_violations() -> list[Violation]:
    return lookahead_violations(lambda panel: compute_features(panel, EVERY_FEATURE), RAW_PANEL, CUTS, SEED)


@pytest.mark.parametrize("feature", EVERY_FEATURE, ids=lambda feature: feature.name)
def test_a_feature_does_not_see_the_future(feature: Feature, feature_violations: list[Violation]) -> None:
    assert [violation for violation in feature_violations if violation.column == feature.name] == []


def test_which_rows_have_features_does_not_depend_on_the_future(feature_violations: list[Violation]) -> None:
    assert feature_violations == []


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_a_planted_leak_is_caught_by_name_in_either_way(leak: Feature) -> None:
    honest = BY_NAME["return_1"]
    found = lookahead_violations(lambda panel: compute_features(panel, [honest, leak]), RAW_PANEL, CUTS, SEED)
    assert {(violation.column, violation.kind) for violation in found} == {(leak.name, "cut"), (leak.name, "altered")}


def test_the_reach_of_every_label_is_told() -> None:
    assert {*REACHES, SYMBOL, SESSION} == set(daily_labels(HORIZONS).column_names)
    assert max(REACHES.values()) == purge_span(HORIZONS, VOLATILITY_HORIZON)


@pytest.mark.parametrize(("name", "reach"), REACHES.items())
def test_a_label_sees_as_far_as_its_reach(name: str, reach: int) -> None:
    assert lookahead_violations(_labels(name), RAW_PANEL, CUTS, SEED, reach=reach) == []


@pytest.mark.parametrize(("name", "reach"), [(name, reach) for name, reach in REACHES.items() if reach])
def test_a_label_s_reach_is_not_overstated(name: str, reach: int) -> None:
    found = lookahead_violations(_labels(name), RAW_PANEL, CUTS, SEED, reach=reach - 1)
    assert {(violation.column, violation.kind) for violation in found} >= {(name, "cut")}


def _one_open_further(panel: pl.DataFrame) -> pl.DataFrame:
    leak = (pl.col(OPEN).shift(-3) / pl.col(OPEN).shift(-1) - 1).over(SYMBOL, order_by=SESSION)
    return panel.select(SYMBOL, SESSION, leak.alias("forward_return_1"))


def _the_longer_horizon_s(panel: pl.DataFrame) -> pl.DataFrame:
    return _labels("forward_return_5")(panel).rename({"forward_return_5": "forward_return_1"})


def _filled_from_the_next_row(panel: pl.DataFrame) -> pl.DataFrame:
    filled = pl.col("forward_return_1").backward_fill().over(SYMBOL, order_by=SESSION)
    return _labels("forward_return_1")(panel).with_columns(filled)


def _scaled_by_the_whole_column(panel: pl.DataFrame) -> pl.DataFrame:
    return _labels("forward_return_1")(panel).with_columns(pl.col("forward_return_1") / pl.col("forward_return_1").std())


@pytest.mark.parametrize("leak", [_one_open_further, _the_longer_horizon_s, _filled_from_the_next_row, _scaled_by_the_whole_column])
def test_a_label_that_reaches_too_far_is_caught(leak: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    found = lookahead_violations(leak, PANEL, CUTS, SEED, reach=return_reach(1))
    assert {(violation.column, violation.kind) for violation in found} == {("forward_return_1", "cut"), ("forward_return_1", "altered")}


def test_a_violation_names_the_first_row_that_moved_and_how_many_did() -> None:
    full = adjusted_panel(symbols=2, count=20)

    def two_ahead(panel: pl.DataFrame) -> pl.DataFrame:
        return panel.select(SYMBOL, SESSION, _CLOSE.shift(-2).over(SYMBOL, order_by=SESSION).alias("ahead"))

    found = lookahead_violations(two_ahead, full, [DAYS[9]], SEED)
    assert found[0] == Violation("ahead", "cut", DAYS[9], "S00", DAYS[8], 4)
    assert [violation.kind for violation in found] == ["cut", "altered"]


def test_a_row_that_hangs_on_the_future_is_a_violation() -> None:
    def without_last(panel: pl.DataFrame) -> pl.DataFrame:
        last: date = panel[SESSION].max()  # type: ignore[assignment]
        return panel.filter(pl.col(SESSION) < last).select(SYMBOL, SESSION, CLOSE)

    found = lookahead_violations(without_last, PANEL, [DAYS[50]], SEED)
    assert {(violation.column, violation.kind, violation.session) for violation in found} == {
        (ROW, "cut", DAYS[50]),
        (CLOSE, "cut", DAYS[50]),
    }


def test_a_cut_before_anything_is_judged_finds_nothing() -> None:
    assert lookahead_violations(_labels("forward_return_1"), PANEL, [DAYS[1]], SEED, reach=return_reach(1)) == []
