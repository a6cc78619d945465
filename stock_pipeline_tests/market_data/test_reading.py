"""Reports, closes and actions as of a night, whatever symbols they were told under."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, KNOWN_FROM, KNOWN_TO, PRICES, SESSION, SOURCE, SYMBOL, VALUE, VOLUME
from stock_pipeline.core.reports import EQUITY, QUARTER, REVENUE
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.market_data.reading import (
    actions_by_instrument,
    actions_known,
    closes_of_their_nights,
    raw_bars,
    reports_by_instrument,
)
from stock_pipeline.market_data.tables import (
    ACTIONS_KNOWN,
    BASIS,
    CORPORATE_ACTIONS,
    CURRENCY,
    DAILY_BARS,
    FIRST,
    FUNDAMENTALS,
    INSTRUMENT,
    ITEM,
    KIND,
    LAST,
    PERIOD,
    PERIOD_END,
    RAW,
    SPLIT,
    SYMBOL_HISTORY,
)
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.rows import put
from stock_pipeline_tests.harness.ratios_of_a_night import fundamentals_known

RENAMED = date(2022, 6, 9)
BEFORE, AFTER = date(2022, 6, 8), date(2022, 6, 10)
# FB began to trade in 2020 and became META, which had been another company's symbol; GM went to another company years later.
TENURES: list[tuple[str, date, date | None, str]] = [
    ("META", date(2021, 6, 30), date(2022, 1, 28), "META"),
    ("FB", date(2020, 1, 2), BEFORE, "FB"),
    ("META", RENAMED, None, "FB"),
    ("GM", date(2000, 1, 3), date(2009, 6, 1), "GM"),
    ("GM", date(2010, 11, 18), None, "GM@2010-11-18"),
    ("T", date(2000, 1, 3), None, "T"),
    ("AOL", date(2001, 1, 12), date(2003, 10, 16), "AOL"),
    ("TWX", date(2003, 10, 17), date(2018, 6, 14), "AOL"),
]


@pytest.fixture
def world(stores: Stores) -> Stores:
    put(stores, SYMBOL_HISTORY, [dict(zip((SYMBOL, FIRST, LAST, INSTRUMENT), row, strict=True)) for row in TENURES], AFTER)
    return stores


def report(
    symbol: str, end: date, value: float, known_from: date, known_to: date | None = None, currency: str | None = None, item: str = EQUITY
) -> dict[str, Any]:
    figure = {SYMBOL: symbol, PERIOD_END: end, PERIOD: QUARTER, ITEM: item, VALUE: value, CURRENCY: currency}
    return figure | {SOURCE: "tests", KNOWN_FROM: known_from, KNOWN_TO: known_to}


def write(stores: Stores, schema: TableSchema, *rows: dict[str, Any]) -> None:
    put(stores, schema, rows, AFTER)


def values(stores: Stores, night: date) -> list[tuple[str, float]]:
    return fundamentals_known(stores, night).select(SYMBOL, VALUE).rows()


def test_reports_are_told_with_their_currency_and_the_night_that_they_are_known_from(world: Stores) -> None:
    write(world, FUNDAMENTALS, report("T", date(2021, 3, 31), 5.0, date(2021, 5, 3), currency="EUR"))
    found = fundamentals_known(world, AFTER)
    assert found.columns == [SYMBOL, PERIOD_END, PERIOD, ITEM, VALUE, CURRENCY, KNOWN_FROM]
    assert found.rows() == [("T", date(2021, 3, 31), QUARTER, EQUITY, 5.0, "EUR", date(2021, 5, 3))]


def test_reports_are_those_of_the_night(world: Stores) -> None:
    first, second = date(2021, 5, 3), date(2021, 6, 1)
    restated = [report("T", date(2021, 3, 31), 5.0, first, second), report("T", date(2021, 3, 31), 6.0, second)]
    write(world, FUNDAMENTALS, *restated)
    assert values(world, date(2021, 4, 30)) == []
    assert values(world, first) == values(world, date(2021, 5, 31)) == [("T", 5.0)]
    assert values(world, second) == [("T", 6.0)]


def test_a_report_older_than_the_first_bar_is_of_the_next_to_bear_the_symbol(world: Stores) -> None:
    write(
        world, FUNDAMENTALS, report("FB", date(2019, 9, 30), 5.0, date(2019, 11, 1)), report("T", date(1999, 9, 30), 7.0, date(1999, 11, 1))
    )
    assert values(world, date(2020, 1, 2)) == [("FB", 5.0), ("T", 7.0)]
    assert values(world, date(2019, 12, 31)) == [("T", 7.0)]  # FB does not trade yet
    assert values(world, RENAMED) == [("META", 5.0), ("T", 7.0)]


def test_a_past_told_under_the_new_symbol_is_the_renamed_company_s(world: Stores) -> None:
    write(world, FUNDAMENTALS, report("META", date(2021, 12, 31), 5.0, date(2022, 2, 3)))
    assert values(world, BEFORE) == [("FB", 5.0)]
    assert values(world, RENAMED) == [("META", 5.0)]


def test_a_report_told_under_the_old_symbol_after_the_rename_is_the_company_s(world: Stores) -> None:
    write(world, FUNDAMENTALS, report("FB", date(2022, 3, 31), 5.0, AFTER))
    assert values(world, AFTER) == [("META", 5.0)]


def test_a_report_told_after_the_last_bar_is_of_the_last_to_bear_the_symbol(world: Stores) -> None:
    write(world, FUNDAMENTALS, report("TWX", date(2018, 3, 31), 5.0, date(2018, 7, 26)))
    assert values(world, AFTER) == [("TWX", 5.0)]
    assert reports_by_instrument(world, AFTER)[INSTRUMENT].to_list() == ["AOL"]


def test_a_report_is_of_who_bore_the_symbol_when_it_became_known_and_not_when_its_period_ended(world: Stores) -> None:
    write(
        world,
        FUNDAMENTALS,
        report("GM", date(2009, 3, 31), 1.0, date(2009, 5, 8)),
        report("GM", date(2010, 9, 30), 2.0, date(2010, 11, 10)),  # between the two: the next one's
        report("META", date(2021, 9, 30), 3.0, date(2021, 11, 1)),  # the other company's, which had the symbol then
    )
    assert values(world, date(2009, 6, 1)) == [("GM", 1.0)]
    assert values(world, date(2022, 1, 3)) == [("GM", 2.0), ("GM@2000-01-03", 1.0), ("META", 3.0)]
    assert values(world, RENAMED) == [("GM", 2.0), ("GM@2000-01-03", 1.0), ("META@2021-06-30", 3.0)]


def test_a_figure_told_under_both_symbols_counts_as_it_was_known_last(world: Stores) -> None:
    end = date(2022, 3, 31)
    write(
        world,
        FUNDAMENTALS,
        report("FB", end, 1.0, date(2022, 4, 28)),
        report("META", end, 2.0, RENAMED),
        report("FB", end, 3.0, AFTER, item=REVENUE),
    )
    assert values(world, BEFORE) == [("FB", 1.0)]
    assert values(world, RENAMED) == [("META", 2.0)]
    assert values(world, AFTER) == [("META", 2.0), ("META", 3.0)]
    versions = reports_by_instrument(world, AFTER).filter(pl.col(ITEM) == EQUITY)
    assert versions.select(INSTRUMENT, VALUE, KNOWN_FROM, KNOWN_TO).rows() == [
        ("FB", 1.0, date(2022, 4, 28), RENAMED),
        ("FB", 2.0, RENAMED, None),
    ]


@pytest.mark.parametrize(("night", "expected"), [(BEFORE, ("FB", 1.0)), (RENAMED, ("META", 2.0))])
def test_told_on_one_night_under_both_symbols_the_one_borne_then_counts(night: date, expected: tuple[str, float], world: Stores) -> None:
    end = date(2022, 3, 31)
    write(world, FUNDAMENTALS, report("FB", end, 1.0, night), report("META", end, 2.0, night))
    assert values(world, night) == [expected]


def test_a_symbol_that_never_traded_keeps_its_name(world: Stores) -> None:
    write(world, FUNDAMENTALS, report("ZZZZ", date(2022, 3, 31), 1.0, BEFORE))
    assert values(world, AFTER) == [("ZZZZ", 1.0)]


def a_bar(symbol: str, session: date, close: float, known_from: date | None = None, known_to: date | None = None) -> dict[str, Any]:
    prices = dict.fromkeys((*PRICES, ADJ_CLOSE), close) | {VOLUME: 1.0, BASIS: RAW, ACTIONS_KNOWN: True}
    return {SYMBOL: symbol, SESSION: session, SOURCE: "tests", KNOWN_FROM: known_from or session, KNOWN_TO: known_to} | prices


def test_closes_are_those_of_their_own_nights_under_the_symbols_of_those_nights(world: Stores) -> None:
    write(
        world,
        DAILY_BARS,
        *(a_bar("FB", day, 1.0) for day in (date(2022, 6, 7), BEFORE)),
        *(a_bar("META", day, 2.0) for day in (date(2022, 6, 7), RENAMED, AFTER)),  # the first is told again under the new symbol
        a_bar("T", BEFORE, 3.0, known_to=RENAMED),
        a_bar("T", BEFORE, 4.0, known_from=RENAMED),
        a_bar("T", RENAMED, 5.0, known_from=AFTER),
        a_bar("ZZZZ", AFTER, 6.0),
        a_bar("GM", date(2009, 6, 1), 7.0),
        a_bar("GM", AFTER, 8.0),
    )
    found = closes_of_their_nights(world, BEFORE, AFTER)
    assert found.columns == [SYMBOL, INSTRUMENT, SESSION, CLOSE, BASIS]
    assert sorted(found.drop(BASIS).rows()) == [
        ("FB", "FB", BEFORE, 1.0),
        ("GM", "GM@2010-11-18", AFTER, 8.0),
        ("META", "FB", RENAMED, 2.0),
        ("META", "FB", AFTER, 2.0),
        ("T", "T", BEFORE, 3.0),
        ("ZZZZ", "ZZZZ", AFTER, 6.0),
    ]
    for night in (BEFORE, RENAMED, AFTER):
        of_night = raw_bars(world, night, night).select(SYMBOL, CLOSE)
        assert of_night.sort(SYMBOL).equals(found.filter(pl.col(SESSION) == night).select(SYMBOL, CLOSE).sort(SYMBOL))


def test_actions_go_by_the_instrument_with_every_version(world: Stores) -> None:
    def action(symbol: str, session: date, value: float, known_from: date, known_to: date | None = None) -> dict[str, Any]:
        return {SYMBOL: symbol, SESSION: session, KIND: SPLIT, VALUE: value, SOURCE: "tests", KNOWN_FROM: known_from, KNOWN_TO: known_to}

    write(
        world,
        CORPORATE_ACTIONS,
        action("FB", BEFORE, 2.0, BEFORE, RENAMED),
        action("FB", BEFORE, 3.0, RENAMED),
        action("META", BEFORE, 3.0, RENAMED),  # told again under the new symbol
        action("META", AFTER, 4.0, RENAMED),
        action("T", RENAMED, 5.0, AFTER),
    )
    assert sorted(actions_by_instrument(world, RENAMED).drop(KIND).rows()) == [
        ("FB", BEFORE, 2.0, BEFORE, RENAMED),
        ("FB", BEFORE, 3.0, RENAMED, None),
    ]
    assert sorted(actions_by_instrument(world, AFTER).select(INSTRUMENT, VALUE).rows()) == [
        ("FB", 2.0),
        ("FB", 3.0),
        ("FB", 4.0),
        ("T", 5.0),
    ]
    assert sorted(actions_known(world, AFTER)[VALUE]) == [3.0, 4.0, 5.0]
