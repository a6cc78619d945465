"""What goes wrong at Yahoo, and what becomes of it."""

import socket
import threading
from collections.abc import Generator
from dataclasses import replace
from datetime import date

import pytest

from stock_pipeline.market_data.sources.errors import (
    NoDataError,
    OutOfTimeError,
    RateLimitedError,
    RefusedRequestError,
    ReportedDelistedError,
    RequestTimeoutError,
    SourceDownError,
    SourceError,
    UnknownSymbolError,
    UnreadableAnswerError,
)
from stock_pipeline.market_data.sources.yahoo import YahooSource
from stock_pipeline_tests.factories.yahoo_week import (
    ABOUT,
    NOT_AT_ONCE,
    QUIET_WEEK,
    SETTINGS,
    WEEK,
    failures,
    fetched,
    kinds,
    no_wait,
    request,
    served,
    the_failure,
)
from stock_pipeline_tests.standins.yahoo import CHART, Fault, Listing, LoopbackSession, YahooStandIn


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("missing", UnknownSymbolError),
        ("delisted", ReportedDelistedError),
        ("doesn't exist", NoDataError),
        ("refused", RefusedRequestError),
        ("garbage", UnreadableAnswerError),
        ("unauthorised", UnreadableAnswerError),
        ("drop", SourceDownError),
        ("gateway", SourceDownError),
    ],
)
def test_each_fault_has_its_reason(fault: Fault, kind: type[SourceError]) -> None:
    assert type(the_failure(replace(QUIET_WEEK, fault=fault))) is kind


def test_a_request_that_is_not_answered_in_time_has_timed_out() -> None:
    hasty = SETTINGS.model_copy(update={"request_seconds": 0.2})
    assert type(the_failure(replace(QUIET_WEEK, fault="stall"), settings=hasty)) is RequestTimeoutError


def test_every_request_of_the_client_has_the_limit_of_the_settings() -> None:
    with YahooStandIn({"AAA": ABOUT, "BBB": replace(QUIET_WEEK, fault="delisted")}) as yahoo:
        session = yahoo.session()
        list(YahooSource(SETTINGS, session, wait=no_wait).fetch([request("AAA", about=True), request("BBB")]))
        assert len(session.limits) == len(yahoo.paths) > 4
    assert set(session.limits) == {SETTINGS.request_seconds}


@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
def test_a_price_without_a_number_in_any_bar_is_unreadable(column: str) -> None:
    error = the_failure(replace(QUIET_WEEK, nulls=frozenset({column})))
    assert type(error) is UnreadableAnswerError
    assert column in str(error)


def test_bars_without_any_price_are_unreadable() -> None:
    assert type(the_failure(replace(QUIET_WEEK, nulls=frozenset({"open", "high", "low", "close"})))) is UnreadableAnswerError


def test_a_missing_column_is_unreadable() -> None:
    assert type(the_failure(replace(QUIET_WEEK, lacks=frozenset({"close"})))) is UnreadableAnswerError


def test_a_known_symbol_without_bars_has_no_data_and_is_not_called_delisted() -> None:
    assert type(the_failure(Listing(bars=()))) is NoDataError
    with YahooStandIn({"AAA": QUIET_WEEK}) as yahoo:
        assert kinds(fetched(yahoo, request("AAA", first=date(2024, 5, 1), last=date(2024, 5, 31)))) == {"AAA": NoDataError}


def test_a_delisted_symbol_is_asked_for_again_in_the_next_fetch() -> None:
    with YahooStandIn({"AAA": replace(QUIET_WEEK, fault="delisted")}) as yahoo:
        source = YahooSource(SETTINGS, yahoo.session(), wait=no_wait)
        assert kinds(list(source.fetch([request("AAA", about=True)]))) == {"AAA": ReportedDelistedError}
        yahoo.change("AAA", fault=None)
        assert served(list(source.fetch([request("AAA")]))) == {"AAA"}


def test_a_404_that_the_client_remembers_is_forgotten_at_the_next_fetch() -> None:
    from yfinance.data import YfData

    with YahooStandIn({"AAA": replace(QUIET_WEEK, fault="delisted")}) as yahoo:
        session = yahoo.session()
        remembered = YfData(session=session).cache_get(url=f"https://query2.finance.yahoo.com{CHART}AAA")
        assert remembered.status_code == 404
        list(YahooSource(SETTINGS, session).fetch([]))
        assert YfData.cache_get.cache_info().currsize == 0


def test_after_too_many_requests_it_waits_twice_as_long_each_time() -> None:
    patience: list[float] = []
    # The client itself asks twice before it says too many.
    with YahooStandIn({"AAA": QUIET_WEEK}, too_many={"AAA": 6}) as yahoo:
        [answer] = fetched(yahoo, request("AAA"), wait=patience.append)
    assert answer.data.bars.height == len(WEEK)
    assert patience == [0.5, 1.0, 2.0]


def test_too_many_requests_for_ever_is_rate_limited_after_the_last_retry() -> None:
    patience: list[float] = []
    with YahooStandIn({"AAA": QUIET_WEEK}, too_many={"AAA": 10**6}) as yahoo:
        answers = fetched(yahoo, request("AAA"), request("BBB"), wait=patience.append)
    assert kinds(answers) == {"AAA": RateLimitedError, "BBB": UnknownSymbolError}
    assert patience == [0.5, 1.0, 2.0]


def test_the_budget_ends_the_retries() -> None:
    now = [0.0]
    hurried = SETTINGS.model_copy(update={"budget_seconds": 1})

    def wait(seconds: float) -> None:
        now[0] += seconds

    with YahooStandIn({"AAA": QUIET_WEEK}, too_many={"AAA": 10**6}) as yahoo:
        answers = list(YahooSource(hurried, yahoo.session(), wait=wait, clock=lambda: now[0]).fetch([request("AAA")]))
    assert kinds(answers) == {"AAA": OutOfTimeError}
    assert now == [1.5]


def test_half_of_the_symbols_failing_costs_the_others_nothing() -> None:
    symbols = [f"S{n}" for n in range(10)]
    listings = {symbol: replace(QUIET_WEEK, fault="delisted" if n % 2 else None) for n, symbol in enumerate(symbols)}
    with YahooStandIn(listings) as yahoo:
        answers = fetched(yahoo, *map(request, symbols))
    assert len(answers) == len(symbols)
    assert served(answers) == set(symbols[::2])
    assert kinds(answers) == dict.fromkeys(symbols[1::2], ReportedDelistedError)


def test_nobody_there_fails_every_symbol_and_after_three_without_asking() -> None:
    asked: list[str] = []
    symbols = [f"S{n}" for n in range(30)]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening: refused
        source = YahooSource(NOT_AT_ONCE, LoopbackSession(taken.getsockname()[1], asked.append), wait=no_wait)
        answers = list(source.fetch(list(map(request, symbols))))
        again = list(source.fetch([request("S0")]))
    assert kinds(answers) == dict.fromkeys(symbols, SourceDownError)
    assert kinds(again) == {"S0": SourceDownError}
    assert [url.rpartition(CHART)[2] for url in asked if CHART in url] == ["S0", "S1", "S2", "S0"]
    assert "cannot be reached" in str(failures(answers)["S29"])


def test_a_dropped_connection_now_and_then_does_not_end_the_fetch() -> None:
    symbols = [f"S{n}" for n in range(12)]
    listings = {symbol: replace(QUIET_WEEK, fault=None if n % 3 == 2 else "drop") for n, symbol in enumerate(symbols)}
    with YahooStandIn(listings) as yahoo:
        answers = fetched(yahoo, *map(request, symbols), settings=NOT_AT_ONCE)
    assert served(answers) == set(symbols[2::3])
    assert set(kinds(answers).values()) == {SourceDownError}


def test_what_is_not_answered_when_the_budget_is_used_up_is_out_of_time() -> None:
    now = [0.0]

    def pass_time(_url: str) -> None:
        now[0] += 10

    symbols = [f"S{n}" for n in range(40)]
    hurried = NOT_AT_ONCE.model_copy(update={"budget_seconds": 200})
    with YahooStandIn(dict.fromkeys(symbols, QUIET_WEEK)) as yahoo:
        source = YahooSource(hurried, yahoo.session(pass_time), wait=no_wait, clock=lambda: now[0])
        answers = list(source.fetch(list(map(request, symbols))))
        asked = yahoo.asked(CHART)
    assert len(answers) == len(symbols)
    assert served(answers) == set(asked) == set(symbols[: len(asked)])
    assert 0 < len(asked) <= 20
    assert kinds(answers) == dict.fromkeys(symbols[len(asked) :], OutOfTimeError)


def test_a_request_that_hangs_is_given_up_when_the_budget_is_used_up() -> None:
    brief = SETTINGS.model_copy(update={"budget_seconds": 0.05, "request_seconds": 0.45})
    assert type(the_failure(replace(QUIET_WEEK, fault="stall"), settings=brief)) is OutOfTimeError


def test_closing_early_asks_for_no_more() -> None:
    symbols = [f"S{n}" for n in range(400)]
    with YahooStandIn(dict.fromkeys(symbols, QUIET_WEEK)) as yahoo:
        answers = YahooSource(NOT_AT_ONCE, yahoo.session(), wait=no_wait).fetch(list(map(request, symbols)))
        assert isinstance(answers, Generator)
        first = next(answers)
        answers.close()
        asked = len(yahoo.asked(CHART))
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("yahoo")]
    assert served([first]) == {"S0"}
    assert asked < len(symbols)
