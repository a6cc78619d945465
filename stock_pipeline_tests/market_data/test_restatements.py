from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import CLOSE, KNOWN_FROM, KNOWN_TO, OPEN, SESSION, SOURCE, SYMBOL, VALUE, VOLUME
from stock_pipeline.core.reports import NET_INCOME, QUARTER
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.market_data.restatements import Vintage, with_history
from stock_pipeline.market_data.sources.source import FUNDAMENTALS
from stock_pipeline.market_data.tables import ACTIONS_KNOWN, CORPORATE_ACTIONS, DAILY_BARS, DIVIDEND, FIRST
from stock_pipeline.market_data.tables import FUNDAMENTALS as FUNDAMENTALS_TABLE
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline_tests.factories.market_rows import DAYS, actions, bar, bars, known, series, stored
from stock_pipeline_tests.factories.rows import put
from stock_pipeline_tests.harness.laws import law

Rows = list[tuple[Any, ...]]
NIGHT = DAYS[5]
SEEN_AS = (SYMBOL, SESSION, CLOSE, KNOWN_FROM, KNOWN_TO)


def told(*rows: dict[str, Any], source: str = "files") -> pl.DataFrame:
    """Bars as ingestion hands them on."""
    return known(stored(bars(*rows))).with_columns(pl.lit(source).alias(SOURCE))


def comes(stores: Stores, night: date, incoming: pl.DataFrame, schema: TableSchema = DAILY_BARS, **others: Any) -> pl.DataFrame:
    """What is said anew, once it is written."""
    news = with_history(stores, schema, incoming, Vintage(night, **{"live": False} | others))
    assert schema.validate(news).equals(news)
    if news.height:
        put(stores, schema, news, night)
    return news


def rows(frame: pl.DataFrame, *columns: str) -> Rows:
    return frame.select(columns or SEEN_AS).rows()


def first_sessions(**held: date) -> dict[str, Any]:
    """What the store has held from when, up to the fourth session."""
    return {"held_from": pl.DataFrame({SYMBOL: held.keys(), FIRST: held.values()}), "reached": DAYS[3]}


@pytest.mark.parametrize("live", [False, True])
def test_the_first_that_is_told_is_known_from_its_own_nights(stores: Stores, live: bool) -> None:
    found = comes(stores, NIGHT, told(*series("A", [10.0, 11.0])), live=live)
    assert rows(found) == [("A", DAYS[0], 10.0, DAYS[0], None), ("A", DAYS[1], 11.0, DAYS[1], None)]


@pytest.mark.parametrize("live", [False, True])
def test_where_nothing_new_is_said_nothing_comes_back(stores: Stores, live: bool) -> None:
    frame = told(*series("A", [10.0, 11.0], [5.0, 11.0]), *series("B", [1.0, 2.0]))
    comes(stores, DAYS[1], frame)
    assert comes(stores, NIGHT, frame.reverse(), live=live).is_empty()
    assert comes(stores, NIGHT, told(), live=live).is_empty()


def test_a_restatement_closes_one_version_on_its_night_and_opens_the_next(stores: Stores) -> None:
    comes(stores, DAYS[1], told(*series("A", [10.0, 11.0]), *series("B", [1.0, 2.0])))
    found = comes(stores, NIGHT, told(*series("A", [10.0, 11.5]), *series("B", [1.0, 2.0])))
    assert rows(found) == [("A", DAYS[1], 11.0, DAYS[1], NIGHT), ("A", DAYS[1], 11.5, NIGHT, None)]
    back = comes(stores, DAYS[6], told(*series("A", [10.0, 11.0])))
    assert rows(back) == [*rows(found)[:1], ("A", DAYS[1], 11.5, NIGHT, DAYS[6]), ("A", DAYS[1], 11.0, DAYS[6], None)]


def test_a_session_restated_and_one_restated_before_keep_all_of_their_versions(stores: Stores) -> None:
    for night, close in zip(DAYS[:4], [10.0, 11.0, 11.0, 12.0], strict=True):
        comes(stores, night, told(bar("A", DAYS[0], close)))
    expected = [("A", DAYS[0], 10.0, DAYS[0], DAYS[1]), ("A", DAYS[0], 11.0, DAYS[1], DAYS[3]), ("A", DAYS[0], 12.0, DAYS[3], None)]
    assert rows(stores.read(DAILY_BARS)) == expected


@pytest.mark.parametrize("change", [{OPEN: 10.5}, {VOLUME: 101.0}, {"adj_close": 5.0}])
@pytest.mark.parametrize("live", [False, True])
def test_a_change_of_any_value_is_a_restatement(stores: Stores, change: dict[str, Any], live: bool) -> None:
    comes(stores, DAYS[0], told(bar()))
    found = comes(stores, NIGHT, told(bar(**change)), live=live)
    assert rows(found, KNOWN_FROM, KNOWN_TO) == [(DAYS[0], NIGHT), (NIGHT, None)]


def test_another_file_or_a_better_word_on_actions_is_no_restatement(stores: Stores) -> None:
    comes(stores, DAYS[0], told(bar(), source="sample"))
    assert comes(stores, NIGHT, told(bar()).with_columns(pl.lit(value=True).alias(ACTIONS_KNOWN))).is_empty()


@pytest.mark.parametrize(("share", "is_new"), [(0.9, False), (-0.9, False), (1.1, True), (-1.1, True)])
def test_a_live_source_may_differ_in_the_last_digits(stores: Stores, share: float, is_new: bool) -> None:
    frame = told(*series("A", [10.0], [5.0]))
    close = 10.0 * (1 + share * 1e-5)
    again = frame.with_columns(pl.lit(close).alias(CLOSE))
    comes(stores, DAYS[0], frame)
    assert comes(stores, NIGHT, again, live=True).height == (2 if is_new else 0)
    assert comes(stores, NIGHT, again).height == (0 if is_new else 2)  # it is stored already, or counts where nothing is live


def test_what_another_source_has_told_is_left_as_that_one_told_it(stores: Stores) -> None:
    comes(stores, DAYS[1], told(*series("A", [10.0, 11.0]), source="ibkr"))
    found = comes(stores, NIGHT, told(*series("A", [10.5, 11.5, 12.0]), source="yahoo"), live=True)
    assert rows(found, SESSION, CLOSE, SOURCE) == [(DAYS[2], 12.0, "yahoo")]
    mine = comes(stores, NIGHT, told(*series("A", [10.5, 11.0, 12.5]), source="ibkr"), live=True)
    assert rows(mine, SESSION, CLOSE, SOURCE) == [(DAYS[0], 10.0, "ibkr"), (DAYS[0], 10.5, "ibkr")]


def test_an_archive_restates_what_another_has_told(stores: Stores) -> None:
    comes(stores, DAYS[0], told(bar(close=10.0), source="sample"))
    found = comes(stores, NIGHT, told(bar(close=11.0)))
    assert rows(found, CLOSE, SOURCE, KNOWN_FROM) == [(10.0, "sample", DAYS[0]), (11.0, "files", NIGHT)]


def test_who_told_the_version_in_force_counts_and_not_who_told_an_earlier_one(stores: Stores) -> None:
    comes(stores, DAYS[0], told(bar(close=10.0), bar("B", close=10.0), source="yahoo"))
    comes(stores, DAYS[1], told(bar(close=11.0), source="ibkr"))
    incoming = told(bar(close=12.0), bar("B", close=12.0), bar("C"), source="ibkr")
    found = with_history(stores, DAILY_BARS, incoming, Vintage(NIGHT, live=True))
    assert rows(found, SYMBOL, CLOSE, SOURCE, KNOWN_FROM, KNOWN_TO) == [
        ("A", 10.0, "yahoo", DAYS[0], DAYS[1]),
        ("A", 11.0, "ibkr", DAYS[1], NIGHT),
        ("A", 12.0, "ibkr", NIGHT, None),
        ("C", 10.0, "ibkr", DAYS[0], None),
    ]
    other = incoming.with_columns(pl.lit("yahoo").alias(SOURCE))
    again = with_history(stores, DAILY_BARS, other, Vintage(NIGHT, live=True))
    assert rows(again, SYMBOL, CLOSE, KNOWN_FROM, KNOWN_TO)[1:] == [("B", 12.0, NIGHT, None), ("C", 10.0, DAYS[0], None)]


def test_a_bar_adjusted_for_splits_says_nothing_against_one_as_traded_but_the_reverse_does(stores: Stores) -> None:
    comes(stores, DAYS[1], told(bar(close=100.0, basis="raw"), bar("B", close=50.0, basis="split")))
    incoming = told(bar(close=50.0, basis="split"), bar("B", close=50.0, basis="raw"))
    found = with_history(stores, DAILY_BARS, incoming, Vintage(NIGHT, live=True))
    assert rows(found, SYMBOL, "basis", KNOWN_TO) == [("B", "split", NIGHT), ("B", "raw", None)]


def test_what_was_captured_is_woven_in_at_its_own_nights(stores: Stores) -> None:
    def captured(close: float, night: date) -> dict[str, Any]:
        return bar(close=close, captured=night)

    comes(stores, NIGHT, told(captured(10.0, DAYS[0]), captured(13.0, DAYS[4])))
    found = comes(stores, DAYS[7], told(captured(11.0, DAYS[1]), captured(11.0, DAYS[2]), captured(13.0, DAYS[4])))
    expected = [(10.0, DAYS[0], DAYS[1]), (11.0, DAYS[1], DAYS[4]), (13.0, DAYS[4], None)]
    assert rows(found, CLOSE, KNOWN_FROM, KNOWN_TO) == expected
    again = comes(stores, DAYS[8], told(captured(11.0, DAYS[1]), bar(close=13.0), bar("B", close=1.0)))
    assert rows(again, SYMBOL, CLOSE, KNOWN_FROM, KNOWN_TO) == [*(("A", *version) for version in expected), ("B", 1.0, DAYS[0], None)]
    assert rows(stores.read(DAILY_BARS), SYMBOL, CLOSE, KNOWN_FROM, KNOWN_TO) == rows(again, SYMBOL, CLOSE, KNOWN_FROM, KNOWN_TO)


def test_a_bar_of_a_held_symbol_that_comes_late_is_known_from_the_night_it_came(stores: Stores) -> None:
    comes(stores, DAYS[3], told(*series("A", [None, 11.0, None, 13.0])))
    found = comes(stores, NIGHT, told(*series("A", [10.0, 11.0, 12.0, 13.0, 14.0, 15.0])), **first_sessions(A=DAYS[1]))
    assert rows(found, SESSION, KNOWN_FROM, KNOWN_TO) == [
        (DAYS[0], DAYS[0], None),  # history from before the first that was held
        (DAYS[2], NIGHT, None),
        (DAYS[4], DAYS[4], None),  # beyond what the store has reached: the nights that were missed
        (DAYS[5], DAYS[5], None),
    ]


def test_the_last_session_that_was_reached_is_late_as_well(stores: Stores) -> None:
    comes(stores, DAYS[3], told(*series("A", [10.0]), *series("B", [1.0, 2.0, 3.0, 4.0])))
    found = comes(stores, NIGHT, told(*series("A", [None, None, None, 13.0])), **first_sessions(A=DAYS[0], B=DAYS[0]))
    assert rows(found) == [("A", DAYS[3], 13.0, NIGHT, None)]


def test_the_first_history_of_a_symbol_is_known_from_its_sessions(stores: Stores) -> None:
    comes(stores, DAYS[3], told(*series("A", [10.0])))
    found = comes(stores, NIGHT, told(*series("B", [1.0, 2.0, 3.0])), **first_sessions(A=DAYS[0]))
    assert rows(found, SYMBOL, SESSION, KNOWN_FROM) == [("B", day, day) for day in DAYS[:3]]


def test_a_capture_that_is_fed_late_is_known_from_its_own_night_all_the_same(stores: Stores) -> None:
    comes(stores, DAYS[3], told(*series("A", [10.0])))
    found = comes(stores, NIGHT, told(bar("A", DAYS[1], 11.0, captured=DAYS[2])), **first_sessions(A=DAYS[0]))
    assert rows(found) == [("A", DAYS[1], 11.0, DAYS[2], None)]


def test_actions_have_versions_like_bars(stores: Stores) -> None:
    def of(value: float) -> pl.DataFrame:
        return known(actions(("A", DAYS[1], DIVIDEND, value))).with_columns(pl.lit("yahoo").alias(SOURCE))

    comes(stores, DAYS[1], of(0.5), CORPORATE_ACTIONS, live=True)
    assert comes(stores, DAYS[2], of(0.5), CORPORATE_ACTIONS, live=True).is_empty()
    found = comes(stores, NIGHT, of(0.6), CORPORATE_ACTIONS, live=True)
    assert rows(found, VALUE, KNOWN_FROM, KNOWN_TO) == [(0.5, DAYS[1], NIGHT), (0.6, NIGHT, None)]


def test_a_report_told_again_is_compared_with_the_one_held_whenever_that_was_known(stores: Stores) -> None:
    def of(value: float, night: date) -> pl.DataFrame:
        row = ("A", date(2011, 12, 31), QUARTER, NET_INCOME, value, "USD", None, "files", night)
        return pl.DataFrame([row], schema=FUNDAMENTALS | {SOURCE: pl.String, KNOWN_FROM: pl.Date}, orient="row")

    comes(stores, DAYS[1], of(1e6, DAYS[1]), FUNDAMENTALS_TABLE)
    assert comes(stores, DAYS[2], of(1e6, DAYS[2]), FUNDAMENTALS_TABLE).is_empty()
    found = comes(stores, NIGHT, of(2e6, NIGHT), FUNDAMENTALS_TABLE)
    assert rows(found, VALUE, KNOWN_FROM, KNOWN_TO) == [(1e6, DAYS[1], NIGHT), (2e6, NIGHT, None)]


@law(8)
@given(st.lists(st.dictionaries(st.sampled_from(DAYS[:3]), st.sampled_from([10.0, 11.0, 12.0])), min_size=1, max_size=5))
def test_every_night_knows_what_had_been_told_by_then(stores: Stores, nights: list[Mapping[date, float]]) -> None:
    symbol = f"S{stores.read(DAILY_BARS)[SYMBOL].n_unique()}"  # the store is that of the example before
    truth = {DAYS[0]: 1.0}
    comes(stores, DAYS[3], told(bar(symbol, DAYS[0], 1.0)))
    seen = []
    for night, closes in zip(DAYS[4:], nights, strict=False):
        comes(
            stores, night, told(*(bar(symbol, session, close) for session, close in closes.items())), **first_sessions(**{symbol: DAYS[0]})
        )
        truth |= closes
        seen.append((night, dict(truth)))
    for night, known_then in seen:
        held_then = stores.read(DAILY_BARS, Selection(columns=(SESSION, CLOSE), known_on=night, equals={SYMBOL: [symbol]}))
        assert dict(held_then.iter_rows()) == known_then


def test_as_traded_takes_the_place_of_adjusted_whoever_tells_it(stores: Stores) -> None:
    comes(stores, DAYS[1], told(bar(close=50.0, basis="split"), bar("B", close=50.0), source="ibkr"))
    other = told(bar(close=100.0), bar("B", close=50.5), source="yahoo")
    found = with_history(stores, DAILY_BARS, other, Vintage(NIGHT, live=True))
    assert rows(found, SYMBOL, CLOSE, SOURCE, KNOWN_TO) == [("A", 50.0, "ibkr", NIGHT), ("A", 100.0, "yahoo", None)]
