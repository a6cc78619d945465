from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import CLOSE, KNOWN_FROM, NAME, SESSION, SOURCE, SYMBOL
from stock_pipeline.core.errors import InputError, StockPipelineError
from stock_pipeline.market_data.acquisition import NOTHING_HELD, StoreSnapshot, gather, held_by, requests_for
from stock_pipeline.market_data.ingestion import Ingested
from stock_pipeline.market_data.sources.errors import SourceDownError
from stock_pipeline.market_data.sources.source import Request, Source
from stock_pipeline.market_data.tables import DAILY_BARS, FIRST, INGESTION_FAILURES, INSTRUMENT, INSTRUMENTS, LAST, SYMBOL_HISTORY
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.factories.market_rows import DAYS, SATURDAY
from stock_pipeline_tests.factories.rows import put
from stock_pipeline_tests.factories.scripted_source import WITHOUT_ACTIONS, ScriptedSource, told
from stock_pipeline_tests.harness.plain_settings import plain_settings

CALENDAR = trading_calendar("XNYS")
HISTORY_FROM = date(2011, 12, 1)
MONDAY, TUESDAY, FRIDAY = DAYS[4], DAYS[5], DAYS[8]
EVENING = {day: datetime(day.year, day.month, day.day, 22, tzinfo=UTC) for day in DAYS}  # an hour after the close


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "data"


def settings_with(home: Path, *symbols: str, **source: Any) -> Settings:
    chosen = {"symbols": symbols} if symbols else {}
    return plain_settings(home, source={"name": "yahoo", "history_from": HISTORY_FROM, "refetch_sessions": 2} | chosen | source)


def held(last: Mapping[str, date], named: Sequence[str] = (), history: Sequence[tuple[str, date, date | None, str]] = ()) -> StoreSnapshot:
    """Bars of each symbol from the first of DAYS to the session given."""
    instruments = [{INSTRUMENT: symbol, SYMBOL: symbol, NAME: f"{symbol} Inc", SOURCE: "yahoo"} for symbol in named]
    sessions = pl.DataFrame({SYMBOL: list(last), FIRST: [DAYS[0]] * len(last), LAST: list(last.values())})
    return StoreSnapshot(
        sessions,
        pl.DataFrame(history, schema=SYMBOL_HISTORY.dtypes, orient="row"),
        pl.DataFrame(instruments, schema=INSTRUMENTS.dtypes),
    )


def asked(settings: Settings, store: StoreSnapshot, night: date) -> list[Request]:
    return requests_for(settings, store, night, CALENDAR)


def symbols(found: Sequence[Request]) -> list[str]:
    return [request.symbol for request in found]


def a_file(tmp_path: Path, name: str, *lines: str) -> str:
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    return str(tmp_path / name)


def test_of_each_symbol_only_what_the_store_lacks_is_asked_for_and_a_few_sessions_before(home: Path) -> None:
    store = held({"A": TUESDAY, "B": MONDAY, "UP": FRIDAY, "AHEAD": date(2012, 1, 17)}, named=["A", "B"])
    found = asked(settings_with(home, "NEW", "A", "B", "UP", "AHEAD", "A"), store, FRIDAY)
    assert found == [
        Request("NEW", HISTORY_FROM, FRIDAY, about=True),
        Request("A", DAYS[3], FRIDAY, about=False),
        Request("B", DAYS[2], FRIDAY, about=False),  # a weekend is no session
    ]


@pytest.mark.parametrize(("refetch_sessions", "first"), [(0, TUESDAY), (1, MONDAY), (5, DAYS[0]), (6, date(2011, 12, 30))])
def test_the_overlap_is_so_many_sessions_before_the_last_one_stored(home: Path, refetch_sessions: int, first: date) -> None:
    (request,) = asked(settings_with(home, "A", refetch_sessions=refetch_sessions), held({"A": TUESDAY}), FRIDAY)
    assert (request.first, request.last) == (first, FRIDAY)


@pytest.mark.parametrize(
    ("night", "weekly"),
    [
        (MONDAY, True),
        (TUESDAY, False),
        (FRIDAY, False),
        (date(2012, 1, 17), True),  # Monday was a holiday
        (date(2012, 1, 3), True),  # so was the first Monday of a year whose week 1 it begins
        (date(2010, 12, 31), False),
        (date(2009, 1, 2), False),  # nor does a year that begins on a Thursday
    ],
)
def test_particulars_are_asked_for_once_a_week_and_where_the_store_has_no_name(home: Path, night: date, weekly: bool) -> None:
    store = held(dict.fromkeys("AB", date(2008, 1, 2)), named=["A"])
    found = asked(settings_with(home, "A", "B"), store, night)
    assert {request.symbol: request.about for request in found} == {"A": weekly, "B": True}


def test_a_renamed_symbol_is_not_asked_for_and_the_new_one_goes_on_where_it_ended(home: Path, tmp_path: Path) -> None:
    lines = [f"OLD,MID,{MONDAY}", f"MID,NEW,{TUESDAY}", f"SOON,LATER,{date(2012, 1, 17)}"]
    renames = a_file(tmp_path, "renames.csv", "old,new,session", *lines)
    settings = settings_with(home, "OLD", "MID", "NEW", "SOON", renames_path=renames)
    found = asked(settings, held({"OLD": DAYS[3], "SOON": DAYS[3]}), FRIDAY)
    assert [(request.symbol, request.first) for request in found] == [("NEW", DAYS[1]), ("SOON", DAYS[1])]
    known_by_itself = asked(settings, held({"OLD": DAYS[3], "NEW": DAYS[6]}), FRIDAY)
    assert [(request.symbol, request.first) for request in known_by_itself] == [("NEW", DAYS[4]), ("SOON", HISTORY_FROM)]
    assert symbols(asked(settings, held({"OLD": DAYS[2]}), DAYS[3])) == ["OLD", "MID", "NEW", "SOON"]


def test_a_symbol_that_has_ended_is_not_asked_for_and_one_given_anew_is(home: Path) -> None:
    history = [
        ("GONE", DAYS[0], DAYS[2], "GONE"),
        ("AGAIN", date(2001, 1, 2), date(2003, 1, 2), "AGAIN"),
        ("AGAIN", DAYS[0], None, "AGAIN@2012-01-03"),
        ("A", DAYS[0], None, "A"),
    ]
    store = held({"GONE": DAYS[2], "AGAIN": DAYS[2], "A": DAYS[2]}, history=history)
    assert symbols(asked(settings_with(home), store, FRIDAY)) == ["AGAIN", "A"]
    assert symbols(asked(settings_with(home, "A", "GONE", "AGAIN"), store, FRIDAY)) == ["A", "AGAIN"]


def test_the_members_of_the_universe_on_that_night_are_asked_for(home: Path, tmp_path: Path) -> None:
    lines = [
        f"LEFT,{DAYS[0]},{DAYS[3]}",
        f"LAST_DAY,{DAYS[0]},{MONDAY}",
        f"FIRST_DAY,{MONDAY},",
        f"TO_COME,{TUESDAY},",
        "TWICE,2001-01-02,2002-01-02",
        f"TWICE,{DAYS[0]},",
    ]
    path = a_file(tmp_path, "members.csv", "symbol,first,last", *lines)
    store = held({"ELSE": DAYS[0]})
    assert symbols(asked(settings_with(home, universe_path=path), store, MONDAY)) == ["FIRST_DAY", "LAST_DAY", "TWICE"]
    assert symbols(asked(settings_with(home, "MINE", universe_path=path), store, MONDAY)) == ["MINE"]


def test_where_nothing_names_the_symbols_those_of_the_store_are_asked_for(home: Path) -> None:
    assert symbols(asked(settings_with(home), held({"B": DAYS[0], "A": DAYS[0]}), MONDAY)) == ["B", "A"]
    with pytest.raises(InputError) as caught:
        asked(settings_with(home), NOTHING_HELD, MONDAY)
    assert str(caught.value) == (
        "a live source needs to know which symbols to ask for: give source.symbols, or source.universe_path with a file of members"
    )


def test_what_the_store_holds_is_what_is_in_force(stores: Stores, home: Path) -> None:
    assert held_by(open_stores(home.parent / "none")) is NOTHING_HELD
    numbers: dict[str, Any] = {name: 1.0 for name, dtype in DAILY_BARS.dtypes.items() if dtype == pl.Float64}
    row = numbers | {"basis": "raw", "actions_known": True, SOURCE: "yahoo"}
    places = [("A", 0, None), ("A", 1, None), ("B", 1, None), ("B", 3, DAYS[4]), ("C", 2, DAYS[3])]
    put(stores, DAILY_BARS, [row | {SYMBOL: s, SESSION: DAYS[i], KNOWN_FROM: DAYS[i], "known_to": to} for s, i, to in places], DAYS[4])
    found = held_by(stores)
    assert found.sessions.rows() == [("A", DAYS[0], DAYS[1]), ("B", DAYS[1], DAYS[1])]
    assert found.last == {"A": DAYS[1], "B": DAYS[1]}


def gathered(
    sources: Sequence[Source], settings: Settings, as_of: date | None = None, store: StoreSnapshot = NOTHING_HELD, **how: Any
) -> Ingested:
    found = gather(sources, settings, store, as_of, EVENING[DAYS[2]], **how)
    assert found is not None
    return found


def test_several_sources_give_one_night_with_a_report_of_each_and_every_failure(home: Path) -> None:
    ibkr = ScriptedSource({"A": told("A", [1.0, 2.0, 3.0]), "B": told("B", [1.0, 2.0])}, "ibkr", WITHOUT_ACTIONS)
    yahoo = ScriptedSource({"A": told("A", [1.0, 2.0, 3.0], ("A", DAYS[1], "dividend", 0.1)), "B": told("B", [5.0, 6.0, -7.0])})
    said: list[str] = []
    found = gathered([ibkr, yahoo], settings_with(home, "A", "B", "C"), report_progress=said.append)
    assert found.as_of == DAYS[2]
    assert found.bars.select(SYMBOL, SESSION, CLOSE, SOURCE).sort(SYMBOL, SESSION).rows() == [
        *(("A", DAYS[i], i + 1.0, "ibkr") for i in range(3)),
        *(("B", DAYS[i], i + 5.0, "yahoo") for i in range(2)),
    ]
    columns = ("symbols_asked", "symbols_succeeded", "symbols_failed", "bars_accepted", "bars_quarantined")
    assert found.report.select(SOURCE, *columns).rows() == [("ibkr", 3, 1, 2, 3, 0), ("yahoo", 3, 1, 1, 2, 1)]
    assert found.failures.schema == pl.Schema(INGESTION_FAILURES.dtypes)
    assert found.failures.drop("message").rows() == [
        (DAYS[2], "B", "ibkr", "stale"),
        (DAYS[2], "C", "ibkr", "unknown symbol"),
        (DAYS[2], "C", "yahoo", "unknown symbol"),
    ]
    assert said[-1] == "source yahoo: 3 of 3 symbols"


def test_the_night_is_the_one_given_or_the_last_session_that_has_ended(home: Path) -> None:
    source = ScriptedSource({"A": told("A", [1.0, 2.0, 3.0, 4.0])})
    assert gathered([source], settings_with(home, "A"), as_of=DAYS[1]).as_of == DAYS[1]
    assert gathered([source], settings_with(home, "A")).as_of == DAYS[2]
    weekend = gather([source], settings_with(home, "A"), NOTHING_HELD, None, datetime(SATURDAY.year, 1, SATURDAY.day, 12, tzinfo=UTC))
    assert weekend is not None
    assert weekend.as_of == DAYS[3]
    assert [request.last for request in source.asked] == [DAYS[1], DAYS[2], DAYS[3]]


def test_where_the_store_has_it_all_nobody_is_asked(home: Path) -> None:
    source = ScriptedSource({})
    assert gather([source], settings_with(home, "A"), held({"A": DAYS[2]}), None, EVENING[DAYS[2]]) is None
    assert source.asked == []
    assert not home.exists()


def test_what_was_gathered_and_never_stored_is_not_asked_for_again_but_what_failed_is(home: Path) -> None:
    source = ScriptedSource({"A": told("A", [1.0, 2.0, 3.0])})
    first, second = (gathered([source], settings_with(home, "A", "B")) for _ in range(2))
    assert second.bars.equals(first.bars)
    assert source.symbols_asked == ["A", "B", "B"]


def test_where_nothing_reaches_the_night_the_reasons_are_counted_and_nothing_is_written(home: Path) -> None:
    down = ScriptedSource({symbol: SourceDownError("nobody there") for symbol in "ABC"}, "ibkr", WITHOUT_ACTIONS)
    behind = ScriptedSource({"A": told("A", [1.0]), "B": told("B", [1.0, 2.0])})
    with pytest.raises(StockPipelineError) as caught:
        gathered([down, behind], settings_with(home, "A", "B", "C"))
    assert not isinstance(caught.value, InputError)
    assert str(caught.value) == (
        f"no source has a sound bar of {DAYS[2]}, the newest bar is of {DAYS[1]}, so nothing was written. "
        "ibkr: source down (3 symbols), as in: nobody there; "
        f"yahoo: stale (2 symbols), as in: its latest bar is of {DAYS[0]}, not of {DAYS[2]}; "
        "yahoo: unknown symbol (1 symbols), as in: there is no C"
    )
    with pytest.raises(
        StockPipelineError,
        match=rf"of {DAYS[2]}, no bar came, so nothing was written\. ibkr: source down \(1 symbols\), as in: nobody there$",
    ):
        gathered([down], settings_with(home, "A"))
    assert not home.exists()


def test_one_symbol_that_reaches_the_night_is_enough(home: Path) -> None:
    source = ScriptedSource({"A": told("A", [1.0, 2.0]), "B": told("B", [1.0, 2.0, 3.0])})
    found = gathered([source], settings_with(home, "A", "B"))
    assert dict(found.bars.group_by(SYMBOL).agg(pl.col(SESSION).max()).iter_rows()) == {"A": DAYS[1], "B": DAYS[2]}
    assert found.failures.select(SYMBOL, "reason").rows() == [("A", "stale")]


def test_a_night_of_refused_bars_alone_is_no_night(home: Path) -> None:
    source = ScriptedSource({"A": told("A", [1.0, 2.0, -3.0])})
    with pytest.raises(StockPipelineError, match=f"no source has a sound bar of {DAYS[2]}, the newest bar is of {DAYS[2]}"):
        gathered([source], settings_with(home, "A"))


def test_of_a_renamed_symbol_in_the_store_the_new_one_is_asked_for(tmp_path: Path) -> None:
    path = a_file(
        tmp_path, "renames.csv", "old,new,session", f"OLD,NEW,{DAYS[4]}", f"NEW,NEWER,{DAYS[5]}", "X,Y,2030-01-02", f"Y,X,{DAYS[4]}"
    )
    wanted = asked(settings_with(tmp_path, renames_path=path), held({"OLD": DAYS[3], "A": DAYS[3], "Y": DAYS[3]}), DAYS[8])
    assert symbols(wanted) == ["NEWER", "A", "X"]


def test_symbols_that_change_hands_on_one_day_are_all_asked_for(tmp_path: Path) -> None:
    path = a_file(tmp_path, "renames.csv", "old,new,session", *(f"{old},{new},{DAYS[4]}" for old, new in ("AB", "BC", "YZ", "ZY")))
    wanted = asked(settings_with(tmp_path, renames_path=path), held(dict.fromkeys("ABYZ", DAYS[3])), DAYS[8])
    assert sorted(symbols(wanted)) == ["B", "C", "Y", "Z"]


def test_where_nobody_told_of_splits_all_is_asked_for_from_there_on_of_those_who_tell(home: Path) -> None:
    store = replace(held({"A": DAYS[3], "B": DAYS[3]}), without_actions={"A": DAYS[1]})
    firsts = {request.symbol: request.first for request in asked(settings_with(home, "A", "B", refetch_sessions=1), store, DAYS[4])}
    assert firsts == {"A": DAYS[1], "B": DAYS[2]}
    silent = ScriptedSource({"A": told("A", [1.0, 2.0, 3.0])}, "ibkr", WITHOUT_ACTIONS)
    store = replace(held({"A": DAYS[1]}), without_actions={"A": DAYS[0]})
    gathered([silent], settings_with(home, "A", refetch_sessions=0), store=store)
    assert [request.first for request in silent.asked] == [DAYS[1]]


@pytest.mark.parametrize(("night", "first"), [(date(2012, 5, 7), DAYS[0]), (date(2012, 5, 8), date(2012, 5, 4))])
def test_where_nobody_has_told_of_splits_for_long_all_is_asked_for_once_a_week(home: Path, night: date, first: date) -> None:
    reached = CALENDAR.previous_session(night)
    store = replace(held({"A": reached}), without_actions={"A": DAYS[0]})
    (request,) = asked(settings_with(home, "A", refetch_sessions=1), store, night)
    assert request.first == first


@pytest.mark.parametrize(("night", "wanted"), [(DAYS[4], ["A"]), (DAYS[5], []), (date(2012, 3, 5), ["A"]), (date(2012, 3, 12), [])])
def test_a_symbol_found_delisted_is_asked_for_once_a_week_for_two_months(home: Path, night: date, wanted: list[str]) -> None:
    store = held({"A": DAYS[2]}, history=[("A", DAYS[0], DAYS[2], "A")])
    assert symbols(asked(settings_with(home, "A"), store, night)) == wanted
