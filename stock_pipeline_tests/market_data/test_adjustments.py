from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import (
    ADJ_CLOSE,
    CLOSE,
    HIGH,
    JUMP,
    LOW,
    OPEN,
    PRICE_FACTOR,
    PRICES,
    SESSION,
    SYMBOL,
    VOLUME,
    VOLUME_FACTOR,
)
from stock_pipeline.market_data import adjustments
from stock_pipeline.market_data.corporate_actions import derive_actions
from stock_pipeline.market_data.sources.sample_long import SampleLongSource
from stock_pipeline.market_data.tables import DIVIDEND, RAW, SPLIT, SPLIT_ADJUSTED
from stock_pipeline_tests.factories.market_rows import DAYS, actions, bar, bars, known, series, stored
from stock_pipeline_tests.harness.laws import law

RATIO = 1.4
NONE = actions()


def adjust(frame: pl.DataFrame, told: pl.DataFrame, jump_ratio: float) -> pl.DataFrame:
    return adjustments.adjust(stored(frame), told, jump_ratio)


def closes(frame: pl.DataFrame, symbol: str = "A") -> list[float]:
    return frame.filter(pl.col(SYMBOL) == symbol)[CLOSE].to_list()


def test_without_actions_and_jumps_prices_and_volumes_stay_raw() -> None:
    frame = bars(*series("B", [10.0, 11.0, 9.0]), *series("A", [5.0, 6.0, 7.0]))
    adjusted = adjust(frame, NONE, RATIO)
    assert adjusted.columns == [SYMBOL, SESSION, *PRICES, VOLUME, JUMP]
    assert adjusted.drop(JUMP).equals(frame.sort(SYMBOL, SESSION).select(SYMBOL, SESSION, *PRICES, VOLUME))
    assert not adjusted[JUMP].any()


def test_a_split_is_taken_out_of_prices_and_put_into_volumes() -> None:
    adjusted = adjust(bars(*series("A", [100.0, 102.0, 52.0, 53.0])), actions(("A", DAYS[2], SPLIT, 2.0)), RATIO)
    for name in PRICES:
        assert adjusted[name].to_list() == pytest.approx([50.0, 51.0, 52.0, 53.0])
    assert adjusted[VOLUME].to_list() == pytest.approx([200.0, 200.0, 100.0, 100.0])
    assert not adjusted[JUMP].any()


def test_a_reverse_split_goes_the_other_way() -> None:
    adjusted = adjust(bars(*series("A", [1.0, 10.0])), actions(("A", DAYS[1], SPLIT, 0.1)), RATIO)
    assert closes(adjusted) == pytest.approx([10.0, 10.0])
    assert adjusted[VOLUME].to_list() == pytest.approx([10.0, 100.0])


def test_a_dividend_lowers_the_prices_before_its_ex_session_and_no_volume() -> None:
    adjusted = adjust(bars(*series("A", [50.0, 40.0, 39.0, 39.0])), actions(("A", DAYS[2], DIVIDEND, 1.0)), RATIO)
    assert closes(adjusted) == pytest.approx([50.0 * 39 / 40, 39.0, 39.0, 39.0])
    assert adjusted[VOLUME].to_list() == [100.0] * 4


def test_several_actions_of_one_session_all_count() -> None:
    told = actions(("A", DAYS[1], SPLIT, 2.0), ("A", DAYS[1], DIVIDEND, 0.5), ("A", DAYS[1], DIVIDEND, 0.5))
    adjusted = adjust(bars(*series("A", [100.0, 49.0])), told, RATIO)
    assert closes(adjusted) == pytest.approx([49.0, 49.0])  # 100 / 2 - 1
    assert adjusted[VOLUME].to_list() == [200.0, 100.0]


def test_an_action_on_a_session_without_a_bar_counts_on_the_next_one() -> None:
    told = actions(("A", DAYS[2], SPLIT, 2.0), ("A", date(2012, 1, 8), DIVIDEND, 1.0))
    adjusted = adjust(bars(*series("A", [100.0, 100.0, None, 50.0, 49.0])), told, RATIO)
    assert closes(adjusted) == pytest.approx([49.0, 49.0, 49.0, 49.0])
    assert not adjusted[JUMP].any()


def test_splits_that_fall_on_one_bar_multiply_each_on_the_next_bar_of_its_own_symbol() -> None:
    frame = bars(*series("A", [120.0, None, None, 20.0, 21.0]), *series("B", [90.0, None, 30.0, 31.0, 15.5]))
    told = actions(("B", DAYS[4], SPLIT, 2.0), ("A", DAYS[2], SPLIT, 2.0), ("B", DAYS[1], SPLIT, 3.0), ("A", DAYS[1], SPLIT, 3.0))
    adjusted = adjust(frame.reverse(), told, RATIO)
    assert closes(adjusted, "A") == pytest.approx([20.0, 20.0, 21.0])
    assert closes(adjusted, "B") == pytest.approx([15.0, 15.0, 15.5, 15.5])
    assert adjusted[VOLUME].to_list() == pytest.approx([600.0, 100.0, 100.0, 600.0, 200.0, 200.0, 100.0])
    assert not adjusted[JUMP].any()


@pytest.mark.parametrize(
    ("before", "after", "closes_told", "expected"),
    [
        pytest.param(SPLIT_ADJUSTED, RAW, [50.0, 51.0], [50.0, 51.0], id="adjusted, then as traded"),
        pytest.param(RAW, SPLIT_ADJUSTED, [100.0, 51.0], [50.0, 51.0], id="as traded, then adjusted"),
        pytest.param(RAW, RAW, [100.0, 51.0], [50.0, 51.0], id="as traded"),
        pytest.param(SPLIT_ADJUSTED, SPLIT_ADJUSTED, [50.0, 51.0], [50.0, 51.0], id="adjusted"),
    ],
)
def test_the_split_is_taken_out_where_the_bar_before_it_came_as_traded(
    before: str, after: str, closes_told: list[float], expected: list[float]
) -> None:
    stocks = [
        row
        for symbol, bases in (("A", (before, after)), ("B", (RAW, RAW)))
        for row in (bar(symbol, day, close, basis=basis) for day, close, basis in zip(DAYS, closes_told, bases, strict=False))
    ]
    told = actions(("A", DAYS[1], SPLIT, 2.0), ("B", DAYS[0], SPLIT, 2.0))
    factored = adjustments.with_factors(stored(bars(*stocks)), told, jump_ratio=3.0)
    of_a = 2.0 if before == RAW else 1.0
    assert factored[VOLUME_FACTOR].to_list() == [1.0, of_a, 2.0, 1.0]  # another symbol's basis says nothing of B's first bar
    assert factored[PRICE_FACTOR].to_list() == [1.0, 1 / of_a, 0.5, 1.0]
    adjusted = adjust(bars(*stocks), told, 3.0)
    assert closes(adjusted, "A") == expected
    assert closes(adjusted, "B") == closes_told


@pytest.mark.parametrize("day", [date(2011, 12, 30), DAYS[0], date(2012, 1, 30)], ids=["before", "on the first bar", "after the last"])
def test_an_action_outside_of_the_bars_changes_nothing(day: date) -> None:
    frame = bars(*series("A", [10.0, 10.0]))
    told = actions(("A", day, SPLIT, 2.0), ("A", day, DIVIDEND, 1.0))
    assert adjust(frame, told, RATIO).equals(adjust(frame, NONE, RATIO))


def test_an_action_concerns_its_own_symbol() -> None:
    frame = bars(*series("A", [10.0, 10.0]), *series("B", [10.0, 10.0]))
    adjusted = adjust(frame, actions(("B", DAYS[1], DIVIDEND, 1.0), ("C", DAYS[1], SPLIT, 2.0)), RATIO)
    assert closes(adjusted, "A") == [10.0, 10.0]
    assert closes(adjusted, "B") == pytest.approx([9.0, 10.0])


@pytest.mark.parametrize(
    ("opening", "jumps"), [(13.9, False), (14.0, False), (14.1, True), (7.15, False), (7.13, True), (5.0, True), (40.0, True)]
)
def test_an_overnight_move_beyond_the_ratio_that_nothing_explains_is_marked_and_taken_out(opening: float, jumps: bool) -> None:
    second = bar("A", DAYS[1], opening * 1.01) | {OPEN: opening, LOW: opening}
    adjusted = adjust(bars(bar("A", DAYS[0], 10.0), second), NONE, RATIO)
    assert adjusted[JUMP].to_list() == [False, jumps]
    assert closes(adjusted) == pytest.approx([opening if jumps else 10.0, opening * 1.01])
    assert adjusted[VOLUME].to_list() == [100.0, 100.0]  # what was behind it is not known, so shares stay shares


@pytest.mark.parametrize("closes_told", [[10.0, 20.0], [10.0, 5.0]])
def test_a_move_by_the_ratio_itself_is_no_jump(closes_told: list[float]) -> None:
    assert not adjust(bars(*series("A", closes_told)), NONE, 2.0)[JUMP].any()


def test_a_move_within_the_session_is_no_jump() -> None:
    second = bar("A", DAYS[1], 20.0) | {OPEN: 10.0, LOW: 10.0}
    assert not adjust(bars(bar("A", DAYS[0], 10.0), second), NONE, RATIO)[JUMP].any()


def test_a_move_that_an_action_explains_is_no_jump_and_one_beyond_it_is() -> None:
    told = actions(("A", DAYS[1], SPLIT, 2.0))
    assert not adjust(bars(*series("A", [100.0, 50.0])), told, RATIO)[JUMP].any()
    unmoved = adjust(bars(*series("A", [100.0, 100.0])), told, RATIO)
    assert unmoved[JUMP].to_list() == [False, True]
    assert closes(unmoved) == pytest.approx([100.0, 100.0])


def test_where_the_source_adjusts_itself_it_would_have_told_so_nothing_is_a_jump() -> None:
    adjusted = adjust(bars(*series("A", [100.0, 50.0], [100.0, 50.0])), NONE, RATIO)
    assert not adjusted[JUMP].any()
    assert closes(adjusted) == [100.0, 50.0]
    only_then = bars(*series("A", [100.0, 50.0, 100.0], [100.0, 50.0, None]))
    assert adjust(only_then, NONE, RATIO)[JUMP].to_list() == [False, False, True]


def test_a_dividend_of_the_whole_price_or_more_is_left_out_rather_than_turning_prices_negative() -> None:
    adjusted = adjust(bars(*series("A", [10.0, 5.0])), actions(("A", DAYS[1], DIVIDEND, 10.0)), RATIO)
    assert closes(adjusted) == [10.0, 5.0]


@pytest.mark.parametrize("dividend", [5.0, 7.0])
def test_a_split_counts_although_a_dividend_of_the_whole_price_or_more_comes_with_it(dividend: float) -> None:
    frame = bars(*series("A", [10.0, 5.0]), *series("B", [10.0, 4.0]))
    both = [
        (symbol, DAYS[1], kind, value) for symbol, paid in (("A", dividend), ("B", 1.0)) for kind, value in ((SPLIT, 2.0), (DIVIDEND, paid))
    ]
    adjusted = adjust(frame, actions(*both), RATIO)
    assert closes(adjusted, "A") == [5.0, 5.0]
    assert closes(adjusted, "B") == [4.0, 4.0]
    assert adjusted[VOLUME].to_list() == [200.0, 100.0] * 2
    assert not adjusted[JUMP].any()


def test_a_dividend_of_a_stock_of_a_few_cents_counts_and_so_does_its_jump() -> None:
    told = actions(("A", DAYS[1], DIVIDEND, 0.1))
    adjusted = adjust(bars(*series("A", [0.5, 0.4, 0.9])), told, RATIO)
    assert closes(adjusted) == pytest.approx([0.9, 0.9, 0.9])
    assert adjusted[JUMP].to_list() == [False, False, True]


def test_the_first_bar_of_a_symbol_is_not_compared_with_another_s_last() -> None:
    assert not adjust(bars(*series("A", [100.0, 100.0]), *series("B", [1.0, 1.0])), NONE, RATIO)[JUMP].any()


def test_no_bars_give_no_bars() -> None:
    assert adjust(bars(), actions(("A", DAYS[1], SPLIT, 2.0)), RATIO).is_empty()


def test_rows_get_the_ratios_of_the_splits_after_their_day_whatever_the_order() -> None:
    told = actions(("B", DAYS[3], SPLIT, 5.0), ("A", DAYS[4], SPLIT, 3.0), ("A", DAYS[2], DIVIDEND, 7.0), ("A", DAYS[1], SPLIT, 2.0))
    days = [("A", 4), ("B", 0), ("A", 0), ("C", 0), ("A", 1), ("B", 3), ("A", 3), ("B", 2)]
    rows = pl.DataFrame([(symbol, DAYS[place]) for symbol, place in days], schema={SYMBOL: pl.String, "reported": pl.Date}, orient="row")
    found = adjustments.with_later_splits(rows, told, "reported", "ratio")
    assert found.drop("ratio").equals(rows)
    assert found["ratio"].to_list() == [1.0, 5.0, 6.0, 1.0, 3.0, 1.0, 3.0, 5.0]


PRICE = st.floats(5, 200)
PANELS = st.lists(
    st.tuples(PRICE, PRICE, st.sampled_from([1.0, 1.0, 1.0, 2.0, 0.5]), st.sampled_from([0.0, 0.0, 0.05, 0.5])), min_size=2, max_size=9
)


def panel(rows: list[tuple[float, float, float, float]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars of one symbol from (open, close, split, dividend) and its actions; the first session has none."""
    made = []
    for day, (opening, close, _, _) in zip(DAYS, rows, strict=False):
        made.append(bar("A", day, close) | {OPEN: opening, HIGH: max(opening, close), LOW: min(opening, close)})
    told: list[tuple[str, date, str, float]] = []
    for day, (_, _, split, dividend) in list(zip(DAYS, rows, strict=False))[1:]:
        told += [("A", day, SPLIT, split)] if split != 1 else []
        told += [("A", day, DIVIDEND, dividend)] if dividend else []
    return bars(*made), actions(*told)


@law(80)
@given(rows=PANELS)
def test_the_ratio_of_adjusted_closes_is_the_total_return(rows: Any) -> None:
    frame, told = panel(rows)
    adjusted = adjust(frame, told, jump_ratio=1e9)
    assert adjusted.tail(1).drop(JUMP).equals(frame.tail(1).select(SYMBOL, SESSION, *PRICES, VOLUME))
    found = closes(adjusted)
    for i in range(1, len(rows)):
        (_, before, _, _), (_, close, split, dividend) = rows[i - 1], rows[i]
        # A holder of one share at the close before holds split shares now, and got dividend for each, laid out at the same rate.
        total_return = close / (before / split - dividend)
        assert found[i] / found[i - 1] == pytest.approx(total_return)


@law(80)
@given(rows=PANELS)
def test_with_jumps_taken_out_no_unexplained_night_moves_the_price(rows: Any) -> None:
    frame, told = panel(rows)
    adjusted = adjust(frame, told, RATIO)
    plain = adjust(frame, told, jump_ratio=1e9)
    for name in (OPEN, HIGH, LOW):
        within = adjusted.select(pl.col(name) / pl.col(CLOSE)).to_series()
        assert within.to_list() == pytest.approx(frame.select(pl.col(name) / pl.col(CLOSE)).to_series().to_list())
    overnight = adjusted.select(pl.col(OPEN) / pl.col(CLOSE).shift(1)).to_series().to_list()
    expected = plain.select(pl.col(OPEN) / pl.col(CLOSE).shift(1)).to_series().to_list()
    for moved, jumped, plainly in zip(overnight[1:], adjusted[JUMP].to_list()[1:], expected[1:], strict=True):
        assert moved == pytest.approx(1.0 if jumped else plainly)
        assert jumped == (not 1 / RATIO <= plainly <= RATIO) or plainly == pytest.approx(RATIO) or plainly == pytest.approx(1 / RATIO)
    assert adjusted[VOLUME].to_list() == pytest.approx(plain[VOLUME].to_list())


@law(30)
@given(rows=PANELS, cut=st.integers(1, 9))
def test_what_is_to_come_scales_the_past_but_does_not_change_its_shape(rows: Any, cut: int) -> None:
    frame, told = panel(rows)
    day = DAYS[min(cut, len(rows)) - 1]
    past = adjust(frame.filter(pl.col(SESSION) <= day), told.filter(pl.col(SESSION) <= day), RATIO)
    whole = adjust(frame, told, RATIO).filter(pl.col(SESSION) <= day)
    scale = whole[CLOSE][-1] / past[CLOSE][-1]
    assert whole[CLOSE].to_list() == pytest.approx([close * scale for close in closes(past)])
    assert whole[JUMP].equals(past[JUMP])


def test_the_long_sample_s_own_adjusted_close_is_met_within_two_permille() -> None:
    frame = known(next(SampleLongSource().fetch(None)).data.bars)
    adjusted = adjust(frame, derive_actions(frame), RATIO)
    both = adjusted.select(SYMBOL, SESSION, pl.col(CLOSE).alias("ours")).join(
        frame.select(SYMBOL, SESSION, ADJ_CLOSE), on=[SYMBOL, SESSION]
    )
    assert both.height == frame.height
    scaled = both.with_columns((pl.col("ours") / pl.col("ours").last().over(SYMBOL) * pl.col(ADJ_CLOSE).last().over(SYMBOL)).alias("ours"))
    off = (pl.col("ours") - pl.col(ADJ_CLOSE)).abs() / pl.col(ADJ_CLOSE)
    assert scaled.filter(off > 0.002).select(SYMBOL, SESSION, "ours", ADJ_CLOSE).rows() == []
