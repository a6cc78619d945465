"""The interface of a source of market data: requests, answers and their frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Literal, Protocol

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, INDUSTRY, NAME, PRICES, SECTOR, SESSION, SYMBOL, VALUE, VOLUME
from stock_pipeline.market_data.sources.errors import SourceError
from stock_pipeline.market_data.tables import BASIS, CAPTURED, CONTRACT, CURRENCY, EXCHANGE, ITEM, KIND, PERIOD, PERIOD_END

Offer = Literal["bars", "actions", "fundamentals", "instruments"]
DataTypes = dict[str, type[pl.DataType]]

BARS: DataTypes = {
    SYMBOL: pl.String,
    SESSION: pl.Date,
    **dict.fromkeys((*PRICES, VOLUME, ADJ_CLOSE), pl.Float64),
    BASIS: pl.String,
    CURRENCY: pl.String,
    CAPTURED: pl.Date,
}
ACTIONS: DataTypes = {SYMBOL: pl.String, SESSION: pl.Date, KIND: pl.String, VALUE: pl.Float64, CAPTURED: pl.Date}
INSTRUMENTS: DataTypes = dict.fromkeys((SYMBOL, NAME, EXCHANGE, CURRENCY, SECTOR, INDUSTRY, CONTRACT), pl.String)
FUNDAMENTALS: DataTypes = {
    SYMBOL: pl.String,
    PERIOD_END: pl.Date,
    PERIOD: pl.String,
    ITEM: pl.String,
    VALUE: pl.Float64,
    CURRENCY: pl.String,
    CAPTURED: pl.Date,
}


def no_rows(columns: DataTypes) -> pl.DataFrame:
    """A frame of no rows with these columns."""
    return pl.DataFrame(schema=columns)


def shaped(frame: pl.DataFrame, columns: DataTypes) -> pl.DataFrame:
    """The frame with these columns; those that it lacks are null."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name) for name, dtype in columns.items()
    )


@dataclass(frozen=True)
class MarketData:
    """The frames that a source gave, before any check, with the columns of BARS, ACTIONS, INSTRUMENTS and FUNDAMENTALS.

    Volume is in shares, on the same basis as the prices. A value that the source lacks is null; a ``basis`` never is.
    """

    bars: pl.DataFrame = field(default_factory=lambda: no_rows(BARS))
    actions: pl.DataFrame = field(default_factory=lambda: no_rows(ACTIONS))
    instruments: pl.DataFrame = field(default_factory=lambda: no_rows(INSTRUMENTS))
    fundamentals: pl.DataFrame = field(default_factory=lambda: no_rows(FUNDAMENTALS))


FRAMES = tuple(frame.name for frame in fields(MarketData))


@dataclass(frozen=True)
class Request:
    """A request for one symbol: bars and actions of ``first`` to ``last``, both included.

    ``about`` asks for the instrument's particulars and its fundamentals too, as far as the source offers them.
    """

    symbol: str
    first: date
    last: date
    about: bool = False


@dataclass(frozen=True)
class Answer:
    """A source's answer for one or more symbols: data, and the error of each symbol that it could not serve."""

    data: MarketData = field(default_factory=MarketData)
    failures: Mapping[str, SourceError] = field(default_factory=dict)


class Source(Protocol):
    """A source of market data.

    An *archive* ends where its data ends; a source that is no archive is *live* and goes on to the last completed session.
    A *closed* source does not share a data directory with another: its panel has nothing to do with theirs.
    """

    name: str  # what the source is called in settings, on the command line and on every row that it gave
    is_archive: bool
    is_closed: bool
    offers: frozenset[Offer]

    def fetch(self, requests: Sequence[Request] | None) -> Iterator[Answer]:
        """Answers as they arrive, each symbol of ``requests`` in exactly one of them; None asks an archive for all it has.

        A live source answers one symbol at a time and never raises for a symbol's sake: what it could not get, down to a
        connection refused, comes as a failure of each symbol concerned.

        Raises:
            InputError: the source cannot be used as it is; one sentence names the file, field and value.
        """
        ...
