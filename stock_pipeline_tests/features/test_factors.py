import dataclasses

import polars as pl
import pytest
from threadpoolctl import threadpool_info

from stock_pipeline.core.columns import CLOSE, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.lookahead import lookahead_violations
from stock_pipeline.features import factor_model
from stock_pipeline.features.catalogue import EXTENDED
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.factor_model import Array, own_movements
from stock_pipeline.features.factors import FACTOR_FEATURES, METHOD
from stock_pipeline_tests.factories.feature_bars import compute_night, with_actions
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.features.factor_reference import NAMES, expected

LISTED, DELISTED, PAUSED, PAUSED_FOR_LONG = "S05", "S11", "S17", "S18"


def panel_of_many(symbols: int = 45, count: int = 96, seed: int = 0) -> pl.DataFrame:
    """Raw bars with actions and gaps; one stock is listed late, one goes early, two pause, two lack volume."""
    panel = with_actions(adjusted_panel(symbols, count, seed, missing_share=0.06), seed=seed)
    days = panel[SESSION].unique().sort()
    symbol, session = pl.col(SYMBOL), pl.col(SESSION)
    listed, delisted = (symbol == LISTED) & (session < days[25]), (symbol == DELISTED) & (session > days[80])
    paused = (symbol == PAUSED) & session.is_between(days[50], days[67])
    paused |= (symbol == PAUSED_FOR_LONG) & session.is_between(days[50], days[73])
    silent = (symbol == "S20") | ((symbol == "S21") & (session < days[70]))
    return panel.filter(~listed & ~delisted & ~paused).with_columns(pl.when(silent).then(0.0).otherwise(VOLUME).alias(VOLUME))


@pytest.mark.parametrize("symbols", [45, 23])
def test_the_features_are_those_of_the_plain_reference(symbols: int) -> None:
    panel = panel_of_many(symbols)
    days = panel[SESSION].unique().sort()
    made = compute_features(panel, FACTOR_FEATURES)
    for position in (59, 60, 68, 84, 86, 91, 95):
        shown = made.filter(pl.col(SESSION) == days[position])
        wanted = expected(panel, position)
        assert shown[SYMBOL].to_list() == list(wanted)
        for row in shown.iter_rows(named=True):
            for name in NAMES:
                value = wanted[row[SYMBOL]][name]
                assert row[name] == (None if value is None else pytest.approx(value, rel=1e-5, abs=1e-6)), (position, row[SYMBOL], name)
    without = [made.filter((pl.col(SESSION) == days[place]) & pl.col(NAMES[0]).is_null())[SYMBOL].to_list() for place in (68, 84, 91)]
    # Listed late, it has no full window; back after the pause, no return; after a long one, too few.
    assert without == [[LISTED, PAUSED], [LISTED, PAUSED_FOR_LONG], [PAUSED_FOR_LONG]]


def test_a_session_s_values_are_those_of_its_own_window_bit_for_bit_whoever_comes_and_goes() -> None:
    panel = panel_of_many(seed=3)
    days = panel[SESSION].unique().sort()
    whole = compute_features(panel, FACTOR_FEATURES)
    for position in (60, 66, 79, 81, 90, 95):
        bulk = whole.filter(pl.col(SESSION) == days[position])
        assert compute_night(panel, days[position], FACTOR_FEATURES).equals(bulk)
        assert bulk[NAMES[0]].count() >= 20
        # A stock without a bar in the session does not count in it, whatever it did before.
        there = panel.filter(pl.col(SESSION) == days[position])[SYMBOL]
        assert there.len() < 45
        only_these = panel.filter(pl.col(SYMBOL).is_in(there.implode()))
        assert compute_features(only_these, FACTOR_FEATURES).filter(pl.col(SESSION) == days[position]).equals(bulk)


def test_the_first_sessions_to_make_may_lie_anywhere() -> None:
    panel = panel_of_many(symbols=12)
    days = panel[SESSION].unique().sort()
    whole = compute_features(panel, FACTOR_FEATURES)
    for position in (0, 30, 62, 95):
        made = compute_features(panel, FACTOR_FEATURES, first=days[position])
        assert made.equals(whole.filter(pl.col(SESSION) >= days[position]))


def test_they_do_not_see_the_future() -> None:
    panel = panel_of_many(symbols=16)
    days = panel[SESSION].unique().sort()
    made = compute_features(panel, FACTOR_FEATURES)
    cuts = [days[position] for position in (62, 80, 92)]
    assert all(made.filter(pl.col(SESSION) == cut)[NAMES[0]].count() >= 8 for cut in cuts)
    assert lookahead_violations(lambda bars: compute_features(bars, FACTOR_FEATURES), panel, cuts, seed=5) == []


def test_prices_volumes_and_splits_of_another_scale_leave_the_values() -> None:
    panel = panel_of_many()
    made = compute_features(panel, FACTOR_FEATURES)
    # As if every price had been told in another currency, and the volume in lots.
    told_otherwise = panel.with_columns(*(pl.col(price) * 7 for price in PRICES), pl.col(VOLUME) / 100)
    of_one = pl.when(pl.col(SYMBOL) == "S03")
    of_one_only = panel.with_columns(*(of_one.then(pl.col(n) * 3).otherwise(n).alias(n) for n in (*PRICES, VOLUME)))
    split = adjusted_panel(45, 96, 0, missing_share=0.06)
    for other, panel_before in ((told_otherwise, panel), (of_one_only, panel), (with_actions(split, share=0.1, seed=9), split)):
        before, after = (compute_features(bars, FACTOR_FEATURES) for bars in (panel_before, other))
        for name in NAMES:
            assert before[name].is_null().equals(after[name].is_null())
            assert (before[name] - after[name]).abs().max() < 1e-4, name  # type: ignore[operator]
    assert made.height == panel.height


def test_too_few_stocks_have_no_values() -> None:
    eight, seven = (adjusted_panel(symbols, 62) for symbols in (8, 7))
    assert compute_features(eight, FACTOR_FEATURES).tail(1)[NAMES[0]].null_count() == 0
    assert compute_features(seven, FACTOR_FEATURES).select(pl.col(NAMES).count()).row(0) == (0,) * len(NAMES)


def test_an_absurd_price_of_one_stock_leaves_the_others_finite() -> None:
    panel = adjusted_panel(9, 66)
    day = panel[SESSION].unique().sort()[60]
    absurd = (pl.col(SYMBOL) == "S04") & (pl.col(SESSION) == day)
    made = compute_features(panel.with_columns(pl.when(absurd).then(1e250).otherwise(CLOSE).alias(CLOSE)), FACTOR_FEATURES)
    last = made.filter(pl.col(SESSION) == made[SESSION].max())
    assert last.select(pl.col(NAMES).null_count()).row(0) == (0,) * len(NAMES)


def test_one_thread_adds_up_and_the_others_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def threads() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    seen, before = [], threads()

    def watched(returns: Array, overnight: Array, log_volume: Array) -> dict[str, Array]:
        seen.append(threads())
        return own_movements(returns, overnight, log_volume)

    monkeypatch.setattr(factor_model, "own_movements", watched)
    panel = adjusted_panel(8, 62)
    compute_features(panel, FACTOR_FEATURES, first=panel[SESSION].max())  # type: ignore[arg-type]
    assert seen == [[1] * len(before)] and threads() == before


def test_another_method_makes_another_hash() -> None:
    roots = {feature.name: feature.expression.meta.root_names() for feature in FACTOR_FEATURES}
    assert all(names[0].endswith(f"_by_method_{METHOD}") for names in roots.values())
    later = [
        dataclasses.replace(feature, expression=pl.col(names[0].replace(f"_{METHOD}", f"_{METHOD + 1}")))
        for feature, names in zip(FACTOR_FEATURES, roots.values(), strict=True)
    ]
    others = tuple(feature for feature in EXTENDED.features if feature not in FACTOR_FEATURES)
    before, after = (dataclasses.replace(EXTENDED, features=(*others, *factor)) for factor in (FACTOR_FEATURES, later))
    assert before.hash != after.hash


def test_the_method_makes_the_numbers_that_its_number_stands_for() -> None:
    """Where these change, stored values are no longer those that the code makes: raise ``METHOD`` with them."""
    last = compute_features(adjusted_panel(24, 66), FACTOR_FEATURES).tail(1)
    assert METHOD == 2
    assert list(last.select(NAMES).row(0)) == pytest.approx([1.33558, 0.320109, 1.17306, -0.0993781, 0.820893, 0.00250037], abs=1e-5)
