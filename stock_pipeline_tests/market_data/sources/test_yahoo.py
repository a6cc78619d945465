import multiprocessing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, SESSION, SYMBOL, VALUE, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.errors import (
    UnknownSymbolError,
)
from stock_pipeline.market_data.sources.source import ACTIONS, BARS, FUNDAMENTALS, INSTRUMENTS, Source
from stock_pipeline.market_data.sources.yahoo import YahooSource
from stock_pipeline.market_data.sources.yahoo_answers import yahoo_symbol
from stock_pipeline.market_data.tables import BASIS, CURRENCY, KIND, RAW
from stock_pipeline_tests.factories.yahoo_week import (
    ABOUT,
    FRIDAY,
    MONDAY,
    QUIET_WEEK,
    SETTINGS,
    SPLIT_WEEK,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    WEEK,
    as_traded,
    bar,
    fetched,
    kinds,
    request,
)
from stock_pipeline_tests.standins.yahoo import CHART, STATEMENTS, SUMMARY, Fault, Listing, LoopbackSession, TradedBar, YahooStandIn


def test_it_is_a_live_source_that_shares_a_data_directory() -> None:
    source: Source = YahooSource(SETTINGS)
    assert (source.name, source.is_archive, source.is_closed) == ("yahoo", False, False)
    assert source.offers == {"bars", "actions", "instruments", "fundamentals"}


def test_without_symbols_it_names_the_settings_that_give_them() -> None:
    with pytest.raises(InputError, match=r"source\.symbols.*source\.universe_path"):
        YahooSource(SETTINGS).fetch(None)


def test_no_requests_are_no_answers() -> None:
    with YahooStandIn({}) as yahoo:
        assert fetched(yahoo) == []
        assert yahoo.paths == []


def test_splits_and_dividends_are_undone_exactly() -> None:
    with YahooStandIn({"AAA": SPLIT_WEEK}) as yahoo:
        [answer] = fetched(yahoo, request("AAA"))
    assert not answer.failures
    assert answer.data.bars.schema == pl.Schema(BARS)
    assert answer.data.bars.rows() == as_traded("AAA", SPLIT_WEEK.bars)
    assert answer.data.actions.schema == pl.Schema(ACTIONS)
    assert answer.data.actions.rows() == [
        ("AAA", TUESDAY, "dividend", 0.9, None),
        ("AAA", WEDNESDAY, "split", 3.0, None),
        ("AAA", THURSDAY, "dividend", 0.31, None),
        ("AAA", FRIDAY, "split", 0.25, None),
    ]
    assert answer.data.instruments.is_empty()
    assert answer.data.fundamentals.is_empty()


def test_a_split_after_the_last_session_asked_for_is_undone_too() -> None:
    with YahooStandIn({"AAA": SPLIT_WEEK}) as yahoo:
        [answer] = fetched(yahoo, request("AAA", last=TUESDAY))
    assert answer.data.bars.rows() == as_traded("AAA", SPLIT_WEEK.bars[:2])
    assert answer.data.actions.rows() == [("AAA", TUESDAY, "dividend", 0.9, None)]


def test_a_later_split_restates_no_bar_though_yahoo_rounds_to_single_precision() -> None:
    single = pl.Series([0.1 + 1 / 3, 97.13 / 7]).cast(pl.Float32).cast(pl.Float64).to_list()
    before = Listing(bars=(bar(MONDAY, single[0] + 1), bar(TUESDAY, 97.13)))
    noisy = replace(before, bars=(before.bars[0], bar(TUESDAY, single[1] * 7)))
    with YahooStandIn({"BEFORE": before, "NOISY": noisy}) as yahoo:
        told = pl.concat([answer.data.bars for answer in fetched(yahoo, request("BEFORE"), request("NOISY"))])
    closes = told.filter(pl.col(SESSION) == TUESDAY)
    assert noisy.bars[1].close != before.bars[1].close
    assert closes[CLOSE].to_list() == [97.13, 97.13]


def test_only_the_sessions_asked_for_are_answered_and_a_row_of_today_is_not() -> None:
    with YahooStandIn({"AAA": QUIET_WEEK}) as yahoo:
        [answer] = fetched(yahoo, request("AAA", first=TUESDAY, last=THURSDAY))
    assert answer.data.bars.rows() == as_traded("AAA", QUIET_WEEK.bars[1:4])


def test_the_adjusted_close_stays_null_with_and_without_one_in_the_answer() -> None:
    with YahooStandIn({"AAA": QUIET_WEEK, "BBB": replace(QUIET_WEEK, has_adjclose=False)}) as yahoo:
        answers = fetched(yahoo, request("AAA"), request("BBB"))
    bars = pl.concat([answer.data.bars for answer in answers]).sort(SYMBOL, SESSION)
    assert bars.rows() == as_traded("AAA", QUIET_WEEK.bars) + as_traded("BBB", QUIET_WEEK.bars)
    assert bars[ADJ_CLOSE].null_count() == len(WEEK) * 2


def test_the_session_is_the_day_on_the_exchange_and_the_currency_that_of_the_prices() -> None:
    sydney = replace(QUIET_WEEK, zone="Australia/Sydney", currency="AUD")  # opens on the eve in UTC
    with YahooStandIn({"BHP.AX": sydney}) as yahoo:
        [answer] = fetched(yahoo, request("BHP.AX"))
    assert answer.data.bars.rows() == as_traded("BHP.AX", QUIET_WEEK.bars, currency="AUD")


def test_a_bar_without_prices_is_left_out_and_a_price_that_is_lacking_is_null() -> None:
    nan = float("nan")
    gaps = (bar(MONDAY, 50), TradedBar(TUESDAY, nan, nan, nan, nan, 7), TradedBar(WEDNESDAY, nan, 52, 51, 51.5, 7))
    with YahooStandIn({"AAA": Listing(bars=gaps)}) as yahoo:
        [answer] = fetched(yahoo, request("AAA"))
    assert answer.data.bars.rows() == [
        *as_traded("AAA", gaps[:1]),
        ("AAA", WEDNESDAY, None, 52.0, 51.0, 51.5, 7.0, None, RAW, "USD", None),
    ]


def test_one_request_is_made_for_a_symbol_besides_cookie_and_crumb() -> None:
    with YahooStandIn({"AAA": QUIET_WEEK, "BBB": QUIET_WEEK}) as yahoo:
        fetched(yahoo, request("AAA"), request("BBB"))
        assert sorted(yahoo.asked(CHART)) == ["AAA", "BBB"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("AAPL", "AAPL"),
        ("BRK.B", "BRK-B"),
        ("BF.A", "BF-A"),
        ("BRK-B", "BRK-B"),
        ("VOD.L", "VOD.L"),
        ("SAP.F", "SAP.F"),
        ("7203.T", "7203.T"),
        ("0700.HK", "0700.HK"),
        ("^GSPC", "^GSPC"),
        ("EURUSD=X", "EURUSD=X"),
    ],
)
def test_symbols_are_spelt_as_yahoo_spells_them_and_come_back_as_ours(ours: str, theirs: str) -> None:
    with YahooStandIn({theirs: SPLIT_WEEK}) as yahoo:
        [answer] = fetched(yahoo, request(ours))
        assert yahoo.asked(CHART) == [theirs]
    assert answer.data.bars.rows() == as_traded(ours, SPLIT_WEEK.bars)
    assert set(answer.data.actions[SYMBOL]) == {ours}


@pytest.mark.parametrize(
    "symbol",
    [
        *("", " ", ".", "..", "../x", "../../v1/test/getcrumb", "A/B", "A?x=1", "A#b", "A%2Fb", "A&B", "A,B", "A\\B", "A\nB", "AAPL\n"),
        *("A'; DROP TABLE bars", "😀", "ÅAA", "\u0661", "A" * 300, "aapl", "BACpL", "US0378331005"),
    ],
)
def test_a_hostile_symbol_is_refused_before_any_request(symbol: str) -> None:
    with pytest.raises(UnknownSymbolError) as caught:
        yahoo_symbol(symbol)
    assert len(str(caught.value)) < 150
    with YahooStandIn({}) as yahoo:
        assert kinds(fetched(yahoo, request(symbol))) == {symbol: UnknownSymbolError}
        assert yahoo.paths == []


def test_about_gives_the_instrument_and_its_fundamentals() -> None:
    with YahooStandIn({"BRK-B": ABOUT}) as yahoo:
        [answer] = fetched(yahoo, request("BRK.B", about=True))
        assert (yahoo.asked(SUMMARY), yahoo.asked(STATEMENTS)) == (["BRK-B"], ["BRK-B"])
    assert answer.data.bars.rows() == as_traded("BRK.B", ABOUT.bars)
    assert answer.data.instruments.schema == pl.Schema(INSTRUMENTS)
    assert answer.data.instruments.rows() == [("BRK.B", "Triple A", "NasdaqGS", "USD", "Technology", "Semiconductors", None)]
    assert answer.data.fundamentals.schema == pl.Schema(FUNDAMENTALS)
    assert sorted(answer.data.fundamentals.drop("captured").rows()) == [
        ("BRK.B", date(2022, 12, 31), "year", "revenue", 400.0, "USD"),
        ("BRK.B", date(2023, 12, 31), "year", "revenue", 500.0, "USD"),
        ("BRK.B", date(2024, 3, 31), "quarter", "equity", 900.0, "USD"),
        ("BRK.B", date(2024, 3, 31), "quarter", "revenue", 130.0, "USD"),
        ("BRK.B", date(2024, 3, 31), "quarter", "shares", 77.0, "USD"),
    ]
    assert answer.data.fundamentals["captured"].null_count() == 5


def test_nothing_about_a_symbol_is_asked_unless_wanted() -> None:
    with YahooStandIn({"AAA": ABOUT}) as yahoo:
        fetched(yahoo, request("AAA"))
        assert (yahoo.asked(SUMMARY), yahoo.asked(STATEMENTS)) == ([], [])


@pytest.mark.parametrize("fault", ["missing", "drop", "gateway", "garbage"])
def test_extras_that_fail_keep_the_bars_and_are_logged(fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    with YahooStandIn({"AAA": replace(ABOUT, faults_about=fault)}) as yahoo:
        [answer] = fetched(yahoo, request("AAA", about=True))
    assert not answer.failures
    assert answer.data.bars.rows() == as_traded("AAA", ABOUT.bars)
    assert answer.data.actions.height == 4
    assert answer.data.fundamentals.is_empty()
    assert "yahoo gave no fundamentals of AAA" in caplog.text


def test_the_clients_folder_is_private_and_goes_with_the_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    there, here = context.Pipe()
    with YahooStandIn({"AAA": QUIET_WEEK}) as yahoo:
        child = context.Process(target=_fetch_elsewhere, args=(there, yahoo.session().port, str(tmp_path)))
        child.start()
        height, within, left_over = here.recv()
        child.join()
    assert (height, child.exitcode) == (len(WEEK), 0)
    assert within and left_over == []
    assert list(tmp_path.iterdir()) == []


def _fetch_elsewhere(results: Any, port: int, temporary: str) -> None:
    import os
    import tempfile

    tempfile.tempdir = temporary
    os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = f"{temporary}-home"
    [answer] = YahooSource(SETTINGS, LoopbackSession(port)).fetch([request("AAA")])
    home = Path(f"{temporary}-home")
    results.send((answer.data.bars.height, len(list(Path(temporary).iterdir())) == 1, list(home.iterdir()) if home.exists() else []))


def test_columns_tell_basis_volume_and_currency() -> None:
    with YahooStandIn({"AAA": replace(SPLIT_WEEK, currency="GBp")}) as yahoo:
        [answer] = fetched(yahoo, request("AAA"))
    assert set(answer.data.bars[BASIS]) == {RAW}
    assert set(answer.data.bars[CURRENCY]) == {"GBp"}
    assert set(answer.data.bars[VOLUME]) == {1200.0}
    assert answer.data.actions.filter(pl.col(KIND) == "split")[VALUE].to_list() == [3.0, 0.25]
