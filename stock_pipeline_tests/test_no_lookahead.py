"""Nothing known at a session may depend on a later one: every feature, every label beyond its horizon, and planted leaks."""

from collections.abc import Callable
from datetime import date
from itertools import pairwise

import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, OPEN, SESSION, SYMBOL, VOLUME
from stock_pipeline.features.catalogue import CATALOGUE
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.grid import RETURN
from stock_pipeline.labels.compute import RETURN_REACH, compute_labels
from stock_pipeline.market_data.lookahead import ROW, Violation, lookahead_violations
from stock_pipeline_tests.panels import adjusted_panel, sessions

SEED = 11
COUNT = 100
HORIZON = 5
PANEL = adjusted_panel(symbols=6, count=COUNT, missing_share=0.08)
DAYS = sessions(COUNT + HORIZON + 1)
NEXT = dict(pairwise(DAYS))
# Early and late: a leak shows only where the cut falls between a value and what it saw.
CUTS = [DAYS[position] for position in (10, 45, 66, 80, 97)]

_CLOSE = pl.col(CLOSE)


def _labels(*names: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda panel: compute_labels(panel, NEXT, HORIZON).select(SYMBOL, SESSION, *names)


def _planted(name: str, expression: pl.Expr) -> Feature:
    return Feature(name, "momentum", "a leak", 21, "planted", expression)


LEAKS = (
    _planted("the_next_return", _CLOSE.shift(-1) / _CLOSE - 1),
    _planted("a_backward_fill", (_CLOSE / _CLOSE.shift(20) - 1).backward_fill()),
    _planted("a_centred_window", _CLOSE / _CLOSE.rolling_mean(5, center=True, min_samples=1) - 1),
    _planted("a_whole_column_z_score", (pl.col(RETURN) - pl.col(RETURN).mean()) / pl.col(RETURN).std()),
    _planted("a_whole_column_rank", pl.col(RETURN).rank() / pl.col(RETURN).count()),
    _planted("a_scaling_by_the_symbol_s_last_close", _CLOSE / _CLOSE.last().over(SYMBOL)),
    _planted("the_number_of_bars_to_come", pl.col(VOLUME).count().over(SYMBOL).cast(pl.Float64)),
    _planted("an_interpolation", pl.col(VOLUME).interpolate().rolling_mean(5) / pl.col(VOLUME).interpolate().mean()),
)


@pytest.fixture(scope="module")
def feature_violations() -> list[Violation]:
    return lookahead_violations(compute_features, PANEL, CUTS, SEED)


@pytest.mark.parametrize("feature", CATALOGUE, ids=lambda feature: feature.name)
def test_a_feature_does_not_see_the_future(feature: Feature, feature_violations: list[Violation]) -> None:
    assert [violation for violation in feature_violations if violation.column == feature.name] == []


def test_which_rows_have_features_does_not_depend_on_the_future(feature_violations: list[Violation]) -> None:
    assert feature_violations == []


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_a_planted_leak_is_caught_by_name_in_either_way(leak: Feature) -> None:
    honest = CATALOGUE[0]
    found = lookahead_violations(lambda panel: compute_features(panel, [honest, leak]), PANEL, CUTS, SEED)
    assert {(violation.column, violation.kind) for violation in found} == {(leak.name, "cut"), (leak.name, "altered")}


@pytest.mark.parametrize(("names", "reach"), [((FORWARD_RETURN, DIRECTION), RETURN_REACH), ((FORWARD_VOLATILITY,), HORIZON)])
def test_a_label_sees_as_far_as_its_reach(names: tuple[str, ...], reach: int) -> None:
    assert lookahead_violations(_labels(*names), PANEL, CUTS, SEED, reach=reach) == []


@pytest.mark.parametrize(("name", "reach"), [(FORWARD_RETURN, RETURN_REACH), (DIRECTION, RETURN_REACH), (FORWARD_VOLATILITY, HORIZON)])
def test_a_label_s_reach_is_not_overstated(name: str, reach: int) -> None:
    found = lookahead_violations(_labels(name), PANEL, CUTS, SEED, reach=reach - 1)
    assert {(violation.column, violation.kind) for violation in found} >= {(name, "cut")}


def test_a_label_that_reaches_too_far_is_caught() -> None:
    def too_far(panel: pl.DataFrame) -> pl.DataFrame:
        opening = pl.col(OPEN)
        leak = (opening.shift(-3) / opening.shift(-1) - 1).over(SYMBOL, order_by=SESSION)
        return panel.select(SYMBOL, SESSION, leak.alias(FORWARD_RETURN))

    found = lookahead_violations(too_far, PANEL, CUTS, SEED, reach=RETURN_REACH)
    assert {(violation.column, violation.kind) for violation in found} == {(FORWARD_RETURN, "cut"), (FORWARD_RETURN, "altered")}


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
    assert lookahead_violations(_labels(FORWARD_RETURN), PANEL, [DAYS[1]], SEED, reach=RETURN_REACH) == []
