from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, NAME, SECTOR, SESSION, SOURCE, SYMBOL, VALUE, VOLUME
from stock_pipeline.market_data.source_chain import Failure, Gathered, ask_in_order, fetch_all, only
from stock_pipeline.market_data.sources.errors import NoDataError, RateLimitedError, SourceDownError
from stock_pipeline.market_data.sources.source import FUNDAMENTALS, INSTRUMENTS, Answer, MarketData, Request, Source
from stock_pipeline.market_data.tables import ACTIONS_KNOWN, BASIS, CONTRACT, EXCHANGE, RAW, SPLIT_ADJUSTED
from stock_pipeline_tests.factories.market_rows import DAYS, bar, bars, series
from stock_pipeline_tests.factories.scripted_source import WITHOUT_ACTIONS, ScriptedSource, requests, told

SPLIT = ("A", DAYS[1], "split", 2.0)


def plainly(source: Source, wanted: Sequence[Request]) -> Iterator[Answer]:
    return source.fetch(wanted)


def ask(sources: Sequence[Source], symbols: Sequence[str], about: bool = False) -> Gathered:
    return ask_in_order(sources, requests(symbols, about=about), plainly, DAYS[2])


def broker(**script: Any) -> ScriptedSource:
    """A source that has no actions, so that its bars are adjusted for every split."""
    return ScriptedSource(script, "ibkr", WITHOUT_ACTIONS)


def adjusted(symbol: str, closes: Sequence[float | None]) -> MarketData:
    return told(symbol, closes, **{BASIS: SPLIT_ADJUSTED})


def particulars(symbol: str = "A", **values: str) -> pl.DataFrame:
    return pl.DataFrame([{SYMBOL: symbol} | values], schema=INSTRUMENTS)


def figures(symbol: str = "A", **items: float) -> pl.DataFrame:
    rows = [(symbol, DAYS[0], "quarter", item, value, "USD", None) for item, value in items.items()]
    return pl.DataFrame(rows, schema=FUNDAMENTALS, orient="row")


def failures(gathered: Gathered) -> list[tuple[str, str, str]]:
    return [(failure.symbol, failure.source, failure.reason) for failure in gathered.failures]


def tallies(gathered: Gathered) -> list[tuple[str, int]]:
    assert all(tally.seconds >= 0 for tally in gathered.tallies)
    return [(tally.source, tally.symbols_asked) for tally in gathered.tallies]


def rows(frame: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return frame.select(SYMBOL, SESSION, *columns).sort(SYMBOL, SESSION).rows()


def test_each_symbol_comes_from_the_first_source_that_serves_it() -> None:
    whole = {symbol: told(symbol, [1.0, 2.0, 3.0]) for symbol in "ABC"}
    first = ScriptedSource({"A": whole["A"], "B": RateLimitedError("later\n please")}, "first")
    second = ScriptedSource({"A": whole["A"], "B": whole["B"]}, "second")
    third, never = ScriptedSource(whole, "third"), ScriptedSource(whole, "never")
    gathered = ask([first, second, third, never], "ABC")
    assert [source.symbols_asked for source in (first, second, third, never)] == [["A", "B", "C"], ["B", "C"], ["C"], []]
    assert dict(gathered.bars.select(SYMBOL, SOURCE).iter_rows()) == {"A": "first", "B": "second", "C": "third"}
    assert gathered.bars.height == 9
    assert gathered.bars[ACTIONS_KNOWN].all()
    assert tallies(gathered) == [("first", 3), ("second", 2), ("third", 1)]
    assert gathered.failures == (
        Failure("B", "first", "rate limited", "later please"),
        Failure("C", "first", "unknown symbol", "there is no C"),
        Failure("C", "second", "unknown symbol", "there is no C"),
    )


def test_what_nobody_serves_fails_with_every_source_and_keeps_nothing_from_the_others() -> None:
    first, second = ScriptedSource({"A": told("A", [1.0, 2.0, 3.0])}, "first"), ScriptedSource({"B": NoDataError("none")}, "second")
    gathered = ask([first, second], "AB")
    assert failures(gathered) == [("B", "first", "unknown symbol"), ("B", "second", "no data")]
    assert rows(gathered.bars, CLOSE, SOURCE) == [("A", day, close, "first") for day, close in zip(DAYS, [1.0, 2.0, 3.0], strict=False)]
    assert tallies(gathered) == [("first", 2), ("second", 1)]


def test_a_stale_answer_goes_to_the_next_source_and_keeps_only_the_sessions_that_this_one_lacks() -> None:
    stale = ScriptedSource({"A": told("A", [10.0, 11.0])}, "stale")
    fresh = ScriptedSource({"A": told("A", [None, 11.5, 12.5])}, "fresh")
    gathered = ask([stale, fresh], "A")
    assert fresh.asked == stale.asked
    assert rows(gathered.bars, CLOSE, SOURCE) == [
        ("A", DAYS[0], 10.0, "stale"),
        ("A", DAYS[1], 11.5, "fresh"),
        ("A", DAYS[2], 12.5, "fresh"),
    ]
    assert rows(gathered.compared, CLOSE, BASIS, SOURCE) == [("A", DAYS[1], 11.0, RAW, "stale")]
    assert gathered.failures == (Failure("A", "stale", "stale", f"its latest bar is of {DAYS[1]}, not of {DAYS[2]}"),)


def test_where_every_answer_is_stale_the_first_one_counts() -> None:
    first, second = ScriptedSource({"A": told("A", [10.0])}, "first"), ScriptedSource({"A": told("A", [10.5, 11.5])}, "second")
    gathered = ask([first, second], "A")
    assert rows(gathered.bars, CLOSE, SOURCE) == [("A", DAYS[0], 10.0, "first"), ("A", DAYS[1], 11.5, "second")]
    assert failures(gathered) == [("A", "first", "stale"), ("A", "second", "stale")]


def test_one_symbol_that_is_stale_takes_no_other_with_it() -> None:
    first = ScriptedSource({"A": told("A", [10.0]), "B": told("B", [1.0, 2.0, 3.0])}, "first")
    second = ScriptedSource({symbol: told(symbol, [5.0, 6.0, 7.0]) for symbol in "AB"}, "second")
    gathered = ask([first, second], "AB")
    assert second.symbols_asked == ["A"]
    assert {("B", "first")} == set(gathered.bars.filter(pl.col(SYMBOL) == "B").select(SYMBOL, SOURCE).iter_rows())


def test_actions_come_from_the_next_source_that_has_them_and_bring_the_bars_back_to_what_was_traded() -> None:
    ibkr, deaf = broker(A=adjusted("A", [50.0, 51.0, 52.0])), ScriptedSource({}, "deaf", WITHOUT_ACTIONS)
    yahoo = ScriptedSource({"A": told("A", [100.1, 51.1, 52.1], SPLIT)})
    gathered = ask([ibkr, deaf, yahoo], "A")
    assert (ibkr.asked, deaf.asked) == (yahoo.asked, [])
    assert rows(gathered.bars, CLOSE, VOLUME, BASIS, SOURCE, ACTIONS_KNOWN) == [
        ("A", DAYS[0], 100.0, 50.0, RAW, "ibkr", True),
        ("A", DAYS[1], 51.0, 100.0, RAW, "ibkr", True),
        ("A", DAYS[2], 52.0, 100.0, RAW, "ibkr", True),
    ]
    assert rows(gathered.actions, "kind", VALUE, SOURCE) == [("A", DAYS[1], "split", 2.0, "yahoo")]
    assert [close for *_, close, _ in rows(gathered.compared, CLOSE, SOURCE)] == [100.1, 51.1, 52.1]
    assert set(gathered.compared[SOURCE]) == {"yahoo"}
    assert (failures(gathered), tallies(gathered)) == ([], [("ibkr", 1), ("yahoo", 1)])


def test_the_source_of_actions_is_asked_for_each_symbol_once_whoever_served_it() -> None:
    ibkr = broker(A=adjusted("A", [1.0, 2.0, 3.0]))
    yahoo = ScriptedSource({symbol: told(symbol, [4.0, 5.0, 6.0]) for symbol in "AB"})
    third = ScriptedSource({}, "third")
    gathered = ask([ibkr, yahoo, third], "AB")
    assert (sorted(yahoo.symbols_asked), third.asked) == (["A", "B"], [])
    assert dict(gathered.bars.select(SYMBOL, SOURCE).iter_rows()) == {"A": "ibkr", "B": "yahoo"}


def test_where_actions_cannot_be_had_the_bars_stay_adjusted_and_do_not_pretend_to_know_them() -> None:
    ibkr, yahoo = broker(A=adjusted("A", [50.0, 51.0, 52.0])), ScriptedSource({"A": SourceDownError("nobody there")})
    third = ScriptedSource({"A": NoDataError("none")}, "third")
    gathered = ask([ibkr, yahoo, third], "A")
    assert rows(gathered.bars, CLOSE, BASIS, SOURCE, ACTIONS_KNOWN)[0] == ("A", DAYS[0], 50.0, SPLIT_ADJUSTED, "ibkr", False)
    assert third.symbols_asked == ["A"]
    assert failures(gathered) == [("A", "yahoo", "source down"), ("A", "third", "no data")]


def test_an_adjusted_close_tells_of_actions_by_itself() -> None:
    ibkr = broker(A=MarketData(bars=bars(*series("A", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]))), B=told("B", [1.0, 2.0, 3.0]))
    gathered = ask([ibkr], "AB")
    assert dict(gathered.bars.select(SYMBOL, ACTIONS_KNOWN).iter_rows()) == {"A": True, "B": False}
    archive = fetch_all(_Whole(ibkr))
    assert archive.bars.height == 6
    assert archive.bars.select((pl.col(ACTIONS_KNOWN) == pl.col(ADJ_CLOSE).is_not_null()).all()).item()


class _Whole(ScriptedSource):
    """The same data from an archive that gives all that it has."""

    def __init__(self, live: ScriptedSource) -> None:
        super().__init__(live.script, "archive", live.offers, is_archive=True)

    def fetch(self, _requests: Sequence[Request] | None) -> Iterator[Answer]:
        found = [data for data in self.script.values() if isinstance(data, MarketData)]
        yield Answer(MarketData(bars=pl.concat([data.bars for data in found])))


def test_a_bar_that_one_source_tells_twice_is_kept_twice() -> None:
    twice = MarketData(bars=bars(*series("A", [1.0, 2.0, 3.0]), bar("A", DAYS[2], 4.0)))
    gathered = ask([ScriptedSource({"A": twice})], "A")
    assert [close for *_, close in rows(gathered.bars, CLOSE)] == [1.0, 2.0, 3.0, 4.0]
    assert gathered.compared.is_empty()


def test_an_instrument_is_put_together_from_what_each_source_tells_first() -> None:
    ibkr = broker(A=MarketData(adjusted("A", [1.0, 2.0, 3.0]).bars, instruments=particulars(exchange="NASDAQ", contract="77")))
    yahoo = ScriptedSource(
        {"A": MarketData(bars(*series("A", [1.0, 2.0, 3.0])), instruments=particulars(exchange="NasdaqGS", name="Apple", sector="Tech"))}
    )
    (row,) = ask([ibkr, yahoo], "A", about=True).instruments.iter_rows(named=True)
    assert (row[EXCHANGE], row[CONTRACT], row[NAME], row[SECTOR], row[SOURCE]) == ("NASDAQ", "77", "Apple", "Tech", "ibkr")


def test_particulars_are_kept_where_the_bars_are_refused() -> None:
    refused = Answer(MarketData(instruments=particulars(contract="77")), {"A": NoDataError("none")})
    gathered = ask([broker(A=refused), ScriptedSource({"A": told("A", [1.0, 2.0, 3.0])})], "A")
    assert gathered.instruments[CONTRACT].to_list() == ["77"]
    assert set(gathered.bars[SOURCE]) == {"yahoo"}


def test_of_actions_and_fundamentals_the_first_that_were_told_count() -> None:
    acts = [("A", day, "dividend", cash) for day, cash in ((DAYS[0], 0.5), (DAYS[0], 0.6), (DAYS[2], 0.7))]
    first = ScriptedSource({"A": replace(told("A", [1.0], acts[0]), fundamentals=figures(revenue=10.0))}, "first")
    second = ScriptedSource(
        {"A": replace(told("A", [1.0, 2.0, 3.0], acts[1], acts[2]), fundamentals=figures(revenue=11.0, equity=3.0))}, "second"
    )
    gathered = ask([first, second], "A", about=True)
    assert rows(gathered.actions, VALUE, SOURCE) == [("A", DAYS[0], 0.5, "first"), ("A", DAYS[2], 0.7, "second")]
    assert sorted(gathered.fundamentals.select("item", VALUE, SOURCE).rows()) == [("equity", 3.0, "second"), ("revenue", 10.0, "first")]


def test_progress_is_told_after_every_answer() -> None:
    first, second = ScriptedSource({"A": told("A", [1.0, 2.0, 3.0])}, "first"), ScriptedSource({"B": told("B", [1.0, 2.0, 3.0])}, "second")
    heard: list[tuple[str, int, int]] = []
    ask_in_order([first, second], requests("ABC"), plainly, DAYS[2], lambda *words: heard.append(words))
    assert heard == [("first", 1, 3), ("first", 2, 3), ("first", 3, 3), ("second", 1, 2), ("second", 2, 2)]


@pytest.mark.parametrize("wanted", [["A"], ["B", "A"], []])
def test_only_some_symbols_may_be_kept_of_every_frame(wanted: list[str]) -> None:
    ibkr = broker(**{symbol: adjusted(symbol, [1.0, 2.0, 3.0]) for symbol in "AB"})
    about = {
        symbol: replace(
            told(symbol, [1.0, 2.0, 3.0], (symbol, DAYS[1], "dividend", 0.1)),
            instruments=particulars(symbol),
            fundamentals=figures(symbol, revenue=1.0),
        )
        for symbol in "AB"
    }
    gathered = ask([ibkr, ScriptedSource(about)], "AB", about=True)
    kept = only(gathered, wanted)
    for name in ("bars", "actions", "instruments", "fundamentals", "compared"):
        assert set(getattr(gathered, name)[SYMBOL]) == {"A", "B"}, name
        assert set(getattr(kept, name)[SYMBOL]) == set(wanted), name


def test_a_split_that_two_sources_tell_is_undone_once() -> None:
    files = ScriptedSource({"A": told("A", [100.0, 50.5], SPLIT)}, "files")
    yahoo = ScriptedSource({"A": told("A", [100.0, 50.5, 51.0], SPLIT)}, "yahoo")
    gathered = ask([files, broker(A=adjusted("A", [50.0, 50.5, 51.0])), yahoo], "A")
    assert gathered.bars.sort(SESSION)[CLOSE].to_list() == [100.0, 50.5, 51.0]


def test_two_dividends_of_one_session_are_both_kept() -> None:
    paid = [("A", DAYS[1], "dividend", 0.1), ("A", DAYS[1], "dividend", 0.2)]
    first = ScriptedSource({"A": told("A", [1.0, 2.0], *paid)}, "first")
    second = ScriptedSource({"A": told("A", [1.0, 2.0, 3.0], *paid)}, "second")
    assert rows(ask([first, second], "A").actions, VALUE, SOURCE) == [("A", DAYS[1], 0.1, "first"), ("A", DAYS[1], 0.2, "first")]


def test_a_symbol_of_which_nothing_is_said_is_asked_elsewhere() -> None:
    gathered = ask([ScriptedSource({"A": MarketData()}, "first"), ScriptedSource({"A": told("A", [1.0, 2.0, 3.0])}, "second")], "A")
    assert gathered.bars.height == 3
    assert failures(gathered) == [("A", "first", "no data")]


def test_bars_of_the_past_are_told_as_traded_by_the_splits_until_now() -> None:
    ibkr = broker(A=adjusted("A", [50.0, 50.5, 51.0]))
    yahoo = ScriptedSource({"A": told("A", [100.0, 101.0, 102.0, 51.5], ("A", DAYS[3], "split", 2.0))}, "yahoo")
    gathered = ask_in_order([ibkr, yahoo], requests("A"), plainly, DAYS[3])
    assert [(request.first, request.last) for request in yahoo.asked] == [(DAYS[0], DAYS[3])]
    assert gathered.bars.filter(pl.col(SOURCE) == "ibkr").sort(SESSION)[CLOSE].to_list() == [100.0, 101.0, 102.0]


def test_who_lacks_the_last_bar_is_not_believed_to_know_every_split() -> None:
    behind = ScriptedSource({"A": told("A", [100.0, 101.0])}, "yahoo")
    gathered = ask([broker(A=adjusted("A", [50.0, 50.5, 51.0])), behind], "A")
    assert rows(gathered.bars, BASIS, ACTIONS_KNOWN, SOURCE) == [("A", day, SPLIT_ADJUSTED, False, "ibkr") for day in DAYS[:3]]
