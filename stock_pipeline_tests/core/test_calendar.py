from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.calendar import TradingCalendar, known_exchange, trading_calendar
from stock_pipeline.core.errors import InputError
from stock_pipeline_tests.harness.laws import law

NEW_YORK = ZoneInfo("America/New_York")
DAYS = st.dates(date(1970, 1, 5), date(2025, 12, 31))


@pytest.fixture(scope="module")
def calendar() -> TradingCalendar:
    return trading_calendar("XNYS")


@pytest.mark.parametrize(
    ("day", "trades"),
    [
        (date(2012, 10, 26), True),
        (date(2012, 10, 27), False),  # a Saturday
        (date(2012, 10, 29), False),  # hurricane Sandy
        (date(2012, 10, 30), False),
        (date(2012, 10, 31), True),
        (date(2001, 9, 11), False),
        (date(2001, 9, 17), True),
        (date(2010, 4, 2), False),  # Good Friday
        (date(2012, 11, 23), True),  # closes early
        (date(1970, 1, 2), True),
        (date(1969, 12, 31), False),  # before the calendar begins
        (date(2200, 1, 3), False),
    ],
)
def test_sessions_are_the_days_on_which_the_exchange_traded(calendar: TradingCalendar, day: date, trades: bool) -> None:
    assert calendar.is_session(day) is trades
    assert calendar.sessions_between(day, day) == ([day] if trades else [])


def test_sessions_between_includes_both_ends(calendar: TradingCalendar) -> None:
    around_sandy = [date(2012, 10, 25), date(2012, 10, 26), date(2012, 10, 31), date(2012, 11, 1)]
    assert calendar.sessions_between(date(2012, 10, 25), date(2012, 11, 1)) == around_sandy
    assert calendar.sessions_between(date(2012, 10, 27), date(2012, 10, 30)) == []
    assert calendar.sessions_between(date(2012, 11, 1), date(2012, 10, 25)) == []


def test_a_year_has_its_252_sessions(calendar: TradingCalendar) -> None:
    assert len(calendar.sessions_between(date(2010, 1, 1), date(2010, 12, 31))) == 252


def test_next_and_previous_session_pass_over_the_closure(calendar: TradingCalendar) -> None:
    assert calendar.next_session(date(2012, 10, 26)) == date(2012, 10, 31)
    assert calendar.next_session(date(2012, 10, 29)) == date(2012, 10, 31)
    assert calendar.previous_session(date(2012, 10, 31)) == date(2012, 10, 26)
    assert calendar.previous_session(date(2012, 10, 30)) == date(2012, 10, 26)


@law(60)
@given(DAYS)
def test_next_and_previous_are_the_nearest_sessions_and_undo_each_other(day: date) -> None:
    calendar = trading_calendar("XNYS")
    after, before = calendar.next_session(day), calendar.previous_session(day)
    assert before < day < after
    assert calendar.sessions_between(before, after) == [before, *([day] if calendar.is_session(day) else []), after]
    assert calendar.previous_session(after) == (day if calendar.is_session(day) else before)


def test_beyond_the_ends_there_is_an_error_that_names_the_day(calendar: TradingCalendar) -> None:
    with pytest.raises(InputError, match="1970-01-02 lies before the first session that XNYS knows, 1970-01-02"):
        calendar.previous_session(date(1970, 1, 2))
    assert calendar.previous_session(date(1970, 1, 5)) == date(1970, 1, 2)
    with pytest.raises(InputError, match="2200-01-01 lies beyond the last session that XNYS knows"):
        calendar.next_session(date(2200, 1, 1))


def test_before_the_first_session_has_closed_none_is_complete(calendar: TradingCalendar) -> None:
    for moment in (datetime(1800, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, 15, 59, 59, tzinfo=NEW_YORK)):
        with pytest.raises(InputError, match="lies before the first session that XNYS knows, 1970-01-02"):
            calendar.last_completed_session(moment)
    assert calendar.last_completed_session(datetime(1970, 1, 2, 16, 0, tzinfo=NEW_YORK)) == date(1970, 1, 2)


@pytest.mark.parametrize(
    ("moment", "session"),
    [
        (datetime(2012, 10, 26, 15, 59, 59, 999999, NEW_YORK), date(2012, 10, 25)),
        (datetime(2012, 10, 26, 16, 0, tzinfo=NEW_YORK), date(2012, 10, 26)),
        (datetime(2012, 10, 26, 16, 0, 0, 1, NEW_YORK), date(2012, 10, 26)),
        (datetime(2012, 10, 30, 22, 45, tzinfo=NEW_YORK), date(2012, 10, 26)),
        (datetime(2012, 10, 31, 9, 31, tzinfo=NEW_YORK), date(2012, 10, 26)),
        (datetime(2012, 11, 23, 12, 59, tzinfo=NEW_YORK), date(2012, 11, 21)),  # the day after Thanksgiving closes at 13:00
        (datetime(2012, 11, 23, 13, 0, tzinfo=NEW_YORK), date(2012, 11, 23)),
        (datetime(2010, 8, 20, 19, 59, tzinfo=UTC), date(2010, 8, 19)),  # summer time: the close is at 20:00 UTC
        (datetime(2010, 8, 20, 20, 0, tzinfo=UTC), date(2010, 8, 20)),
        (datetime(2010, 12, 20, 20, 0, tzinfo=UTC), date(2010, 12, 17)),  # winter time: at 21:00
        (datetime(2010, 8, 21, 5, 0, tzinfo=ZoneInfo("Asia/Tokyo")), date(2010, 8, 20)),
    ],
)
def test_the_last_completed_session_is_the_last_that_has_closed(calendar: TradingCalendar, moment: datetime, session: date) -> None:
    assert calendar.last_completed_session(moment) == session


@law(60)
@given(st.datetimes(datetime(1990, 1, 2), datetime(2025, 12, 31), timezones=st.sampled_from([UTC, NEW_YORK, ZoneInfo("Asia/Tokyo")])))
def test_the_last_completed_session_does_not_depend_on_the_zone_in_which_the_moment_is_told(moment: datetime) -> None:
    calendar = trading_calendar("XNYS")
    session = calendar.last_completed_session(moment)
    assert session == calendar.last_completed_session(moment.astimezone(UTC))
    assert calendar.is_session(session)
    assert session <= moment.astimezone(NEW_YORK).date() < calendar.next_session(session) + timedelta(days=1)


def test_an_unknown_exchange_is_the_user_s_mistake() -> None:
    with pytest.raises(InputError, match="exchange 'XNOWHERE' in the settings is not known; give a code such as XNYS or XLON"):
        TradingCalendar("XNOWHERE").is_session(date(2012, 1, 3))


def test_only_an_exchange_with_a_calendar_is_known() -> None:
    assert [known_exchange(name) for name in ("XNYS", "XLON", "NYSE")] == ["XNYS", "XLON", "NYSE"]
    with pytest.raises(ValueError, match="there is no calendar of such an exchange; give an ISO 10383 code such as XNYS or XLON"):
        known_exchange("XNOWHERE")


def test_other_exchanges_keep_their_own_holidays() -> None:
    london = TradingCalendar("XLON")
    assert london.is_session(date(2012, 10, 29))
    assert not london.is_session(date(2012, 6, 5))  # the Queen's diamond jubilee


def test_a_calendar_is_built_once() -> None:
    assert trading_calendar("XNYS") is trading_calendar("XNYS")


@pytest.mark.parametrize(("exchange", "first"), [("XTKS", date(1997, 1, 6)), ("XBOM", date(1997, 1, 1))])
def test_a_calendar_that_is_known_only_from_later_on_begins_there(exchange: str, first: date) -> None:
    calendar = TradingCalendar(exchange)
    assert calendar.sessions_between(date(1970, 1, 1), date(1997, 1, 10))[0] == first
    assert calendar.is_session(date(2010, 8, 20))
