from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.core.calendar import TradingCalendar, trading_calendar
from stock_pipeline.core.columns import AS_OF, CLOSE, INDUSTRY, KNOWN_FROM, KNOWN_TO, NAME, SECTOR, SESSION, SOURCE, SYMBOL, VALUE, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.ingestion import Ingested, Screening, prepare
from stock_pipeline.market_data.quality import DUPLICATE
from stock_pipeline.market_data.sources.source import FUNDAMENTALS, INSTRUMENTS
from stock_pipeline.market_data.tables import (
    CAPTURED,
    CORPORATE_ACTIONS,
    CURRENCY,
    DAILY_BARS,
    DIVIDEND,
    INGESTION_REPORTS,
    KIND,
    QUARANTINED_BARS,
    REASON,
    SPLIT,
)
from stock_pipeline_tests.factories.market_rows import DAYS, SATURDAY, actions, bar, bars, gathered, series

CALENDAR: TradingCalendar = trading_calendar("XNYS")
PANEL = (*series("A", [10.0, 11.0, 12.0]), *series("B", [20.0, None, 22.0]))


def prepared(*rows: dict[str, Any], as_of: date | None = None, **data: Any) -> Ingested:
    return prepare(gathered(bars(*rows), **data), as_of, Screening(CALENDAR, date(2012, 12, 31), 0.005, "USD"))


def known_from(found: Ingested) -> list[tuple[str, date, date]]:
    return found.bars.select(SYMBOL, SESSION, KNOWN_FROM).rows()


def test_everything_fits_the_tables_that_it_is_meant_for() -> None:
    found = prepared(*PANEL, bar("C", None), actions=actions(("A", DAYS[1], DIVIDEND, 0.1)))
    unknown_to = pl.lit(None, pl.Date).alias(KNOWN_TO)
    assert DAILY_BARS.validate(found.bars.drop(CAPTURED, CURRENCY).with_columns(unknown_to)).height == 5
    assert CORPORATE_ACTIONS.validate(found.actions.drop(CAPTURED).with_columns(unknown_to)).height == 1
    assert found.instruments[SYMBOL].to_list() == ["A", "B"]
    assert QUARANTINED_BARS.validate(found.quarantined).height == 1
    assert INGESTION_REPORTS.validate(found.report).height == 1


def test_a_bar_is_known_from_the_night_of_its_session_and_the_last_session_is_as_of() -> None:
    found = prepared(*PANEL)
    assert found.as_of == DAYS[2]
    assert known_from(found) == [*(("A", day, day) for day in DAYS[:3]), ("B", DAYS[0], DAYS[0]), ("B", DAYS[2], DAYS[2])]
    assert set(found.bars[SOURCE]) == {"files"}


def test_bars_after_as_of_are_left_out_of_everything() -> None:
    found = prepared(*PANEL, bar("C", DAYS[2]), bar("D", DAYS[2], None), as_of=DAYS[1], actions=actions(("A", DAYS[2], SPLIT, 2.0)))
    assert found.as_of == DAYS[1]
    assert found.bars[SESSION].max() == DAYS[1]
    assert found.actions.is_empty()
    assert found.instruments[SYMBOL].to_list() == ["A", "B"]
    assert found.quarantined.is_empty()
    assert found.report["bars_received"][0] == 3


def test_to_know_of_the_past_the_future_is_not_needed() -> None:
    captured = [bar("A", DAYS[0], 10.5) | {CAPTURED: DAYS[3]}, bar("B", DAYS[1], 7.0) | {CAPTURED: DAYS[1]}]
    rows = [*PANEL, *captured, bar("C", DAYS[1], -1.0)]
    whole = prepared(*rows, as_of=DAYS[1])
    cut = prepared(*(row for row in rows if row[SESSION] <= DAYS[1] and (row[CAPTURED] or row[SESSION]) <= DAYS[1]), as_of=DAYS[1])
    for name in ("bars", "actions", "instruments", "quarantined"):
        assert_frame_equal(getattr(whole, name), getattr(cut, name))


@pytest.mark.parametrize(
    ("captured", "night"),
    [
        (None, DAYS[0]),
        (DAYS[0], DAYS[0]),
        (date(2011, 12, 1), DAYS[0]),  # before its session: a bar is never known earlier than that
        (DAYS[1], DAYS[1]),
        (SATURDAY, DAYS[3]),  # on a weekend: the last session that had ended
        (date(2012, 1, 8), DAYS[3]),
        (date(2012, 1, 16), DAYS[8]),  # a holiday
    ],
)
def test_a_captured_bar_is_known_from_the_last_session_that_had_ended(captured: date | None, night: date) -> None:
    found = prepared(bar("A", DAYS[0]) | {CAPTURED: captured})
    assert known_from(found) == [("A", DAYS[0], night)]
    assert found.as_of == night


def test_as_of_is_the_last_night_on_which_something_was_learnt() -> None:
    assert prepared(bar("A", DAYS[0]), bar("A", DAYS[0]) | {CAPTURED: DAYS[4]}).as_of == DAYS[4]


def test_what_was_captured_after_as_of_was_not_known() -> None:
    rows = [bar("A", DAYS[0], 10.0) | {CAPTURED: DAYS[1]}, bar("A", DAYS[0], 10.5) | {CAPTURED: DAYS[3]}, bar("A", DAYS[3])]
    found = prepared(*rows, as_of=DAYS[2])
    assert found.bars.select(CLOSE, KNOWN_FROM).rows() == [(10.0, DAYS[1])]


def test_of_captures_of_one_weekend_the_later_comes_last() -> None:
    rows = [bar("A", DAYS[0], 10.5) | {CAPTURED: date(2012, 1, 8)}, bar("A", DAYS[0], 10.0) | {CAPTURED: SATURDAY}]
    assert prepared(*rows).bars.select(CLOSE, KNOWN_FROM).rows() == [(10.0, DAYS[3]), (10.5, DAYS[3])]


@pytest.mark.parametrize(
    ("as_of", "message"),
    [
        (SATURDAY, "as-of 2012-01-07 is not a session of XNYS; the session before is 2012-01-06"),
        (date(2012, 1, 2), "as-of 2012-01-02 is not a session of XNYS; the session before is 2011-12-30"),
        (date(2011, 12, 30), "as-of 2011-12-30 lies outside of source files, which has bars from 2012-01-03 to 2012-01-05; give a session"),
        (DAYS[5], "as-of 2012-01-10 lies outside of source files, which has bars from 2012-01-03 to 2012-01-05; give a session"),
    ],
)
def test_an_as_of_that_cannot_be_is_the_user_s_mistake(as_of: date, message: str) -> None:
    with pytest.raises(InputError) as caught:
        prepared(*PANEL, as_of=as_of)
    assert str(caught.value).startswith(message)


def test_nothing_known_by_as_of_is_the_user_s_mistake() -> None:
    with pytest.raises(InputError, match="source files knew of no bar on 2012-01-03; it learned of the first on 2012-01-05"):
        prepared(bar("A", DAYS[0]) | {CAPTURED: DAYS[2]}, as_of=DAYS[0])


def test_a_capture_day_beyond_the_calendar_is_the_user_s_mistake() -> None:
    with pytest.raises(InputError, match="source files has rows captured on 9999-12-31, beyond the calendar of XNYS; correct the day"):
        prepared(bar("A", DAYS[0]) | {CAPTURED: date(9999, 12, 31)})


def test_no_bar_with_a_date_or_no_sound_one_is_the_user_s_mistake() -> None:
    with pytest.raises(InputError, match="source files has no bars with a date; nothing was written"):
        prepared(bar("A", None))
    with pytest.raises(InputError, match="source files has no sound bar, 2 were refused, the first because of: non_positive_price"):
        prepared(bar("A", close=-1.0), bar("A", DAYS[1], None))


def test_a_refused_bar_goes_to_quarantine_as_it_was_given() -> None:
    found = prepared(*PANEL, bar("C", None, 5.0), bar(None, DAYS[0], None), bar("A", DAYS[0], 99.0))
    assert found.quarantined.select("row", SYMBOL, SESSION, REASON, SOURCE, AS_OF).rows() == [
        ("C ? 5.0 5.0 5.0 5.0 100.0", "C", None, "missing_key", "files", DAYS[2]),
        ("? 2012-01-03 ? ? ? ? 100.0", None, DAYS[0], "missing_key", "files", DAYS[2]),
        ("A 2012-01-03 99.0 99.0 99.0 99.0 100.0", "A", DAYS[0], DUPLICATE, "files", DAYS[2]),
    ]


def test_rows_refused_alike_are_all_kept() -> None:
    found = prepared(*PANEL, *[bar("C", DAYS[0], -1.0)] * 3)
    assert found.quarantined["row"].to_list() == [f"C 2012-01-03 -1.0 -1.0 -1.0 -1.0 100.0{end}" for end in ("", " #2", " #3")]


def test_the_report_counts_symbols_and_bars() -> None:
    found = prepared(*PANEL, bar("A", DAYS[0], -1.0), bar("C", DAYS[0], -1.0), bar("C", DAYS[1], -1.0), bar(None, DAYS[0]))
    assert found.report.row(0, named=True) == {
        AS_OF: DAYS[2],
        SOURCE: "files",
        "attempt": 1,
        "symbols_asked": 3,
        "symbols_succeeded": 2,
        "symbols_failed": 1,
        "bars_received": 9,
        "bars_accepted": 5,
        "bars_quarantined": 4,
        "first_session": DAYS[0],
        "seconds": 0.5,
    }


def test_instruments_are_the_symbols_that_have_bars_with_what_the_source_says_of_them() -> None:
    said = pl.DataFrame([("B", "Bee", None, None, "Insects", "Honey", None), ("Z", "Zed", *[None] * 5)], schema=INSTRUMENTS, orient="row")
    found = prepared(*PANEL, instruments=said).instruments
    assert found.sort(SYMBOL).select(SYMBOL, NAME, SECTOR, INDUSTRY, SOURCE).rows() == [
        ("A", None, None, None, "files"),
        ("B", "Bee", "Insects", "Honey", "files"),
    ]


def test_actions_of_the_source_win_over_derived_ones() -> None:
    rows = series("A", [100.0, 50.0], [50.0, 50.0])
    assert prepared(*rows).actions.select(SESSION, KIND, VALUE, SOURCE, KNOWN_FROM).rows() == [(DAYS[1], SPLIT, 2.0, "files", DAYS[1])]
    said = prepared(*rows, actions=actions(("A", DAYS[1], DIVIDEND, 1.0))).actions
    assert said.select(SESSION, KIND, VALUE, SOURCE, KNOWN_FROM, CAPTURED).rows() == [(DAYS[1], DIVIDEND, 1.0, "files", DAYS[1], None)]


def test_volumes_and_prices_are_passed_on_as_they_are() -> None:
    assert prepared(bar("A") | {VOLUME: 0.0}).bars.select(CLOSE, VOLUME).rows() == [(10.0, 0.0)]


def test_a_report_without_a_date_is_known_tonight_or_on_a_night_of_the_past_once_the_law_asked_for_it() -> None:
    ends = [DAYS[0], DAYS[2] - timedelta(days=89), DAYS[2] - timedelta(days=90)]
    rows = [("A", end, "quarter", "revenue", 1.0, None, None) for end in ends]
    told = pl.DataFrame(rows, schema=FUNDAMENTALS, orient="row")
    past = prepared(*PANEL, fundamentals=told).fundamentals
    assert past.select("period_end", KNOWN_FROM).rows() == [(ends[2], DAYS[2])]
    tonight = Screening(CALENDAR, DAYS[2], 0.005, "USD")
    found = prepare(gathered(bars(*PANEL), fundamentals=told), None, tonight).fundamentals
    assert found.select("period_end", KNOWN_FROM).sort("period_end").rows() == [(end, DAYS[2]) for end in sorted(ends)]
