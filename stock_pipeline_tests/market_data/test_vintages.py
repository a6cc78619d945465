"""What was known on each night, whatever the order in which the captures of a source are fed."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL
from stock_pipeline.market_data.reading import actions_known, raw_bars
from stock_pipeline.market_data.tables import (
    BAR_FLAGS,
    CAPTURED,
    CORPORATE_ACTIONS,
    DAILY_BARS,
    INSTRUMENTS,
    QUARANTINED_BARS,
    SYMBOL_HISTORY,
)
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.factories.market_rows import DAYS, SATURDAY, bar
from stock_pipeline_tests.harness.ingest_helpers import INGEST, Bring, bringing
from stock_pipeline_tests.harness.laws import law
from stock_pipeline_tests.harness.stages import unchecked

# A capture of a Saturday knows what Friday's night knew.
CAPTURE_DAYS = sorted([*DAYS[:5], SATURDAY])
VALUES = st.sampled_from([10.0, 10.5, 20.0, 31.0, -1.0])  # the last one is refused
Captures = dict[date, list[dict[str, Any]]]


@st.composite
def captures(draw: st.DrawFn) -> Captures:
    """Of each day some bars of two symbols of any sessions until then, restated at will; with and without adjusted closes."""
    told: Captures = {}
    for captured in CAPTURE_DAYS:
        places = [(symbol, day) for symbol in "AB" for day in DAYS if day <= captured]
        chosen = draw(st.lists(st.sampled_from(places), unique=True, max_size=6))
        rows = [
            bar(symbol, day, draw(VALUES)) | {"adj_close": draw(st.sampled_from([5.0, 10.0])), CAPTURED: captured} for symbol, day in chosen
        ]
        told[captured] = rows
    told[CAPTURE_DAYS[0]].append(bar("C", DAYS[0], 10.0) | {CAPTURED: CAPTURE_DAYS[0]})  # so that the first one has a sound bar
    return {captured: rows for captured, rows in told.items() if any(row[CLOSE] > 0 for row in rows)}


def known_on(told: Captures, night: date) -> list[tuple[Any, ...]]:
    """The latest sound close of each bar among the captures until the night, taken together without any store."""
    latest = {
        (row[SYMBOL], row[SESSION]): row[CLOSE]
        for captured, rows in sorted(told.items())
        if captured <= night or (captured == SATURDAY and night >= DAYS[3])
        for row in rows
        if row[CLOSE] > 0
    }
    return sorted((*key, close) for key, close in latest.items())


def fresh(empty_home: Path, folder: Path) -> Stores:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(empty_home, folder)
    return open_stores(folder, wait_seconds=5)


def quickly(stores: Stores) -> Bring:
    """Ingest without the checks, which have tests of their own."""
    return bringing(stores, unchecked(INGEST))


@law(8)
@given(told=captures(), order=st.randoms(use_true_random=False))
def test_every_night_is_known_as_it_was_and_at_once_is_as_one_by_one(told: Captures, order: Any, empty_home: Path, tmp_path: Path) -> None:
    one_by_one, at_once = fresh(empty_home, tmp_path / "one_by_one"), fresh(empty_home, tmp_path / "at_once")
    everything = [row for rows in told.values() for row in rows]
    order.shuffle(everything)
    for _, rows in sorted(told.items()):
        quickly(one_by_one)(*rows)
    quickly(at_once)(*everything)
    for night in DAYS[:5]:
        assert raw_bars(one_by_one, night).select(SYMBOL, SESSION, CLOSE).rows() == known_on(told, night)
    for table in (DAILY_BARS, CORPORATE_ACTIONS, INSTRUMENTS, SYMBOL_HISTORY, QUARANTINED_BARS):
        assert one_by_one.read(table).equals(at_once.read(table)), table.name


def test_flags_stand_alike_but_for_the_night_that_raised_them(empty_home: Path, tmp_path: Path) -> None:
    leaping = [bar("A", day, close) | {CAPTURED: day} for day, close in zip(DAYS, [10.0, 10.0, 100.0, 10.0], strict=False)]
    one_by_one, at_once = fresh(empty_home, tmp_path / "one_by_one"), fresh(empty_home, tmp_path / "at_once")
    for row in leaping:
        quickly(one_by_one)(row)
    quickly(at_once)(*leaping)
    told = ["symbol", "session", "flag", "value"]
    standing = one_by_one.read(BAR_FLAGS).sort(told)
    assert standing.height > 0
    assert standing.select(told).equals(at_once.read(BAR_FLAGS).sort(told).select(told))
    assert standing.filter(pl.col("flag") == "unexplained_jump")["flagged_on"].to_list() == DAYS[2:4]


def test_actions_are_known_from_their_captures(empty_home: Path, tmp_path: Path) -> None:
    stores = fresh(empty_home, tmp_path / "data")
    quickly(stores)(
        *(bar("A", day, 100.0) | {"adj_close": 100.0, CAPTURED: DAYS[1]} for day in DAYS[:2]),
        *(bar("A", day, 100.0) | {"adj_close": 50.0, CAPTURED: SATURDAY} for day in DAYS[1:2]),
        bar("A", DAYS[2], 50.0) | {"adj_close": 50.0, CAPTURED: SATURDAY},
    )
    assert actions_known(stores, DAYS[2]).is_empty()
    assert actions_known(stores, DAYS[3]).rows() == [("A", DAYS[2], "split", 2.0)]
