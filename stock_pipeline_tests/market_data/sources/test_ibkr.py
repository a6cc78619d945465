import asyncio
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.errors import (
    NoDataError,
    NoPermissionError,
    OutOfTimeError,
    RateLimitedError,
    RefusedRequestError,
    RequestTimeoutError,
    SourceDownError,
    SourceError,
    UnknownSymbolError,
    WrongClientError,
)
from stock_pipeline.market_data.sources.ibkr import HUNG_LIMIT, RETRY_DELAYS, IbkrSource
from stock_pipeline.market_data.sources.source import Answer, Request, Source
from stock_pipeline.settings import IbkrSettings
from stock_pipeline_tests.standins.fake_time import FakeTime
from stock_pipeline_tests.standins.ibkr import BARS, CALL_OFF, DETAILS, POSITIONS, START, IbkrStandIn, Listing, Refusal

SESSIONS = [date(2025, 12, 31), date(2026, 1, 2), date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7), date(2026, 1, 8)]
FIRST, LAST = SESSIONS[2], SESSIONS[4]
LISTING = Listing([(session, 10.0, 11.0, 9.0, 10.5, 1e6 + number) for number, session in enumerate(SESSIONS)])
HISTORY = "Historical Market Data Service error message:"
PACING = HISTORY + "Historical data request pacing violation"
HANG = 0.3  # seconds after which a request hangs, long enough for any that is answered


def listings(symbols: Iterable[str]) -> dict[str, Listing]:
    return {symbol: Listing(LISTING.bars, contracts=(number,)) for number, symbol in enumerate(symbols, start=1001)}


def source(port: int, time: FakeTime | None = None, **settings: Any) -> IbkrSource:
    """A source of which the settings need not be whole seconds."""
    time = time or FakeTime()
    known = IbkrSettings().model_dump() | {"port": port, "requests_at_once": 1} | settings
    return IbkrSource(IbkrSettings.model_construct(**known), clock=time.clock, wait=time.wait)


def requests(symbols: Iterable[str], last: date = LAST) -> list[Request]:
    return [Request(symbol, FIRST, last) for symbol in symbols]


def fetched(gateway: IbkrStandIn, symbols: Sequence[str], time: FakeTime | None = None, **settings: Any) -> list[Answer]:
    answers = list(source(gateway.port, time, **settings).fetch(requests(symbols)))
    assert gateway.everybody_left()
    assert threads_of_a_source() == []
    return answers


def failures(answers: Iterable[Answer]) -> dict[str, SourceError]:
    return {symbol: error for answer in answers for symbol, error in answer.failures.items()}


def kinds(answers: Iterable[Answer]) -> dict[str, type[SourceError]]:
    return {symbol: type(error) for symbol, error in failures(answers).items()}


def served(answers: Iterable[Answer]) -> list[str]:
    """The symbols with bars, in the order of the answers."""
    return [symbol for answer in answers for symbol in answer.data.bars[SYMBOL].unique(maintain_order=True)]


def threads_of_a_source() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "market data source"]


def test_bars_and_instruments_come_as_they_were_asked_for() -> None:
    with IbkrStandIn({"AAPL": LISTING}) as gateway:
        (answer,) = fetched(gateway, ["AAPL"])
        (asked,) = gateway.asked(BARS)
    assert answer.failures == {}
    assert answer.data.bars.rows() == [
        ("AAPL", session, 10.0, 11.0, 9.0, 10.5, 1e6 + number, None, "split", "USD", None)
        for number, session in enumerate(SESSIONS)
        if FIRST <= session <= LAST
    ]
    assert answer.data.instruments.rows() == [("AAPL", "Some Company Inc", "NASDAQ", "USD", "Technology", "Computers", "1001")]
    assert asked[15:20] == ("20260107 23:59:59 UTC", "1 day", "3 D", "1", "TRADES")


def test_it_is_a_live_source_that_has_neither_actions_nor_fundamentals() -> None:
    ibkr: Source = IbkrSource(IbkrSettings())
    assert (ibkr.name, ibkr.is_archive, ibkr.is_closed, set(ibkr.offers)) == ("ibkr", False, False, {"bars", "instruments"})


def test_without_symbols_it_says_which_settings_name_them() -> None:
    with pytest.raises(InputError, match=r"source\.symbols or source\.universe_path"):
        IbkrSource(IbkrSettings()).fetch(None)


def test_no_requests_are_no_answers_and_no_connection() -> None:
    with IbkrStandIn({}) as gateway:
        assert list(source(gateway.port).fetch([])) == []
        assert gateway.received == []


def test_it_only_reads() -> None:
    with IbkrStandIn(listings("AB")) as gateway:
        fetched(gateway, ["A", "B", "C"])
    # Nothing about orders, executions or accounts; ib_async cannot be kept from asking for positions.
    assert {fields[0] for fields in gateway.received} == {START, POSITIONS, DETAILS, BARS}


def test_a_share_class_is_asked_for_as_the_gateway_writes_it_and_comes_back_as_ours() -> None:
    with IbkrStandIn({"BRK B": LISTING}) as gateway:
        (answer,) = fetched(gateway, ["BRK.B"])
    assert set(answer.data.bars[SYMBOL]) == set(answer.data.instruments[SYMBOL]) == {"BRK.B"}


def test_hostile_symbols_are_never_sent_and_harm_no_other() -> None:
    hostile = ["", "A\0B", "A\r\n71", "A" * 65, "\ud800"]
    with IbkrStandIn({"AAPL": LISTING}) as gateway:
        answers = fetched(gateway, [*hostile, "AAPL"])
        assert [fields[4] for fields in gateway.asked(DETAILS)] == ["AAPL"]
    assert served(answers) == ["AAPL"]
    assert kinds(answers) == dict.fromkeys(hostile, UnknownSymbolError)
    assert all(str(error).isprintable() for error in failures(answers).values())


def test_two_requests_for_one_symbol_get_one_answer_of_the_widest_sessions() -> None:
    with IbkrStandIn({"A": LISTING}) as gateway:
        asked = [Request("A", SESSIONS[1], SESSIONS[2]), Request("A", SESSIONS[2], SESSIONS[3])]
        (answer,) = source(gateway.port).fetch(asked)
    assert answer.data.bars[SESSION].to_list() == SESSIONS[1:4]


def test_bars_that_end_early_are_an_answer_for_the_caller_to_judge() -> None:
    with IbkrStandIn({"A": LISTING}) as gateway:
        (answer,) = source(gateway.port).fetch(requests(["A"], last=date(2026, 3, 2)))
    assert (answer.data.bars[SESSION].max(), answer.failures) == (SESSIONS[-1], {})


def test_what_was_learnt_of_an_instrument_is_not_asked_again() -> None:
    with IbkrStandIn({"A": LISTING}) as gateway:
        ibkr = source(gateway.port)
        answers = [answer for _ in range(2) for answer in ibkr.fetch(requests(["A"]))]
        assert (len(gateway.asked(DETAILS)), len(gateway.asked(BARS))) == (1, 2)
    assert pl.concat([answer.data.instruments for answer in answers]).height == 2


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        pytest.param(Refusal(321, "Error validating request.-'bN' : cause - Invalid"), RefusedRequestError, id="321-would-hang"),
        pytest.param(Refusal(162, HISTORY + "No market data permissions for ISLAND STK"), NoPermissionError, id="no-permission"),
        pytest.param(Refusal(162, HISTORY + "HMDS query returned no data: B@SMART Trades"), NoDataError, id="no-data"),
        pytest.param(Refusal(200, "No security definition has been found for the request"), UnknownSymbolError, id="unknown"),
    ],
)
def test_a_refusal_concerns_its_symbol_alone_and_says_which_where_and_what_to_do(refusal: Refusal, kind: type[SourceError]) -> None:
    with IbkrStandIn(listings("ABC"), refuse_bars={"B": refusal}) as gateway:
        answers = fetched(gateway, "ABC")
    assert (served(answers), kinds(answers)) == (["A", "C"], {"B": kind})
    message = str(failures(answers)["B"])
    assert message.startswith(f"B from source ibkr at 127.0.0.1:{gateway.port}: error {refusal.code}, ")
    assert "; " in message
    # What the particulars say of it is worth keeping all the same.
    assert [answer.data.instruments[SYMBOL].to_list() for answer in answers] == [["A"], ["B"], ["C"]]


def test_particulars_may_be_refused_too() -> None:
    invalid = Refusal(321, "Error validating request")
    with IbkrStandIn(listings("AB"), refuse_details={"A": invalid}) as gateway:
        answers = fetched(gateway, ["A", "B", "NOPE"])
    assert (served(answers), kinds(answers)) == (["B"], {"A": RefusedRequestError, "NOPE": UnknownSymbolError})


def test_a_symbol_of_several_contracts_is_not_guessed_at() -> None:
    with IbkrStandIn({"A": Listing(LISTING.bars, contracts=(1, 2))}) as gateway:
        answers = fetched(gateway, ["A"])
    assert kinds(answers) == {"A": UnknownSymbolError}


def test_half_of_the_symbols_may_fail_while_the_other_half_is_served() -> None:
    symbols = [f"S{number}" for number in range(20)]
    with IbkrStandIn(listings(symbols[::2])) as gateway:
        answers = fetched(gateway, symbols, requests_at_once=4)
    assert sorted(served(answers)) == sorted(symbols[::2])
    assert kinds(answers) == dict.fromkeys(symbols[1::2], UnknownSymbolError)


def test_a_pacing_violation_is_waited_out() -> None:
    time = FakeTime()
    with IbkrStandIn(listings("A"), refuse_bars={"A": Refusal(162, PACING, times=2)}) as gateway:
        assert served(fetched(gateway, "A", time)) == ["A"]
        assert len(gateway.asked(BARS)) == 3
    assert time.waits == list(RETRY_DELAYS)


def test_a_pacing_violation_for_ever_is_one_symbols_failure() -> None:
    with IbkrStandIn(listings("AB"), refuse_bars={"A": Refusal(162, PACING)}) as gateway:
        answers = fetched(gateway, "AB")
        assert len(gateway.asked(BARS)) == len(RETRY_DELAYS) + 1 + 1
    assert (served(answers), kinds(answers)) == (["B"], {"A": RateLimitedError})


def test_nobody_waits_out_a_pacing_violation_beyond_the_time_there_is() -> None:
    time = FakeTime()
    with IbkrStandIn(listings("A"), refuse_bars={"A": Refusal(162, PACING)}) as gateway:
        assert kinds(fetched(gateway, "A", time, budget_seconds=50)) == {"A": RateLimitedError}
    assert time.waits == [RETRY_DELAYS[0]]


def test_requests_are_paced_and_what_the_time_does_not_suffice_for_is_left_to_others() -> None:
    time = FakeTime()
    with IbkrStandIn(listings("ABCDEFG")) as gateway:
        answers = fetched(gateway, "ABCDEFG", time, requests_per_ten_minutes=2, budget_seconds=700)
        assert len(gateway.asked(BARS)) == 4
    assert time.waits == [600.0]
    assert (served(answers), kinds(answers)) == (["A", "B", "C", "D"], dict.fromkeys("EFG", OutOfTimeError))


def test_a_request_that_hangs_is_called_off() -> None:
    with IbkrStandIn(listings("AB"), silent="A") as gateway:
        answers = fetched(gateway, "AB", request_seconds=HANG)
        (asked, _other) = gateway.asked(BARS)
        assert gateway.asked(CALL_OFF) == [(CALL_OFF, "1", asked[1])]
    assert (served(answers), kinds(answers)) == (["B"], {"A": RequestTimeoutError})


def test_a_request_may_not_outlast_the_time_there_is() -> None:
    with IbkrStandIn(listings("AB"), silent="A") as gateway:
        answers = fetched(gateway, "AB", budget_seconds=0.1, request_seconds=1e6)
    assert kinds(answers) == {"A": OutOfTimeError, "B": OutOfTimeError}


def test_a_gateway_that_hangs_again_and_again_is_down() -> None:
    with IbkrStandIn(listings("ABCDEF"), silent="ABCDEF") as gateway:
        answers = fetched(gateway, "ABCDEF", request_seconds=HANG)
        assert len(gateway.asked(BARS)) == HUNG_LIMIT
    assert kinds(answers) == dict.fromkeys("ABC", RequestTimeoutError) | dict.fromkeys("DEF", SourceDownError)


@pytest.mark.parametrize("refused", ["", "C"])
def test_a_gateway_that_hangs_now_and_then_is_not_down(refused: str) -> None:
    no_data = dict.fromkeys(refused, Refusal(162, HISTORY + "no data"))
    with IbkrStandIn(listings("ABCDE"), silent="ABD", refuse_bars=no_data) as gateway:
        answers = fetched(gateway, "ABCDE", request_seconds=HANG)
    assert kinds(answers) == dict.fromkeys("ABD", RequestTimeoutError) | dict.fromkeys(refused, NoDataError)
    assert served(answers)[-1] == "E"


def test_what_came_before_the_connection_was_lost_is_kept() -> None:
    with IbkrStandIn(listings("ABCDE"), drop_at="C") as gateway:
        answers = fetched(gateway, "ABCDE")
        assert len(gateway.asked(START)) == 1
    assert (served(answers), kinds(answers)) == (["A", "B"], dict.fromkeys("CDE", SourceDownError))


def test_where_nobody_listens_every_symbol_fails_at_once() -> None:
    with IbkrStandIn({}) as gateway:
        pass
    answers = fetched(gateway, ["A", "B", "A\0"], requests_at_once=5)
    assert kinds(answers) == {"A": SourceDownError, "B": SourceDownError, "A\0": UnknownSymbolError}
    message = str(failures(answers)["B"])
    assert message.startswith(f"B from source ibkr at 127.0.0.1:{gateway.port}: ")
    assert "source.ibkr.port" in message


def test_who_does_not_speak_the_protocol_is_no_gateway() -> None:
    with IbkrStandIn({}, greets=False) as gateway:
        assert kinds(fetched(gateway, "AB", connect_seconds=0.1)) == {"A": SourceDownError, "B": SourceDownError}


def test_a_gateway_that_hangs_up_on_us_is_not_waited_for() -> None:
    with IbkrStandIn({}, hangs_up=True) as gateway:
        answers = fetched(gateway, "A", connect_seconds=1e6)
    assert kinds(answers) == {"A": SourceDownError}
    assert "API settings" in str(failures(answers)["A"])


def test_a_client_id_in_use_is_said_at_once() -> None:
    with IbkrStandIn(listings("AB"), client_in_use=True) as gateway:
        answers = fetched(gateway, "AB", connect_seconds=1e6)
    assert kinds(answers) == {"A": WrongClientError, "B": WrongClientError}
    assert "source.ibkr.client_id" in str(failures(answers)["A"])


def test_so_many_requests_at_once_as_allowed_and_no_more() -> None:
    symbols = [f"S{number}" for number in range(9)]
    with IbkrStandIn(listings(symbols), gather=3) as gateway:
        answers = fetched(gateway, symbols, requests_at_once=3)
    assert (sorted(served(answers)), gateway.most_at_once) == (symbols, 3)


def test_it_serves_a_thread_without_a_loop_and_one_in_which_a_loop_runs() -> None:
    async def within_a_loop() -> list[Answer]:
        return fetched(gateway, "A")

    with IbkrStandIn(listings("A")) as gateway, ThreadPoolExecutor(1) as pool:
        assert served(pool.submit(fetched, gateway, "A").result()) == served(asyncio.run(within_a_loop())) == ["A"]


@pytest.mark.parametrize("silent", ["", "B"])
def test_who_stops_listening_leaves_no_thread_and_no_connection(silent: str) -> None:
    with IbkrStandIn(listings("ABC"), silent=silent) as gateway:
        answers = source(gateway.port).fetch(requests("ABC"))
        assert served([next(answers)]) == ["A"]
        answers.close()  # type: ignore[attr-defined]
        assert gateway.everybody_left()
        assert threads_of_a_source() == []
