"""Writes of made-up readings, and all that such a write may change."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from hypothesis import strategies as st

from stock_pipeline.storage import Stores, Write, WriteReport, replace_sessions
from stock_pipeline.storage.audit import Watermark, read_watermark
from stock_pipeline.storage.reading import Selection, read
from stock_pipeline_tests.factories.trial_tables import DAYS, READINGS, Readings, as_rows, author, readings

ASSET = "trial/readings"
PAYLOADS = st.dictionaries(
    st.tuples(st.sampled_from(["A", "B", "a'; --"]), st.sampled_from(DAYS[:3])),
    st.tuples(st.none() | st.floats(allow_nan=False, allow_infinity=False), st.none() | st.text(max_size=5)),
    min_size=1,
)


def write(
    stores: Stores, rows: Readings, watermark: date = DAYS[0], minute: int = 0, mode: Callable[..., Write] = replace_sessions, **how: Any
) -> WriteReport:
    """Write readings as an asset does; by default, whole sessions of them."""
    return stores.write("ml", author(minute=minute), [mode(READINGS, readings(rows), **how)], watermark)[0]


def nightly(count: int, day: date = DAYS[0], value: float = 1.0) -> Readings:
    """So many readings of one session."""
    return {(f"S{i}", day): (value, None) for i in range(count)}


@dataclass(frozen=True)
class State:
    """All that a write of READINGS may change, read over one connection because opening one takes a while."""

    rows: Readings
    audit: list[tuple[object, ...]]
    watermark: Watermark | None


def state(stores: Stores) -> State:
    """The state now."""
    with stores.ml.reader() as connection:
        rows = as_rows(read(connection, READINGS, Selection()))
        audit = connection.execute("SELECT * FROM audit.writes ORDER BY sequence").fetchall()
        return State(rows, audit, read_watermark(connection, ASSET))
