import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import CLOSE, KNOWN_FROM, KNOWN_TO, SESSION, SOURCE, SYMBOL, VALUE, VOLUME
from stock_pipeline.market_data import flags as rules
from stock_pipeline.market_data.flag_updates import Revisions, flags_after
from stock_pipeline.market_data.flags import CONTEXT, FlagRules, flags
from stock_pipeline.market_data.tables import (
    BAR_FLAGS,
    BASIS,
    CAPTURED,
    CLEARED_ON,
    CONFIRMED_BY,
    CORPORATE_ACTIONS,
    DAILY_BARS,
    FLAG,
    FLAGGED_ON,
)
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.factories.market_rows import actions, bar, bars, stored
from stock_pipeline_tests.factories.rows import put
from stock_pipeline_tests.harness.laws import law

CALENDAR = trading_calendar("XNYS")
SESSIONS = CALENDAR.sessions_between(date(2012, 1, 3), date(2012, 8, 1))
RULES = FlagRules(jump_ratio=1.4, source_tolerance=0.01)
NO_ACTIONS = CORPORATE_ACTIONS.empty()
Closes = dict[tuple[str, int], float]


def told(closes: Closes, volume: float = 100.0) -> pl.DataFrame:
    """Bars as they are about to be stored; closes by symbol and place among the sessions."""
    rows = bars(*(bar(symbol, SESSIONS[place], close, volume=volume) for (symbol, place), close in closes.items()))
    dated = stored(rows).with_columns(
        pl.lit("files").alias(SOURCE), pl.col(SESSION).alias(KNOWN_FROM), pl.lit(None, pl.Date).alias(KNOWN_TO)
    )
    return dated.select(DAILY_BARS.column_names)


def others(closes: Closes) -> pl.DataFrame:
    return told(closes).select(SYMBOL, SESSION, CLOSE, BASIS, SOURCE)


def night(
    stores: Stores, place: int, news: pl.DataFrame, acts: pl.DataFrame = NO_ACTIONS, compared: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Judge and store the news of a night; the doubts that stand then."""
    compared = others({}) if compared is None else compared
    flags = flags_after(stores, CALENDAR, RULES, Revisions(SESSIONS[place], news, acts, compared))
    for table, rows in ((DAILY_BARS, news), (CORPORATE_ACTIONS, acts), (BAR_FLAGS, flags)):
        if rows.height:
            put(stores, table, rows, SESSIONS[place])
    return stores.read(BAR_FLAGS).filter(pl.col(CLEARED_ON).is_null())


def standing(frame: pl.DataFrame) -> list[tuple[str, date, str]]:
    return sorted(frame.select(SYMBOL, SESSION, FLAG).rows())


def of_the_whole(stores: Stores) -> list[tuple[str, date, str]]:
    """The doubts over everything in the store, judged at once."""
    held = stores.read(DAILY_BARS).filter(pl.col(KNOWN_TO).is_null())
    known_actions = stores.read(CORPORATE_ACTIONS)
    return standing(flags(held.select(SYMBOL, SESSION, CLOSE, VOLUME, BASIS), known_actions, SESSIONS, RULES))


def places(symbol: str, count: int) -> st.SearchStrategy[Closes]:
    """Bars of some of the sessions, often with long pauses."""
    gaps = st.lists(st.sampled_from([1, 1, 1, 1, 2, CONTEXT, 2 * CONTEXT + 3]), min_size=count, max_size=count)
    values = st.lists(st.sampled_from([10.0, 10.1, 10.2, 20.0, 100.0]), min_size=count, max_size=count)

    def placed(pair: tuple[Sequence[int], Sequence[float]]) -> Closes:
        found, place = {}, -1
        for gap, value in zip(*pair, strict=True):
            place += gap
            if place < len(SESSIONS):
                found[symbol, place] = value
        return found

    return st.tuples(gaps, values).map(placed)


@law(15)
@given(one=places("A", 12), other=places("B", 30), nights=st.sets(st.integers(0, len(SESSIONS) - 1), max_size=4))
def test_judged_night_by_night_the_same_doubts_stand(
    one: Closes, other: Closes, nights: set[int], empty_home: Path, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    shutil.copytree(empty_home, tmp_path / "data")
    stores, closes, before = open_stores(tmp_path / "data", wait_seconds=5), one | other, -1
    for place in sorted(nights | {len(SESSIONS) - 1}):
        found = night(stores, place, told({key: close for key, close in closes.items() if before < key[1] <= place}))
        before = place
    assert standing(found) == of_the_whole(stores)


def test_a_bar_after_a_long_pause_is_judged_by_those_before_the_pause(stores: Stores) -> None:
    night(stores, 0, told({("A", 0): 10.0, ("B", 0): 10.0}))
    found = night(stores, 100, told({("A", 100): 100.0}))
    assert standing(found) == [("A", SESSIONS[100], flag) for flag in sorted((rules.GAP, rules.JUMP_FLAG, rules.SCALE))]


def test_a_jump_is_seen_to_reverse_after_a_pause_too(stores: Stores) -> None:
    night(stores, 1, told({("A", 0): 10.0, ("A", 1): 20.0}))
    found = night(stores, 90, told({("A", 90): 10.0}))
    assert ("A", SESSIONS[1], rules.REVERSAL) in standing(found)


def test_an_action_told_late_takes_the_doubt_back(stores: Stores) -> None:
    flagged = night(stores, 2, told({("A", 0): 100.0, ("A", 1): 50.0, ("A", 2): 50.5}))
    assert standing(flagged) == [("A", SESSIONS[1], rules.JUMP_FLAG)]
    late = actions(("A", SESSIONS[1], "split", 2.0)).with_columns(
        pl.lit("files").alias(SOURCE), pl.lit(SESSIONS[5]).alias(KNOWN_FROM), pl.lit(None, pl.Date).alias(KNOWN_TO)
    )
    assert night(stores, 5, told({}), late.drop(CAPTURED)).is_empty()
    assert stores.read(BAR_FLAGS).select(FLAGGED_ON, CLEARED_ON).rows() == [(SESSIONS[2], SESSIONS[5])]


def test_a_disagreement_stands_until_the_sources_are_compared_again(stores: Stores) -> None:
    first = told({("A", 0): 10.0, ("A", 1): 10.1})
    flagged = night(stores, 1, first, compared=others({("A", 1): 10.5}))
    assert standing(flagged) == [("A", SESSIONS[1], rules.DISAGREEMENT)]
    assert flagged[VALUE].to_list() == [10.1 / 10.5]
    assert standing(night(stores, 2, told({("A", 2): 10.2}))) == standing(flagged)
    assert night(stores, 3, told({("A", 3): 10.1}), compared=others({("A", 1): 10.1})).is_empty()


def test_no_news_is_no_doubt(stores: Stores) -> None:
    night(stores, 1, told({("A", 0): 10.0, ("A", 1): 20.0}))
    assert flags_after(stores, CALENDAR, RULES, Revisions(SESSIONS[2], told({}), NO_ACTIONS, others({}))).is_empty()


def confirmed_by(stores: Stores) -> dict[tuple[str, date, str], str | None]:
    rows = stores.read(BAR_FLAGS).filter(pl.col(FLAG).is_in([rules.JUMP_FLAG, rules.SCALE]))
    return {(symbol, session, flag): by for symbol, session, flag, by in rows.select(SYMBOL, SESSION, FLAG, CONFIRMED_BY).iter_rows()}


def test_another_source_confirms_a_jump_that_it_has_too_and_no_other_flag(tmp_path: Path) -> None:
    stores = open_stores(tmp_path)
    stores.prepare(())
    night(stores, 2, told({(symbol, place): 10.0 for symbol in ("A", "B") for place in (0, 1, 2)}))
    jumped = {("A", 3): 100.0, ("B", 3): 60.0}
    others_say = others({("A", 3): 100.5, ("B", 3): 10.0}).with_columns(pl.lit("yahoo").alias(SOURCE))
    night(stores, 3, told(jumped), compared=others_say)
    of_a = {("A", SESSIONS[3], rules.JUMP_FLAG): "yahoo", ("A", SESSIONS[3], rules.SCALE): None}
    assert confirmed_by(stores) == of_a | {("B", SESSIONS[3], rules.JUMP_FLAG): None}
    # Judged again without a second source, it stays confirmed; another value has been confirmed by nobody.
    night(stores, 4, told({("A", 2): 10.0, ("A", 4): 100.0}))
    assert confirmed_by(stores)["A", SESSIONS[3], rules.JUMP_FLAG] == "yahoo"
    night(stores, 5, told({("A", 3): 70.0}))
    assert confirmed_by(stores)["A", SESSIONS[3], rules.JUMP_FLAG] is None


def test_a_person_confirms_a_jump_of_any_night_and_a_source_that_said_so_first_is_kept(tmp_path: Path) -> None:
    stores = open_stores(tmp_path)
    stores.prepare(())
    closes = {(symbol, place): 10.0 * (10.0 if place > 1 else 1.0) for symbol in ("A", "B", "C") for place in range(4)}
    said = others({("C", 2): 100.0}).with_columns(pl.lit("yahoo").alias(SOURCE))
    night(stores, 3, told(closes), compared=said)
    checked = pl.DataFrame(
        [("A", SESSIONS[2]), ("C", SESSIONS[2]), ("NONE", SESSIONS[2])], schema={SYMBOL: pl.String, SESSION: pl.Date}, orient="row"
    )
    revised = Revisions(SESSIONS[4], told({("B", 4): 100.0}), NO_ACTIONS, others({}), checked=checked)
    put(stores, BAR_FLAGS, flags_after(stores, CALENDAR, RULES, revised), SESSIONS[4])
    found = {symbol: by for (symbol, _, flag), by in confirmed_by(stores).items() if flag == rules.JUMP_FLAG}
    assert found == {"A": "hand", "B": None, "C": "yahoo"}
    assert (
        flags_after(stores, CALENDAR, RULES, revised)
        .filter(pl.col(SYMBOL) != "B")
        .join(stores.read(BAR_FLAGS), on=BAR_FLAGS.column_names, how="anti", nulls_equal=True)
        .is_empty()
    )
