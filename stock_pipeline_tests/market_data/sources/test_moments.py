"""Which session a date, an instant or a number of seconds belongs to."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from stock_pipeline.market_data.sources.moments import odd_instant, sessions, times_of_day

AUGUST = date(2010, 8, 20)
JANUARY = date(2010, 1, 4)
MIDNIGHT = 1282262400  # of 20 August 2010, UTC
OPEN = MIDNIGHT + 48600  # 13:30 UTC, 09:30 in New York


@pytest.mark.parametrize(
    ("text", "session"),
    [
        ("2010-08-20T00:00:00Z", AUGUST),
        ("2010-08-20 00:00:00+00:00", AUGUST),
        ("2010-08-20T00:00:00.000Z", AUGUST),
        ("2010-08-20T04:00:00Z", AUGUST),
        ("2010-08-20T13:30:00Z", AUGUST),
        ("2010-08-20T17:00Z", AUGUST),
        ("2010-08-20T20:00:00+0000", AUGUST),
        ("2010-08-20 20:00:00 UTC", AUGUST),
        ("2010-01-04T05:00:00Z", JANUARY),
        ("2010-01-04T14:30:00Z", JANUARY),
        ("2010-01-04T21:00:00Z", JANUARY),
        ("2010-08-20T15:00:00-04:00", AUGUST),
        ("2010-08-20T23:59", AUGUST),
        ("2010-08-20", AUGUST),
    ],
)
def test_an_instant_of_utc_belongs_to_its_day_at_midnight_and_else_to_new_york_s(text: str, session: date) -> None:
    cells = pl.Series([text, None])
    assert sessions(cells).to_list() == [session, None]
    assert odd_instant(cells) is None


@pytest.mark.parametrize("text", ["2010-08-01T15:00:00Z", "2010-08-20T22:00:00+00:00", "2010-08-20T05:00:00Z", "2010-08-20T14:31Z"])
def test_an_instant_of_utc_that_may_be_another_exchange_s_is_odd(text: str) -> None:
    cells = pl.Series(["2010-08-20T20:00:00Z", "2010-08-20T09:31:00-04:00", text, "2010-08-20", None, text])
    assert odd_instant(cells) == 2
    assert sessions(cells).to_list() == [AUGUST, AUGUST, None, AUGUST, None, None]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_the_moments_of_a_table_are_judged_alike(unit: Any) -> None:
    utc = pl.Series([datetime(2010, 8, 20, 20, tzinfo=UTC), datetime(2010, 8, 20, tzinfo=UTC), datetime(2010, 8, 20, 15, tzinfo=UTC)])
    utc = utc.cast(pl.Datetime(unit, "UTC"))
    assert sessions(utc).to_list() == [AUGUST, AUGUST, None]
    assert odd_instant(utc) == 2
    tokyo = pl.Series([datetime(2010, 8, 20, 1, tzinfo=ZoneInfo("Asia/Tokyo"))])
    assert sessions(tokyo).to_list() == [AUGUST]
    assert odd_instant(tokyo) is None
    assert sessions(pl.Series([datetime(2010, 8, 20, 15)])).to_list() == [AUGUST]


@pytest.mark.parametrize("per_second", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("dtype", [pl.String, pl.Int64])
def test_whole_numbers_may_count_from_1970(per_second: int, dtype: type[pl.DataType]) -> None:
    cells = pl.Series([OPEN * per_second, MIDNIGHT * per_second, None]).cast(dtype)
    assert sessions(cells).to_list() == [AUGUST, AUGUST, None]
    assert odd_instant(cells) is None
    odd = pl.Series([OPEN * per_second, (OPEN + 3600) * per_second]).cast(dtype)
    assert sessions(odd).to_list() == [AUGUST, None]
    assert odd_instant(odd) == 1


def test_the_unit_is_that_of_the_largest_number() -> None:
    assert sessions(pl.Series([0, OPEN])).to_list() == [date(1970, 1, 1), AUGUST]
    assert sessions(pl.Series([-86400, OPEN])).to_list() == [None, AUGUST]


@pytest.mark.parametrize("number", [20100820, 99991231])
def test_eight_digits_are_a_date(number: int) -> None:
    day = date(number // 10_000, number // 100 % 100, number % 100)
    assert sessions(pl.Series([number])).to_list() == sessions(pl.Series([str(number)])).to_list() == [day]


@pytest.mark.parametrize("number", [40410, 5_000_000_000, 5 * 10**18, -5])
def test_a_number_of_no_plausible_size_is_no_date(number: int) -> None:
    assert sessions(pl.Series([number])).to_list() == [None]
    assert sessions(pl.Series([str(number)])).to_list() == [None]


def test_a_cell_that_is_no_number_makes_none_of_them_an_epoch() -> None:
    assert sessions(pl.Series([str(OPEN), "2010-08-20"])).to_list() == [None, AUGUST]
    assert sessions(pl.Series([None], dtype=pl.String)).to_list() == [None]


@pytest.mark.parametrize(
    ("cells", "times"),
    [
        (pl.Series([AUGUST]), None),
        (pl.Series(["2010-08-20", "Aug 20, 2010"]), None),
        (pl.Series(["2010-08-20 09:30", "2010-08-20"]), ["09:30", None]),
        (pl.Series(["8/20/2010 4:00:00 PM"]), ["4:00:00 PM"]),
        (pl.Series([datetime(2010, 8, 20, 9, 30), datetime(2010, 8, 20, 9, 30, 5)]), ["09:30", "09:30:05"]),
        (pl.Series([str(OPEN)]), ["13:30"]),
        (pl.Series([OPEN]), ["13:30"]),
        (pl.Series([20100820]), None),
    ],
    ids=str,
)
def test_times_of_day_are_told_where_there_are_some(cells: pl.Series, times: list[str | None] | None) -> None:
    found = times_of_day(cells)
    assert (None if found is None else found.to_list()) == times


def test_every_winter_and_summer_close_of_new_york_tells_its_day() -> None:
    days = pl.Series([AUGUST + timedelta(days=step) for step in range(370)])
    closes = [datetime(day.year, day.month, day.day, 16, tzinfo=ZoneInfo("America/New_York")).astimezone(UTC) for day in days]
    assert sessions(pl.Series([close.isoformat() for close in closes])).equals(days)
