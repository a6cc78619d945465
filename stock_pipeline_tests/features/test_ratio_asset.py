"""The stage of the ratios: what it makes of a store, when it makes it again, and how often it reads."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, KNOWN_FROM, KNOWN_TO, PRICES, SESSION, SOURCE, SYMBOL, VALUE, VOLUME
from stock_pipeline.core.reports import EQUITY, NET_INCOME, SHARES, YEAR
from stock_pipeline.features.fundamental_ratios import MARKET_VALUE, PB, PE, RATIOS, ROE
from stock_pipeline.features.tables import FUNDAMENTAL_RATIOS
from stock_pipeline.market_data.reading import actions_known, raw_bars
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
    SPLIT_ADJUSTED,
    SYMBOL_HISTORY,
)
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline_tests.factories.rows import empty_stores, put
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.ratios_of_a_night import fundamental_ratios, fundamentals_known, restate_shares
from stock_pipeline_tests.harness.stages import make, rows_of

DAYS = [date(2022, 6, day) for day in (6, 7, 8, 9, 10, 13)]
REPORTED = DAYS[1]  # nobody reported before
RENAMED = DAYS[3]


def a_bar(symbol: str, session: date, close: float = 10.0, basis: str = RAW) -> dict[str, Any]:
    prices = dict.fromkeys((*PRICES, ADJ_CLOSE), close) | {VOLUME: 1.0, BASIS: basis, ACTIONS_KNOWN: True}
    return {SYMBOL: symbol, SESSION: session, SOURCE: "tests", KNOWN_FROM: session, KNOWN_TO: None} | prices


def reports(symbol: str, known_from: date = REPORTED, currency: str = "USD", **items: float) -> list[dict[str, Any]]:
    figure = {SYMBOL: symbol, PERIOD_END: date(2021, 12, 31), PERIOD: YEAR, CURRENCY: currency, SOURCE: "tests"}
    told = {SHARES: 100.0, EQUITY: 500.0, NET_INCOME: 50.0} | items
    return [figure | {ITEM: item, VALUE: value, KNOWN_FROM: known_from, KNOWN_TO: None} for item, value in told.items()]


def a_split(symbol: str, session: date, known_from: date | None = None) -> dict[str, Any]:
    return {SYMBOL: symbol, SESSION: session, KIND: SPLIT, VALUE: 2.0, SOURCE: "tests", KNOWN_FROM: known_from or session, KNOWN_TO: None}


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """T reports in dollars, E in euros; FB becomes META; S is told adjusted for splits; N reports nothing."""
    stores = empty_stores(tmp_path)
    bars = [a_bar(symbol, day) for symbol in "TEN" for day in DAYS]
    bars += [a_bar("FB" if day < RENAMED else "META", day) for day in DAYS]
    bars += [a_bar("S", day, basis=SPLIT_ADJUSTED) for day in DAYS]
    tenures: list[tuple[str, date, date | None, str]] = [(symbol, DAYS[0], None, symbol) for symbol in "TENS"]
    tenures += [("FB", DAYS[0], DAYS[2], "FB"), ("META", RENAMED, None, "FB")]
    told = [*reports("T"), *reports("E", currency="EUR"), *reports("S"), *reports("META"), *reports("FB", DAYS[4], shares=300.0)]
    put(stores, DAILY_BARS, bars, DAYS[-1])
    put(stores, SYMBOL_HISTORY, [dict(zip((SYMBOL, FIRST, LAST, INSTRUMENT), row, strict=True)) for row in tenures], DAYS[-1])
    put(stores, FUNDAMENTALS, told, DAYS[-1])
    return stores


def execute(stores: Stores, as_of: date = DAYS[-1], full_refresh: bool = False, **settings: Any) -> StageResult:
    return make(FUNDAMENTAL_RATIOS, stores, plain_settings(stores.home, **settings), as_of, full_refresh=full_refresh)


def run(stores: Stores, as_of: date = DAYS[-1], **how: Any) -> pl.DataFrame:
    """What the stage makes as of a session."""
    return rows_of(execute(stores, as_of, **how), FUNDAMENTAL_RATIOS)


def of(made: pl.DataFrame, symbol: str, ratio: str = MARKET_VALUE) -> list[float | None]:
    """The ratio of a symbol, session by session."""
    found: list[float | None] = made.filter(pl.col(SYMBOL) == symbol).sort(SESSION)[ratio].to_list()
    return found


def test_each_night_has_the_ratios_of_what_was_known_on_it(stores: Stores) -> None:
    put(stores, CORPORATE_ACTIONS, [a_split("T", DAYS[2]), a_split("FB", DAYS[2]), a_split("E", DAYS[3], DAYS[5])], DAYS[-1])
    expected = []
    for day in DAYS[1:]:
        known = restate_shares(fundamentals_known(stores, day), actions_known(stores, day), day)
        closes = raw_bars(stores, day, day).select(SYMBOL, CLOSE)
        expected.append(fundamental_ratios(known, closes, day, "USD").select(SYMBOL, pl.lit(day).alias(SESSION), *RATIOS))
    made = run(stores)
    assert_frame_equal(made, pl.concat(expected).sort(SESSION, SYMBOL), check_exact=True)
    assert made.filter(pl.col(SESSION) == DAYS[2])[SYMBOL].to_list() == ["E", "FB", "N", "S", "T"]
    assert of(made, "FB") == [1000.0, 2000.0]
    assert of(made, "META") == [2000.0, 3000.0, 3000.0]  # reported again after the split, under the old symbol
    assert of(made, "T") == [1000.0, *[2000.0] * 4]
    assert of(made, "E") == [*[1000.0] * 4, 2000.0]
    assert of(made, "N") == [None] * 5


@pytest.mark.parametrize(("currency", "dollars", "euros"), [("USD", 20.0, None), ("EUR", None, 20.0)])
def test_what_is_reported_in_another_currency_than_prices_has_no_ratio_to_them(
    currency: str, dollars: float | None, euros: float | None, stores: Stores
) -> None:
    made = run(stores, source={"currency": currency})
    assert (of(made, "T", PE), of(made, "E", PE)) == ([dollars] * 5, [euros] * 5)
    assert of(made, "E", PB) == [None if euros is None else 2.0] * 5
    assert of(made, "E") == of(made, "T") == [1000.0] * 5
    assert of(made, "E", ROE) == of(made, "T", ROE) == [0.1] * 5


def test_a_price_adjusted_for_a_split_to_come_makes_no_market_value(stores: Stores) -> None:
    assert of(run(stores), "S") == [1000.0] * 5
    put(stores, CORPORATE_ACTIONS, [a_split("S", DAYS[3]), a_split("T", DAYS[3])], DAYS[-1])
    made = run(stores, full_refresh=True)
    assert of(made, "S") == [None, None, 2000.0, 2000.0, 2000.0]
    assert of(made, "S", PE) == [None, None, 40.0, 40.0, 40.0]
    assert of(made, "T") == [1000.0, 1000.0, 2000.0, 2000.0, 2000.0]
    as_of_before = run(stores, DAYS[2], full_refresh=True)
    assert of(as_of_before, "S") == [1000.0, 1000.0]  # of the split nobody knew


def test_a_split_that_was_taken_back_leaves_the_price(stores: Stores) -> None:
    told = a_split("S", DAYS[3]) | {KNOWN_TO: DAYS[4]}
    put(stores, CORPORATE_ACTIONS, [told, a_split("S", DAYS[3], DAYS[4]) | {VALUE: 1.0}], DAYS[-1])
    assert of(run(stores), "S") == [1000.0, 1000.0, 2000.0, 1000.0, 1000.0]


def test_the_past_of_a_renamed_company_is_found_by_its_instrument(stores: Stores) -> None:
    put(stores, CORPORATE_ACTIONS, [a_split("S", DAYS[3])], DAYS[-1])
    put(stores, DAILY_BARS, [a_bar("FB", DAYS[1], 7.0, SPLIT_ADJUSTED)], DAYS[-1])
    assert of(run(stores), "FB") == [700.0, 1000.0]
    put(stores, CORPORATE_ACTIONS, [a_split("META", DAYS[5])], DAYS[-1])
    made = run(stores, full_refresh=True)
    assert of(made, "FB") == [None, 1000.0]
    assert of(made, "META") == [1000.0, 3000.0, 6000.0]


def test_a_split_told_late_makes_the_ratios_again_from_its_ex_session_on(stores: Stores) -> None:
    assert of(run(stores), "T") == [1000.0] * 5
    assert execute(stores).output is None
    put(stores, CORPORATE_ACTIONS, [a_split("T", DAYS[3])], DAYS[-1])
    again = run(stores)
    assert again[SESSION].unique().sort().to_list() == DAYS[3:]
    assert of(stores.read(FUNDAMENTAL_RATIOS), "T") == [1000.0, 1000.0, 2000.0, 2000.0, 2000.0]
    assert execute(stores).output is None


def test_night_by_night_comes_to_the_same_as_at_once(stores: Stores) -> None:
    put(stores, CORPORATE_ACTIONS, [a_split("T", DAYS[2])], DAYS[-1])
    made = [run(stores, day) for day in DAYS]
    assert made[0].is_empty()
    assert all(set(frame[SESSION]) == {day} for frame, day in zip(made[1:], DAYS[1:], strict=True))
    assert_frame_equal(pl.concat(made).sort(SESSION, SYMBOL), run(stores, full_refresh=True), check_exact=True)


def test_without_reports_there_are_no_rows_and_no_price_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = empty_stores(tmp_path / "silent")
    put(stores, DAILY_BARS, [a_bar("T", day) for day in DAYS], DAYS[-1])
    columns_read = watch(monkeypatch)
    outcome = execute(stores)
    assert outcome.reached == DAYS[-1]
    assert rows_of(outcome, FUNDAMENTAL_RATIOS).is_empty()
    assert CLOSE not in columns_read


def test_the_store_is_read_as_often_for_one_session_as_for_many(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    columns_read = watch(monkeypatch)
    run(stores, DAYS[1])
    for_one = columns_read.copy()
    columns_read.clear()
    run(stores, full_refresh=True)
    assert columns_read == for_one
    assert CLOSE in for_one


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The columns that are read from now on, one after the other, those of a whole table by its name."""
    read = Stores.read
    noted: list[str] = []

    def noting(stores: Stores, schema: Any, selection: Selection | None = None) -> pl.DataFrame:
        noted.extend([schema.name] if selection is None or selection.columns is None else selection.columns)
        return read(stores, schema, selection)

    monkeypatch.setattr(Stores, "read", noting)
    return noted
