from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import NAME, SESSION, SYMBOL, VALUE, VOLUME
from stock_pipeline.market_data.sources.archive import answer
from stock_pipeline.market_data.sources.errors import NoDataError, SourceError, UnknownSymbolError
from stock_pipeline.market_data.sources.source import ACTIONS, BARS, FUNDAMENTALS, INSTRUMENTS, DataTypes, MarketData, Request
from stock_pipeline.market_data.tables import BASIS, KIND, PERIOD_END

JANUARY, MAY, AUGUST = date(2010, 1, 4), date(2010, 5, 3), date(2010, 8, 2)


def frame(columns: DataTypes, cells: Mapping[str, list[Any]]) -> pl.DataFrame:
    height = len(next(iter(cells.values())))
    return pl.DataFrame({name: cells.get(name, [None] * height) for name in columns}, schema=columns)


DATA = MarketData(
    bars=frame(
        BARS,
        {
            SYMBOL: ["B", "A", "A", "B", "A", "A", None],
            SESSION: [MAY, AUGUST, JANUARY, AUGUST, MAY, MAY, MAY],
            VOLUME: [1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 7.0],
            BASIS: ["raw"] * 7,
        },
    ),
    actions=frame(ACTIONS, {SYMBOL: ["A", "A", "P"], SESSION: [JANUARY, MAY, MAY], KIND: ["split"] * 3, VALUE: [2.0, 3.0, 4.0]}),
    instruments=frame(INSTRUMENTS, {SYMBOL: ["A", "B", "Q"], NAME: ["Agilent", "Barnes", "Quaker"]}),
    fundamentals=frame(FUNDAMENTALS, {SYMBOL: ["B", "A", "R"], PERIOD_END: [JANUARY, JANUARY, JANUARY]}),
)


def bars(*requests: Request) -> list[tuple[object, ...]]:
    return answer(DATA, requests, "shelf").data.bars.select(SYMBOL, SESSION, VOLUME).rows()


def failures(*requests: Request) -> dict[str, tuple[type[SourceError], str]]:
    return {symbol: (type(error), str(error)) for symbol, error in answer(DATA, requests, "shelf").failures.items()}


def test_without_requests_everything_is_given_as_it_is() -> None:
    whole = answer(DATA, None, "shelf")
    assert whole.data is DATA
    assert not whole.failures


def test_each_symbol_has_the_sessions_asked_for_in_the_order_of_the_archive() -> None:
    asked = [Request("B", AUGUST, AUGUST), Request("A", JANUARY, MAY)]
    assert bars(*asked) == [("A", JANUARY, 3.0), ("B", AUGUST, 4.0), ("A", MAY, 5.0), ("A", MAY, 5.0)]
    assert answer(DATA, asked, "shelf").data.bars.schema == pl.Schema(BARS)
    assert failures(*asked) == {}


def test_actions_are_those_of_the_sessions_asked_for() -> None:
    found = answer(DATA, [Request("A", MAY, AUGUST)], "shelf").data.actions
    assert found.select(SYMBOL, SESSION, VALUE).rows() == [("A", MAY, 3.0)]
    assert found.schema == pl.Schema(ACTIONS)


def test_particulars_and_fundamentals_are_given_where_they_are_asked_for() -> None:
    found = answer(DATA, [Request("A", AUGUST, AUGUST, about=True), Request("B", AUGUST, AUGUST)], "shelf").data
    assert found.instruments.select(SYMBOL, NAME).rows() == [("A", "Agilent")]
    assert found.fundamentals.select(SYMBOL, PERIOD_END).rows() == [("A", JANUARY)]
    assert (found.instruments.schema, found.fundamentals.schema) == (pl.Schema(INSTRUMENTS), pl.Schema(FUNDAMENTALS))


def test_two_requests_for_a_symbol_are_one_without_doubling_its_rows() -> None:
    twice = [Request("A", JANUARY, MAY), Request("A", MAY, AUGUST, about=True)]
    assert bars(*twice) == [("A", AUGUST, 2.0), ("A", JANUARY, 3.0), ("A", MAY, 5.0), ("A", MAY, 5.0)]
    assert answer(DATA, twice, "shelf").data.instruments.height == 1


def test_a_symbol_without_a_bar_in_the_sessions_asked_for_has_no_data() -> None:
    asked = [Request("B", JANUARY, JANUARY), Request("A", JANUARY, JANUARY)]
    assert failures(*asked) == {"B": (NoDataError, "source shelf has no bar of B from 2010-01-04 to 2010-01-04")}


@pytest.mark.parametrize("symbol", ["P", "Q", "R"])
def test_a_symbol_known_from_anything_but_bars_has_no_data(symbol: str) -> None:
    asked = Request(symbol, MAY, MAY, about=True)
    assert [kind for kind, _ in failures(asked).values()] == [NoDataError]
    data = answer(DATA, [asked], "shelf").data
    assert data.actions.height + data.instruments.height + data.fundamentals.height == 1


def test_a_symbol_that_the_archive_has_never_heard_of_is_unknown() -> None:
    assert failures(Request("X", JANUARY, AUGUST)) == {"X": (UnknownSymbolError, "source shelf has nothing about X")}


def test_no_requests_at_all_ask_for_nothing() -> None:
    assert bars() == []
    assert failures() == {}
