"""Small frames of bars and actions, written out by hand."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, HIGH, KNOWN_FROM, LOW, OPEN, SESSION, SOURCE, SYMBOL, VOLUME
from stock_pipeline.market_data.source_chain import Gathered, SourceStats
from stock_pipeline.market_data.sources.source import ACTIONS, BARS, FUNDAMENTALS, INSTRUMENTS, no_rows
from stock_pipeline.market_data.tables import ACTIONS_KNOWN, BASIS, CAPTURED, CURRENCY, RAW

DAYS = [date(2012, 1, day) for day in (3, 4, 5, 6, 9, 10, 11, 12, 13)]
SATURDAY = date(2012, 1, 7)


def bar(symbol: str | None = "A", session: date | None = DAYS[0], close: float | None = 10.0, **others: Any) -> dict[str, Any]:
    """A sound bar of one price, but for what is given otherwise."""
    sound = {OPEN: close, HIGH: close, LOW: close, CLOSE: close, VOLUME: 100.0, ADJ_CLOSE: None, BASIS: RAW, CURRENCY: None, CAPTURED: None}
    return {SYMBOL: symbol, SESSION: session} | sound | others


def bars(*rows: dict[str, Any]) -> pl.DataFrame:
    """The rows as a source gives them."""
    return pl.DataFrame(rows, schema=BARS)


def series(symbol: str, closes: Iterable[float | None], adj_closes: Iterable[float | None] = (), **others: Any) -> list[dict[str, Any]]:
    """Bars of consecutive sessions; None stands for a session without a bar."""
    adjusted = list(adj_closes)
    rows = [(DAYS[i], close, adjusted[i] if adjusted else None) for i, close in enumerate(closes) if close is not None]
    return [bar(symbol, day, close, **{ADJ_CLOSE: adj_close}, **others) for day, close, adj_close in rows]


def known(frame: pl.DataFrame) -> pl.DataFrame:
    """The bars with the night from which each is known: that of its session or of its capture."""
    return frame.with_columns(pl.max_horizontal(SESSION, CAPTURED).alias(KNOWN_FROM))


def actions(*rows: tuple[str, date, str, float]) -> pl.DataFrame:
    return pl.DataFrame([(*row, None) for row in rows], schema=ACTIONS, orient="row")


def stored(frame: pl.DataFrame) -> pl.DataFrame:
    """The bars as they are read from the store: an adjusted close tells of actions, nothing else here does."""
    return frame.with_columns(pl.col(ADJ_CLOSE).is_not_null().alias(ACTIONS_KNOWN))


def gathered(frame: pl.DataFrame, source: str = "files", **others: pl.DataFrame) -> Gathered:
    """What one source gave."""
    empty = {"actions": no_rows(ACTIONS), "instruments": no_rows(INSTRUMENTS), "fundamentals": no_rows(FUNDAMENTALS)}
    sourced = {name: rows.with_columns(pl.lit(source).alias(SOURCE)) for name, rows in (empty | others).items()}
    told = stored(frame).with_columns(pl.lit(source).alias(SOURCE))
    tally = SourceStats(source, frame[SYMBOL].drop_nulls().n_unique(), 0.5)
    return Gathered(told, sourced["actions"], sourced["instruments"], sourced["fundamentals"], compared=told.clear(), tallies=(tally,))
