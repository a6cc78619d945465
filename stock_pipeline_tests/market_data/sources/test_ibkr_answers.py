import math
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ib_async import BarData, Contract, ContractDetails

from stock_pipeline.core.columns import CLOSE, SESSION, VOLUME
from stock_pipeline.market_data.sources.errors import (
    NoDataError,
    NoPermissionError,
    RateLimitedError,
    RefusedRequestError,
    SourceDownError,
    SourceError,
    UnknownSymbolError,
    UnreadableAnswerError,
    WrongClientError,
)
from stock_pipeline.market_data.sources.ibkr_answers import (
    DAYS_LIMIT,
    Instrument,
    bar_rows,
    broker_symbol,
    duration,
    end_of,
    instrument_row,
    meaning,
    only_one,
)
from stock_pipeline.market_data.sources.source import BARS, INSTRUMENTS, Request
from stock_pipeline.market_data.tables import CURRENCY, EXCHANGE

HISTORY = "Historical Market Data Service error message:"
FIRST, LAST = date(2026, 1, 5), date(2026, 1, 7)
REQUEST = Request("A", FIRST, LAST)


def bar(session: date, close: float = 10.5, volume: float = 100.0) -> BarData:
    return BarData(date=session, open=10.0, high=11.0, low=9.0, close=close, volume=volume)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (200, "No security definition has been found for the request", UnknownSymbolError),
        (162, HISTORY + "Historical data request pacing violation", RateLimitedError),
        (100, "Max rate of messages per second has been exceeded:max=50 rec=51 (1)", RateLimitedError),
        (162, HISTORY + "No market data permissions for ISLAND STK", NoPermissionError),
        (162, HISTORY + "Requested market data requires additional subscription for API.", NoPermissionError),
        (354, "Requested market data is not subscribed.", NoPermissionError),
        (162, HISTORY + "HMDS query returned no data: A@SMART Trades", NoDataError),
        (162, HISTORY + "No data of type EODChart is available for the exchange 'SMART'", NoDataError),
        (162, HISTORY + "Trading TWS session is connected from a different IP address", WrongClientError),
        (326, "Unable to connect as the client id is already in use.", WrongClientError),
        (162, HISTORY + "HMDS connection attempt failed. Connection will be re-attempted", SourceDownError),
        (504, "Not connected", SourceDownError),
        (321, "Error validating request.-'bN' : cause - Invalid date", RefusedRequestError),
        (162, HISTORY + "invalid step: 1 day", RefusedRequestError),
    ],
)
def test_an_error_of_the_gateway_has_a_name_of_ours(code: int, text: str, kind: type[SourceError]) -> None:
    error = meaning(code, f"{text}\n")
    assert type(error) is kind
    assert f"error {code}" in str(error)
    assert text.rstrip(".") in str(error).replace("\\'", "'")
    assert "\n" not in str(error)
    assert ";" in str(error)  # what can be done about it follows


def test_the_share_class_of_a_symbol_is_written_as_the_gateway_does() -> None:
    assert [broker_symbol(symbol) for symbol in ("AAPL", "BRK.B", "BF.B", "Ä")] == ["AAPL", "BRK B", "BF B", "Ä"]


@pytest.mark.parametrize("symbol", ["", " ", "A\0B", "A\nB", "A\x1bB", "\ud800", "A" * 65, "A\u202eB"])
def test_what_cannot_be_a_symbol_is_refused(symbol: str) -> None:
    with pytest.raises(UnknownSymbolError, match="not asked for"):
        broker_symbol(symbol)


@pytest.mark.parametrize(("days", "expected"), [(1, "1 D"), (365, "365 D"), (366, "2 Y"), (730, "2 Y"), (731, "3 Y"), (5845, "17 Y")])
def test_a_time_of_more_than_a_year_is_asked_for_in_years(days: int, expected: str) -> None:
    assert duration(LAST - timedelta(days=days - 1), LAST) == expected


@given(last=st.dates(date(2000, 1, 1), date(2030, 1, 1)), days=st.integers(0, 9000))
def test_what_is_asked_for_reaches_back_to_the_first_session(last: date, days: int) -> None:
    amount, unit = duration(last - timedelta(days=days), last).split()
    # The shortest that so many years can be, were February 29th in none of them.
    reaches = int(amount) * (DAYS_LIMIT if unit == "Y" else 1)
    assert reaches > days
    assert unit == "Y" or reaches <= DAYS_LIMIT


def test_a_request_ends_late_on_its_last_session_wherever_this_machine_stands() -> None:
    assert end_of(LAST) == "20260107 23:59:59 UTC"


def test_bars_are_cut_to_the_sessions_asked_for() -> None:
    days = [date(2026, 1, 2), FIRST, date(2026, 1, 6), LAST, date(2026, 1, 8)]
    rows = bar_rows(REQUEST, "USD", [bar(day) for day in days])
    assert rows.schema == BARS
    assert rows[SESSION].to_list() == days[1:4]
    assert rows.row(0) == ("A", FIRST, 10.0, 11.0, 9.0, 10.5, 100.0, None, "split", "USD", None)


def test_a_bar_with_a_time_of_day_belongs_to_its_day() -> None:
    assert bar_rows(REQUEST, "USD", [bar(datetime(2026, 1, 7, 9, 30))])[SESSION].to_list() == [LAST]


def test_what_is_no_figure_is_null() -> None:
    rows = bar_rows(REQUEST, "", [bar(FIRST, volume=-1), bar(LAST, close=math.nan, volume=math.inf)])
    assert rows[VOLUME].to_list() == [None, None]
    assert rows[CLOSE].to_list() == [10.5, None]
    assert rows[CURRENCY].to_list() == [None, None]


def test_bars_of_other_sessions_only_are_no_data() -> None:
    with pytest.raises(NoDataError, match="2026-01-05 to 2026-01-07"):
        bar_rows(REQUEST, "USD", [bar(date(2026, 1, 8))])


def test_bars_without_a_close_are_unreadable() -> None:
    with pytest.raises(UnreadableAnswerError, match="not one of its 2 bars"):
        bar_rows(REQUEST, "USD", [bar(FIRST, close=math.inf), bar(LAST, close=math.nan)])


def test_an_instrument_is_told_under_our_symbol_with_null_for_what_is_not_told() -> None:
    instrument = Instrument(Contract(conId=7, symbol="BRK B", currency="USD"), "BERKSHIRE HATHAWAY INC", "", "Insurance")
    row = instrument_row("BRK.B", instrument)
    assert row.schema == INSTRUMENTS
    assert row.row(0) == ("BRK.B", "BERKSHIRE HATHAWAY INC", None, "USD", None, "Insurance", "7")
    assert row[EXCHANGE].to_list() == [None]


def test_a_symbol_stands_for_one_contract_or_is_unknown() -> None:
    one, other = (ContractDetails(contract=Contract(conId=number), longName="A") for number in (5, 6))
    assert only_one([one, one]).contract.conId == 5
    with pytest.raises(UnknownSymbolError, match="contracts 5, 6"):
        only_one([other, one])
    with pytest.raises(UnknownSymbolError, match="no contract"):
        only_one([])
