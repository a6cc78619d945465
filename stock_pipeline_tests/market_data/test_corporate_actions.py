from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, KNOWN_FROM, SESSION, SYMBOL, VALUE
from stock_pipeline.market_data.corporate_actions import BROKEN_RATIOS, derive_actions
from stock_pipeline.market_data.sources.sample_long import SampleLongSource
from stock_pipeline.market_data.sources.source import ACTIONS
from stock_pipeline.market_data.tables import CAPTURED, DIVIDEND, KIND, SPLIT
from stock_pipeline_tests.factories.market_rows import DAYS, bars, known, series
from stock_pipeline_tests.harness.laws import law


@pytest.fixture(scope="module")
def long_sample() -> pl.DataFrame:
    return derive_actions(known(next(SampleLongSource().fetch(None)).data.bars))


def told(frame: pl.DataFrame) -> list[tuple[str, date, str, float]]:
    return [
        (symbol, session, kind, round(value, 6)) for symbol, session, kind, value in frame.select(SYMBOL, SESSION, KIND, VALUE).iter_rows()
    ]


def test_the_splits_of_the_long_sample_are_those_of_history(long_sample: pl.DataFrame) -> None:
    assert told(long_sample.filter(pl.col(KIND) == SPLIT)) == [
        ("AAPL", date(2000, 6, 21), SPLIT, 2.0),
        ("AAPL", date(2005, 2, 28), SPLIT, 2.0),
        ("MSFT", date(2003, 2, 18), SPLIT, 2.0),
    ]


def test_the_dividends_of_the_long_sample_are_those_of_history(long_sample: pl.DataFrame) -> None:
    dividends = long_sample.filter(pl.col(KIND) == DIVIDEND)
    assert set(dividends[SYMBOL]) == {"AAPL", "IBM", "MSFT"}  # neither Facebook nor Google paid any
    ibm = dividends.filter(pl.col(SYMBOL) == "IBM")
    assert [len(rows) for rows in ibm.sort(SESSION).with_columns(pl.col(SESSION).dt.year()).partition_by(SESSION)][1:13] == [4] * 12
    paid = {session: value for _, session, _, value in told(ibm)}
    assert paid[date(2012, 5, 8)] == pytest.approx(0.85, abs=0.02)
    assert paid[date(2008, 8, 6)] == pytest.approx(0.50, abs=0.02)
    special = dividends.filter((pl.col(SYMBOL) == "MSFT") & (pl.col(VALUE) > 1))
    assert special[SESSION].to_list() == [date(2004, 11, 15)]
    assert special[VALUE][0] == pytest.approx(3.08, rel=0.02)  # 3.00 and the regular 0.08


def test_what_is_derived_has_the_columns_of_an_action_and_what_dates_it(long_sample: pl.DataFrame) -> None:
    assert long_sample.columns == [*ACTIONS, KNOWN_FROM]
    assert long_sample[CAPTURED].null_count() == long_sample.height
    assert long_sample[KNOWN_FROM].equals(long_sample[SESSION], check_names=False)
    assert long_sample.select(SYMBOL, SESSION).is_unique().all()


@pytest.mark.parametrize("ratio", [*BROKEN_RATIOS, 2, 7, 8, 20, 50, 1 / 2, 1 / 3, 1 / 8, 1 / 20, 1 / 50])
@pytest.mark.parametrize("noise", [0.995, 1.0, 1.005])
def test_a_step_near_a_usual_ratio_is_that_split(ratio: float, noise: float) -> None:
    frame = known(bars(*series("A", [100.0, 100.0], [100.0, 100.0 * ratio * noise])))
    assert told(derive_actions(frame)) == [("A", DAYS[1], SPLIT, round(ratio, 6))]


def test_any_other_step_up_is_a_dividend_of_the_session_before() -> None:
    frame = known(bars(*series("A", [50.0, 60.0, 60.0], [47.5, 60.0, 60.0])))
    assert told(derive_actions(frame)) == [("A", DAYS[1], DIVIDEND, 2.5)]  # 60 / (50 - 2.5) is what a holder made of it


@law(60)
@given(st.floats(1, 500), st.floats(1e-3, 0.15))
def test_a_dividend_that_was_put_into_an_adjusted_close_is_found_again(close: float, share: float) -> None:
    frame = known(bars(*series("A", [close, close], [close * (1 - share), close])))
    (found,) = derive_actions(frame).select(KIND, VALUE).rows()
    assert found == (DIVIDEND, pytest.approx(close * share))


def test_rounding_and_a_step_down_that_no_split_explains_are_not_taken_for_actions() -> None:
    frame = known(bars(*series("A", [100.0, 100.0, 100.0], [99.99, 100.0, 97.0])))
    assert derive_actions(frame).is_empty()


def test_a_step_down_that_no_usual_ratio_explains_is_a_split_all_the_same() -> None:
    frame = known(bars(*series("A", [10.0, 16.0], [14.0, 16.0])))  # 10 shares became 7, as the price shows
    assert told(derive_actions(frame)) == [("A", DAYS[1], SPLIT, round(10 / 14, 6))]


def test_a_reverse_split_leaves_no_leap_in_adjusted_prices() -> None:
    frame = known(bars(*series("A", [10.0, 10.0, 80.0, 80.0], [80.0, 80.0, 80.0, 80.0])))
    assert told(derive_actions(frame)) == [("A", DAYS[2], SPLIT, 0.125)]


def test_bars_without_an_adjusted_close_are_passed_over() -> None:
    frame = known(bars(*series("A", [100.0, 100.0, 100.0], [50.0, None, 100.0]), *series("B", [1.0, 1.0])))
    assert told(derive_actions(frame)) == [("A", DAYS[2], SPLIT, 2.0)]


def test_symbols_are_kept_apart_whatever_the_order_of_the_bars() -> None:
    frame = known(bars(*series("A", [10.0, 10.0], [5.0, 10.0]), *series("B", [10.0, 10.0], [1.0, 1.0])))
    assert told(derive_actions(frame.reverse())) == [("A", DAYS[1], SPLIT, 2.0)]
    assert derive_actions(bars().with_columns(pl.lit(None, pl.Date).alias(KNOWN_FROM))).is_empty()


def test_captures_are_not_compared_with_one_another() -> None:
    # Every capture has the night before and its own; the split of the third session halves what the later captures say of the past.
    captures = [
        *series("A", [100.0, 100.0], [100.0, 100.0], **{CAPTURED: DAYS[1]}),
        *series("A", [None, 100.0, 50.0], [None, 50.0, 50.0], **{CAPTURED: DAYS[2]}),
        *series("A", [None, None, 50.0, 50.0], [None, None, 50.0, 50.0], **{CAPTURED: DAYS[3]}),
    ]
    found = derive_actions(known(bars(*captures)))
    assert found.drop(VALUE, CLOSE, ADJ_CLOSE, strict=False).rows() == [("A", DAYS[2], SPLIT, DAYS[2], DAYS[2])]
    assert found[VALUE].to_list() == [2.0]


def test_an_action_is_known_from_the_capture_that_told_of_it() -> None:
    late = series("A", [100.0, 50.0], [50.0, 50.0], **{CAPTURED: DAYS[5]})
    found = derive_actions(known(bars(*late)))
    assert found.select(SESSION, CAPTURED, KNOWN_FROM).rows() == [(DAYS[1], DAYS[5], DAYS[5])]
