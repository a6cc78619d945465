from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, KNOWN_FROM, KNOWN_TO, SESSION, SYMBOL, VALUE
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.assets import TABLES
from stock_pipeline.market_data.reading import BAR_COLUMNS, actions_known, adjusted_bars, raw_bars, sessions_of
from stock_pipeline.market_data.sources.source import BARS
from stock_pipeline.market_data.tables import (
    CAPTURED,
    CORPORATE_ACTIONS,
    DAILY_BARS,
    INGESTION_REPORTS,
    INSTRUMENTS,
    KIND,
    QUARANTINED_BARS,
    UNIVERSE_MEMBERS,
)
from stock_pipeline.settings import QualitySettings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.market_rows import DAYS, bar, series
from stock_pipeline_tests.harness.ingest_helpers import INGEST, Bring
from stock_pipeline_tests.harness.ratios_of_a_night import fundamentals_known

Known = list[tuple[Any, ...]]


def versions(stores: Stores, symbol: str = "A") -> Known:
    history = stores.read(DAILY_BARS).filter(pl.col(SYMBOL) == symbol)
    return history.select(SESSION, CLOSE, KNOWN_FROM, KNOWN_TO).rows()


def everything(stores: Stores) -> dict[str, str]:
    return {table.name: stores.content_hash(table) for table in TABLES}


def closes(frame: pl.DataFrame) -> Known:
    return frame.select(SYMBOL, SESSION, CLOSE).rows()


def test_one_ingestion_fills_every_table(stores: Stores, bring: Bring) -> None:
    outcome = bring(*series("A", [10.0, 11.0]), *series("B", [100.0, 50.0], [50.0, 50.0]), bar("C", DAYS[0], -1.0))
    assert {report.table for report in outcome.reports} == {table.qualified_name for table in TABLES if table != UNIVERSE_MEMBERS}
    counts = {table.name: count for table in TABLES if (count := stores.count(table))}
    assert counts == {
        "daily_bars": 4,
        "corporate_actions": 1,
        "instruments": 2,
        "symbol_history": 2,
        "quarantined_bars": 1,
        "ingestion_reports": 1,
    }
    assert outcome.progress.counts == {table.qualified_name: stores.count(table) for table in TABLES}
    assert (outcome.state, outcome.reached, outcome.wanted) == ("succeeded", DAYS[1], DAYS[1])
    assert stores.market_session() == DAYS[1]


def test_a_second_ingestion_of_the_same_changes_nothing(stores: Stores, bring: Bring) -> None:
    rows = [*series("A", [10.0, 11.0]), *series("B", [100.0, 50.0], [50.0, 50.0]), bar("C", DAYS[0], -1.0), bar("C", DAYS[0], -1.0)]
    bring(*rows)
    before = everything(stores)
    assert bring(*rows).state == "up_to_date"
    assert everything(stores) == before


def test_a_restated_bar_closes_one_row_and_opens_another_on_the_night_that_noticed(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [10.0]), *series("B", [5.0]))
    bring(*series("A", [10.5, 11.0]), *series("B", [5.0, 6.0]))
    assert versions(stores) == [
        (DAYS[0], 10.0, DAYS[0], DAYS[1]),
        (DAYS[0], 10.5, DAYS[1], None),
        (DAYS[1], 11.0, DAYS[1], None),
    ]
    assert versions(stores, "B") == [(DAYS[0], 5.0, DAYS[0], None), (DAYS[1], 6.0, DAYS[1], None)]


def test_a_restatement_taken_back_on_its_own_night_leaves_no_trace(stores: Stores, bring: Bring) -> None:
    right = [*series("A", [10.0, 11.0]), *series("B", [5.0, 6.0])]
    bring(*right)
    before = everything(stores)
    bring(*series("A", [10.1, 11.1]), *series("B", [5.1, 6.1]))
    assert everything(stores) != before
    bring(*right)
    assert everything(stores)["daily_bars"] == before["daily_bars"]


def test_every_night_is_read_again_as_it_was_known_then(stores: Stores, bring: Bring) -> None:
    nights: dict[date, list[dict[str, Any]]] = {
        DAYS[0]: [*series("A", [10.0]), *series("B", [5.0])],
        DAYS[1]: [*series("A", [10.0, 11.0]), *series("B", [5.5, 6.0])],
        DAYS[3]: [*series("A", [10.2, 11.0, None, 13.0]), *series("B", [5.5, 6.1, 7.0, 8.0])],  # one night was missed
        DAYS[4]: [*series("A", [10.2, 11.0, 12.0, 13.0, 14.0]), *series("B", [5.5, 6.1, 7.0, 8.0, 9.0])],
    }
    then: dict[date, pl.DataFrame] = {}
    for night, rows in nights.items():
        bring(*rows)
        then[night] = raw_bars(stores, night)
        assert closes(then[night]) == sorted((row[SYMBOL], row[SESSION], row[CLOSE]) for row in rows)
    for night, known in then.items():
        assert raw_bars(stores, night).equals(known)
    # A bar that comes later than its session was not known on the night of its session.
    assert (DAYS[2], 12.0, DAYS[4], None) in versions(stores)


CAPTURES = [
    bar("A", DAYS[0], 10.0) | {CAPTURED: DAYS[0]},
    bar("A", DAYS[0], 10.5) | {CAPTURED: DAYS[1]},
    bar("A", DAYS[1], 11.0) | {CAPTURED: DAYS[1]},
    bar("A", DAYS[1], 11.0) | {CAPTURED: DAYS[2]},
    bar("A", DAYS[2], 12.0) | {CAPTURED: DAYS[2]},
    bar("A", DAYS[0], 10.0) | {CAPTURED: DAYS[3]},
    bar("A", DAYS[3], 13.0) | {CAPTURED: DAYS[3]},
    bar("A", DAYS[4], 14.0) | {CAPTURED: DAYS[4]},
]


def test_captures_fed_night_by_night_at_once_backwards_or_twice_give_the_same_tables(stores: Stores, bring: Bring) -> None:
    for night in DAYS[:5]:
        bring(*(row for row in CAPTURES if row[CAPTURED] == night))
    by_night = stores.read(DAILY_BARS)
    assert versions(stores) == [
        (DAYS[0], 10.0, DAYS[0], DAYS[1]),
        (DAYS[0], 10.5, DAYS[1], DAYS[3]),
        (DAYS[0], 10.0, DAYS[3], None),
        (DAYS[1], 11.0, DAYS[1], None),
        (DAYS[2], 12.0, DAYS[2], None),
        (DAYS[3], 13.0, DAYS[3], None),
        (DAYS[4], 14.0, DAYS[4], None),
    ]
    for _ in range(2):
        bring(*CAPTURES)
        assert stores.read(DAILY_BARS).equals(by_night)
    bring(*reversed(CAPTURES))
    assert stores.read(DAILY_BARS).equals(by_night)
    bring(*CAPTURES[:3])  # an old file again
    assert stores.read(DAILY_BARS).equals(by_night)


def test_a_split_told_by_captures_is_known_from_the_capture_and_adjusts_only_from_then(stores: Stores, bring: Bring) -> None:
    bring(
        *series("A", [100.0, 100.0], [100.0, 100.0], **{CAPTURED: DAYS[1]}),
        *series("A", [None, 100.0, 50.0], [None, 50.0, 50.0], **{CAPTURED: DAYS[2]}),
    )
    assert actions_known(stores, DAYS[1]).is_empty()
    assert actions_known(stores, DAYS[2]).select(SYMBOL, SESSION, KIND, VALUE).rows() == [("A", DAYS[2], "split", 2.0)]
    assert adjusted_bars(stores, DAYS[1], QualitySettings())[CLOSE].to_list() == [100.0, 100.0]
    assert adjusted_bars(stores, DAYS[2], QualitySettings())[CLOSE].to_list() == [50.0, 50.0, 50.0]


def test_a_later_split_restates_no_bar(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [100.0, 100.0]))
    before = versions(stores)
    bring(*series("A", [100.0, 100.0, 50.0]))
    assert versions(stores)[:2] == before


def test_as_of_an_earlier_session_less_is_brought_and_the_rest_follows(stores: Stores, bring: Bring) -> None:
    rows = series("A", [10.0, 11.0, 12.0])
    bring(*rows, as_of=DAYS[1])
    assert sessions_of(stores, DAYS[8]) == DAYS[:2]
    bring(*rows)
    assert sessions_of(stores, DAYS[8]) == DAYS[:3]
    assert [known_from for _, _, known_from, _ in versions(stores)] == DAYS[:3]


def test_a_source_that_has_nothing_sound_leaves_the_store_as_it_was(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [10.0]))
    before = everything(stores)
    with pytest.raises(InputError, match="no sound bar"):
        bring(bar("A", DAYS[1], -1.0))
    assert everything(stores) == before


def test_a_bar_refused_again_keeps_the_night_on_which_it_was_first_refused(stores: Stores, bring: Bring) -> None:
    bad = bar("C", DAYS[0], -1.0)
    bring(*series("A", [10.0]), bad)
    bring(*series("A", [10.0, 11.0]), bad, bar("C", DAYS[1], -2.0))
    assert stores.read(QUARANTINED_BARS).sort(SESSION).select(SESSION, "as_of").rows() == [(DAYS[0], DAYS[0]), (DAYS[1], DAYS[1])]


def test_reading_is_bounded_by_the_first_session_and_the_night(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [10.0, 11.0, 12.0, 13.0]))
    frame = raw_bars(stores, DAYS[2], first=DAYS[1])
    assert frame.columns == list(BAR_COLUMNS)
    assert frame[SESSION].to_list() == DAYS[1:3]
    assert sessions_of(stores, DAYS[1]) == DAYS[:2]
    assert adjusted_bars(stores, DAYS[2], QualitySettings(), first=DAYS[1])[CLOSE].to_list() == [11.0, 12.0]
    assert adjusted_bars(stores, date(2011, 1, 3), QualitySettings()).is_empty()


def test_the_first_session_of_the_report_counts_from_what_was_brought(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [None, 10.0]))
    assert stores.read(INGESTION_REPORTS)["first_session"].to_list() == [DAYS[1]]


def test_ingestion_is_one_asset_of_the_market_store_with_nothing_before_it() -> None:
    assert INGEST.tables == TABLES
    assert (INGEST.store, INGEST.reads, INGEST.reads_back, INGEST.cadence) == ("market", (), (), "ingestion")
    assert {table.store for table in TABLES} == {"market"}
    assert set(BARS) >= {SYMBOL, SESSION}


def test_a_symbol_may_be_any_text_on_its_whole_way(stores: Stores, bring: Bring) -> None:
    injection = "A'; DROP TABLE market_data.daily_bars; --"
    hostile = sorted(["BRK.B", "^GSPC", injection, "../x", "X" * 64, "\N{CHART WITH UPWARDS TREND}", '"', "%", "A,B"])
    bring(*(row for symbol in hostile for row in series(symbol, [10.0, 11.0], [5.0, 11.0])))
    bring(*(row for symbol in hostile for row in series(symbol, [10.5, 11.0, 12.0], [5.25, 11.0, 12.0])))
    assert raw_bars(stores, DAYS[2])[SYMBOL].unique().sort().to_list() == hostile
    assert adjusted_bars(stores, DAYS[2], QualitySettings()).filter(pl.col(SESSION) == DAYS[0])[CLOSE].to_list() == pytest.approx(
        [5.25] * len(hostile)
    )
    assert stores.read(INSTRUMENTS)["instrument"].sort().to_list() == hostile
    left = sorted(path.name for path in stores.home.iterdir() if path.suffix != ".lock")
    assert left == ["bars.parquet", "market.duckdb", "ml.duckdb", "scratch"]


def test_members_are_those_of_the_file_and_who_is_left_out_of_it_belonged_until_then(stores: Stores, bring: Bring, tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    path.write_text(f"symbol,first,last\nA,{DAYS[0]},\nB,{DAYS[0]},\nC,{DAYS[0]},{DAYS[0]}\n")
    rows = [*series("A", [10.0, 10.1, 10.2]), *series("B", [5.0, 5.1])]
    bring(*rows, as_of=DAYS[1], universe_path=str(path))
    whole = [("A", DAYS[0], None), ("B", DAYS[0], None), ("C", DAYS[0], DAYS[0])]
    assert stores.read(UNIVERSE_MEMBERS).rows() == whole
    path.write_text(f"symbol,first,last\nA,{DAYS[0]},\n")
    for _ in range(2):
        bring(*rows, universe_path=str(path))
        assert stores.read(UNIVERSE_MEMBERS).rows() == [("A", DAYS[0], None), ("B", DAYS[0], DAYS[1]), ("C", DAYS[0], DAYS[0])]


def test_side_files_reach_the_store_with_the_night_that_knew_them(stores: Stores, bring: Bring, tmp_path: Path) -> None:
    (tmp_path / "actions.csv").write_text(f"symbol,date,kind,value,captured\nA,{DAYS[1]},split,2,{DAYS[2]}\n")
    (tmp_path / "reports.csv").write_text(f"symbol,period_end,period,revenue,captured\nA,2011-09-30,quarter,7,{DAYS[1]}\n")
    (tmp_path / "names.csv").write_text("symbol,name,sector,exchange,currency\nA,Agilent,Health,NYSE,USD\n")
    sides = {name: str(tmp_path / file) for name, file in SIDE_FILES.items()}
    bring(*series("A", [100.0, 50.0, 51.0]), **sides)
    assert stores.read(CORPORATE_ACTIONS).select(SESSION, KIND, VALUE, KNOWN_FROM).rows() == [(DAYS[1], "split", 2.0, DAYS[2])]
    assert fundamentals_known(stores, DAYS[0]).is_empty()
    assert fundamentals_known(stores, DAYS[1]).select(SYMBOL, "item", VALUE).rows() == [("A", "revenue", 7.0)]
    assert stores.read(INSTRUMENTS).select("name", "sector", "exchange", "currency").rows() == [("Agilent", "Health", "NYSE", "USD")]


SIDE_FILES = {"actions_path": "actions.csv", "fundamentals_path": "reports.csv", "instruments_path": "names.csv"}
