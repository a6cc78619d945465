from collections.abc import Sequence
from datetime import date
from math import log
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_series_equal

from stock_pipeline.core.columns import (
    CLOSE,
    DIRECTION,
    FORWARD_RETURN,
    FORWARD_VOLATILITY,
    KNOWN_ON,
    LABEL_STATUS,
    OPEN,
    PRICES,
    SESSION,
    SYMBOL,
)
from stock_pipeline.core.errors import InputError
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.tables import VOLATILITY, column_of
from stock_pipeline_tests.factories.feature_bars import with_actions
from stock_pipeline_tests.factories.label_bars import DAYS, OPENS, panel, return_by_hand, scattered, volatility_by_hand, without
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.harness.laws import law

LAST = DAYS[150]  # by which every label of the small panels has come or never will
RETURN_1, RETURN_3 = (column_of(FORWARD_RETURN, horizon) for horizon in (1, 3))


def labels(
    bars: pl.DataFrame, horizons: Sequence[int] = (1, 3), volatility: int = 5, as_of: date = LAST, days: Sequence[date] = DAYS
) -> pl.DataFrame:
    return compute_labels(bars, days, as_of, horizons, volatility)


def column(bars: pl.DataFrame, name: str, **chosen: Any) -> list[Any]:
    return labels(bars, **chosen)[name].to_list()


def test_the_return_is_from_the_next_open_to_the_one_so_many_sessions_later() -> None:
    made = labels(panel(OPENS))
    assert made[RETURN_1].to_list() == [pytest.approx(0.1), pytest.approx(-0.2), 0.0, None, None]
    assert made[RETURN_3].to_list() == [pytest.approx(44 / 50 - 1), None, None, None, None]


def test_the_direction_is_up_or_not() -> None:
    made = labels(panel([*OPENS, 50.0, 60.0]))
    assert made["direction_1"].to_list() == [1, 0, 0, 1, 1, None, None]
    assert made["direction_3"].to_list() == [0, 0, 1, None, None, None, None]
    assert made["direction_1"].dtype == pl.Int8


@pytest.mark.parametrize(("suspect", "doubted"), [(0, []), (1, [0]), (2, [0, 1]), (4, [2, 3])])
def test_a_return_that_rests_on_a_suspect_bar_is_not_believed(suspect: int, doubted: list[int]) -> None:
    both = pl.concat([panel([*OPENS, 50.0], suspects=[suspect]), panel([*OPENS, 50.0], symbol="B")])
    status = labels(both).filter(pl.col(SYMBOL) == "A")
    assert [place for place, found in enumerate(status["label_status_1"]) if found == "suspect"] == doubted
    assert status.filter(pl.col("label_status_1") == "suspect").select(RETURN_1, "direction_1").null_count().row(0) == (len(doubted),) * 2
    # Over three sessions it also rests on the bars between.
    assert [place for place in (0, 1) if status["label_status_3"][place] == "suspect"] == [
        place for place in (0, 1) if place < suspect <= place + 4
    ]
    assert "suspect" not in labels(both).filter(pl.col(SYMBOL) == "B")["label_status_1"]


def test_a_bar_without_volume_fills_no_order_but_says_what_a_stock_is_worth() -> None:
    both = pl.concat([panel([*OPENS, 50.0], untraded=[2]), panel([*OPENS, 50.0], symbol="B")])
    status = labels(both).filter(pl.col(SYMBOL) == "A")
    assert status["label_status_1"].to_list()[:4] == ["no_volume", "no_volume", "known", "known"]
    assert status["label_status_3"].to_list()[:2] == ["known", "no_volume"]  # sold and bought on other sessions
    assert column(pl.concat([panel([10.0] * 8, untraded=[3])]), "label_status_volatility")[0] == "known"
    assert column(pl.concat([panel([10.0] * 8, suspects=[3])]), "label_status_volatility")[:4] == ["suspect"] * 3 + ["no_bar"]


@pytest.mark.parametrize(("gone", "expected"), [(1, [None, 0, None, None]), (2, [None] * 4), (3, [0.1, None, None, None])])
def test_a_missing_bar_makes_the_returns_over_it_null(gone: int, expected: list[float | None]) -> None:
    shown = column(without(panel(OPENS), gone), RETURN_1)
    assert shown == [None if value is None else pytest.approx(value) for value in expected]


def test_a_pause_between_the_fill_and_the_way_out_is_no_matter() -> None:
    made = labels(without(panel(OPENS), 2, 3))
    assert made.select(RETURN_3, "label_status_3").row(0) == (pytest.approx(44 / 50 - 1), "known")
    assert labels(without(panel(OPENS, jumps=[4]), 2, 3))["label_status_3"][0] == "jump"


def test_the_exchange_s_calendar_counts_and_not_the_panel_s() -> None:
    holiday = [day for day in DAYS if day != DAYS[3]]
    made = labels(without(panel(OPENS), 3), days=holiday)
    assert made[RETURN_1].to_list() == [pytest.approx(0.1), pytest.approx(44 / 55 - 1), None, None]
    assert made["known_on_1"].to_list() == [DAYS[2], DAYS[4], DAYS[5], DAYS[6]]


def test_a_jump_after_the_fill_and_up_to_the_way_out_is_not_trusted_but_one_before_is_no_matter() -> None:
    assert column(panel(OPENS, jumps=[2]), RETURN_1) == [None, pytest.approx(-0.2), 0.0, None, None]
    assert column(panel(OPENS, jumps=[0, 1]), RETURN_1)[0] == pytest.approx(0.1)
    outcomes = {position: column(panel([*OPENS, 44.0], jumps=[position]), "label_status_3")[0] for position in range(6)}
    assert outcomes == {0: "known", 1: "known", 2: "jump", 3: "jump", 4: "jump", 5: "known"}


def test_the_volatility_is_the_deviation_of_the_returns_ahead() -> None:
    closes = [100.0, 110.0, 99.0, 99.0, 120.0, 90.0, 91.0]
    returns = [log(closes[i + 1] / closes[i]) for i in range(6)]
    expected = [float(np.std(returns[i : i + 5], ddof=1)) for i in range(2)]
    assert column(panel(closes), FORWARD_VOLATILITY) == [*(pytest.approx(value) for value in expected), *[None] * 5]


def test_the_horizon_of_the_volatility_can_be_chosen() -> None:
    shown = column(panel([100.0, 110.0, 99.0, 99.0]), FORWARD_VOLATILITY, volatility=2)
    assert shown == [pytest.approx(np.std([log(1.1), log(0.9)], ddof=1)), pytest.approx(abs(log(0.9)) / 2**0.5), None, None]


@pytest.mark.parametrize("position", range(6))
def test_a_missing_close_makes_the_volatility_null(position: int) -> None:
    closes = [100.0 + i * i for i in range(6)]
    assert column(panel(closes), FORWARD_VOLATILITY)[0] is not None
    assert column(without(panel(closes), position), FORWARD_VOLATILITY) == [None] * 5


@pytest.mark.parametrize("position", range(7))
def test_a_jump_in_the_horizon_spoils_the_volatility(position: int) -> None:
    made = labels(panel([100.0 + i * i for i in range(7)], jumps=[position]))
    assert made["label_status_volatility"][0] == ("jump" if 1 <= position <= 5 else "known")
    assert (made[FORWARD_VOLATILITY][0] is None) == (1 <= position <= 5)


@pytest.mark.parametrize("price", [0.0, -3.0, float("nan"), float("inf"), None])
def test_a_price_that_cannot_be_is_none(price: float | None) -> None:
    bars = panel([100.0 + i * i for i in range(8)])
    at_two = pl.col(SESSION) == DAYS[2]
    made = labels(bars.with_columns(pl.when(at_two).then(pl.lit(price, pl.Float64)).otherwise(name).alias(name) for name in (OPEN, CLOSE)))
    assert made["label_status_1"].to_list() == ["no_bar"] * 2 + ["known"] * 4 + ["no_bar"] * 2
    assert made["label_status_3"].to_list() == ["known", "no_bar", "known", "known", *["no_bar"] * 4]
    assert made["label_status_volatility"].to_list() == ["no_bar"] * 8


@pytest.mark.parametrize(("as_of", "outcomes"), [(1, ["pending"] * 2), (2, ["known", "pending", "pending"]), (3, ["known", "known"])])
def test_what_is_yet_to_come_is_pending_and_says_when_it_comes(as_of: int, outcomes: list[str]) -> None:
    made = labels(panel(OPENS), as_of=DAYS[as_of])
    assert made.height == as_of + 1
    assert made["label_status_1"].to_list()[: len(outcomes)] == outcomes
    assert made["known_on_1"].to_list() == DAYS[2 : as_of + 3]
    assert made["known_on_3"].to_list() == DAYS[4 : as_of + 5]
    assert made["known_on_volatility"].to_list() == DAYS[5 : as_of + 6]


def test_what_is_yet_to_come_is_pending_even_where_a_bar_is_missing_already() -> None:
    made = labels(without(panel(OPENS), 1), as_of=DAYS[3])
    assert made["label_status_1"].to_list() == ["no_bar", "pending", "pending"]
    assert made["label_status_3"].to_list() == ["pending"] * 3


@given(seed=st.integers(0, 10_000), as_of=st.integers(0, 60), horizon=st.integers(1, 7), volatility=st.integers(2, 7))
@law(60)
def test_every_label_is_as_worked_out_by_hand(seed: int, as_of: int, horizon: int, volatility: int) -> None:
    bars = scattered(seed)
    made = labels(bars, (horizon, 8), volatility, DAYS[as_of])
    told = [column_of(name, horizon) for name in (FORWARD_RETURN, LABEL_STATUS, KNOWN_ON, DIRECTION)]
    for symbol, session, *shown in made.select(SYMBOL, SESSION, *told).iter_rows():
        value, outcome, known_on = return_by_hand(bars, symbol, session, DAYS[as_of], horizon)
        assert shown == [value, outcome, known_on, None if value is None else int(value > 0)]
    told = [FORWARD_VOLATILITY, column_of(LABEL_STATUS, VOLATILITY), column_of(KNOWN_ON, VOLATILITY)]
    for symbol, session, shown_value, *shown in made.select(SYMBOL, SESSION, *told).iter_rows():
        value, *expected = volatility_by_hand(bars, symbol, session, DAYS[as_of], volatility)
        assert shown == expected
        assert shown_value == (None if value is None else pytest.approx(value, rel=1e-9))


@given(seed=st.integers(0, 10_000), earlier=st.integers(0, 30))
@law(20)
def test_labels_made_as_of_an_earlier_session_are_those_of_the_bars_until_then(seed: int, earlier: int) -> None:
    bars, then = scattered(seed), DAYS[earlier]
    made = labels(bars, as_of=then)
    assert made.equals(labels(bars.filter(pl.col(SESSION) <= then), as_of=then))
    later = labels(bars).filter(pl.col(SESSION) <= then)
    for horizon in (1, 3, VOLATILITY):
        settled = pl.col(column_of(KNOWN_ON, horizon)) <= then
        value = FORWARD_VOLATILITY if horizon == VOLATILITY else column_of(FORWARD_RETURN, horizon)
        names = [SYMBOL, SESSION, value, column_of(LABEL_STATUS, horizon)]
        assert made.filter(settled).select(names).equals(later.filter(settled).select(names))


def test_symbols_do_not_run_into_each_other() -> None:
    both = pl.concat([panel(OPENS, symbol="B", jumps=[1]), panel([7.0, 7.0, 7.7], symbol="A")])
    made = labels(both)
    assert made[SYMBOL].to_list() == ["A"] * 3 + ["B"] * 5
    assert made[RETURN_1].to_list()[:3] == [pytest.approx(0.1), None, None]
    assert made.filter(pl.col(SYMBOL) == "B").equals(labels(panel(OPENS, symbol="B", jumps=[1])))


def test_a_stock_that_ends_is_not_continued_by_one_that_begins() -> None:
    ended, begun = panel(OPENS[:3], symbol="A"), panel([1.0] * 8, symbol="B").slice(3)
    made = labels(pl.concat([ended, begun]))
    assert made[RETURN_1].to_list() == [pytest.approx(0.1), None, None, 0.0, 0.0, 0.0, None, None]
    assert made[FORWARD_VOLATILITY].to_list() == [None] * 8


def test_a_bar_of_no_session_is_there_without_labels_and_breaks_no_other() -> None:
    holiday = date(2012, 1, 7)
    assert DAYS[3] < holiday < DAYS[4]
    extra = panel([1.0]).with_columns(pl.lit(holiday).alias(SESSION))
    made = labels(pl.concat([panel(OPENS), extra]))
    row = made.filter(pl.col(SESSION) == holiday).row(0, named=True)
    assert (row[RETURN_1], row["label_status_1"], row["known_on_1"]) == (None, "no_bar", DAYS[5])
    assert made.filter(pl.col(SESSION) != holiday).equals(labels(panel(OPENS)))


def test_a_row_for_every_row_whatever_their_order() -> None:
    bars = adjusted_panel(symbols=4, count=30, missing_share=0.1)
    made = labels(bars)
    assert made.select(SYMBOL, SESSION).equals(bars.select(SYMBOL, SESSION).sort(SYMBOL, SESSION))
    assert made.equals(labels(bars.sample(fraction=1, shuffle=True, seed=5), days=DAYS[::-1]))
    assert labels(bars.clear()).schema == made.schema


@given(seed=st.integers(0, 10_000), factor=st.floats(1e-3, 1e3), start=st.integers(0, 20))
@law(20)
def test_labels_depend_neither_on_the_scale_of_prices_nor_on_where_the_panel_starts(seed: int, factor: float, start: int) -> None:
    bars = adjusted_panel(symbols=2, count=40, seed=seed, missing_share=0.05)
    made = labels(bars)
    later = pl.col(SESSION) >= DAYS[start]
    assert labels(bars.filter(later)).equals(made.filter(later))
    scaled = labels(bars.with_columns(pl.col(price) * factor for price in PRICES))
    for name in (RETURN_1, RETURN_3, FORWARD_VOLATILITY):
        assert scaled[name].is_null().equals(made[name].is_null())
        assert scaled[name].drop_nulls().to_numpy() == pytest.approx(made[name].drop_nulls().to_numpy(), rel=1e-9, abs=1e-13)


def test_one_horizon_has_nothing_to_do_with_another() -> None:
    bars = scattered(3)
    both, alone = labels(bars, (3, 1)), labels(bars, (1,))
    assert both.select(alone.columns).equals(alone)
    assert both.columns[2] == RETURN_3


@pytest.mark.parametrize("horizon", [1, 0, -5])
def test_a_horizon_without_a_deviation_is_refused(horizon: int) -> None:
    with pytest.raises(InputError, match=f"volatility_horizon of the labels is {horizon}; give 2 sessions or more"):
        labels(panel(OPENS), volatility=horizon)


@pytest.mark.parametrize("horizons", [[], [0], [1, 5, 1], [3, -1]])
def test_horizons_that_cannot_be_are_refused(horizons: list[int]) -> None:
    with pytest.raises(InputError, match=rf"horizons of the labels are \[{', '.join(map(str, horizons))}\]; give one or more"):
        labels(panel(OPENS), horizons)


@pytest.mark.parametrize("days", [DAYS[1:], DAYS[:9], DAYS[:0]])
def test_sessions_that_do_not_reach_around_the_bars_are_refused(days: list[date]) -> None:
    assert labels(panel(OPENS), days=DAYS[:10]).height == 5
    with pytest.raises(InputError, match=rf"the {len(days)} exchange sessions .* from the first bar, {DAYS[0]}, to 5 sessions after"):
        labels(panel(OPENS), days=days)


def test_actions_to_come_do_not_change_a_bit_and_those_on_the_way_count() -> None:
    plain = adjusted_panel(symbols=5, count=60, missing_share=0.05)
    raw = with_actions(plain, share=0.1)
    whole = compute_labels(raw, DAYS, DAYS[59], (1, 5), 4)
    for last in (DAYS[20], DAYS[40]):
        then = compute_labels(raw.filter(pl.col(SESSION) <= last), DAYS, last, (1, 5), 4)
        known_then = then.filter(pl.col("label_status_5") == "known", pl.col("label_status_volatility") == "known")
        assert known_then.height > 40
        assert known_then.equals(whole.join(known_then.select(SYMBOL, SESSION), on=[SYMBOL, SESSION], how="semi"))
    adjusted = compute_labels(plain, DAYS, DAYS[59], (1, 5), 4)
    for name in ("forward_return_1", "forward_return_5", "forward_volatility"):
        assert_series_equal(whole[name], adjusted[name], rel_tol=1e-9, abs_tol=1e-12)
