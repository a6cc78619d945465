"""What a source of market data is."""

from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from stock_pipeline.core.columns import (
    ADJ_CLOSE,
    CLOSE,
    HIGH,
    INDUSTRY,
    LOW,
    NAME,
    OPEN,
    SECTOR,
    SESSION,
    SYMBOL,
    VALUE,
    VOLUME,
)

KIND = "kind"
CAPTURED = "captured"  # the day on which the source said so; null where it does not tell

BARS: dict[str, type[pl.DataType]] = {
    SYMBOL: pl.String,
    SESSION: pl.Date,
    OPEN: pl.Float64,
    HIGH: pl.Float64,
    LOW: pl.Float64,
    CLOSE: pl.Float64,
    VOLUME: pl.Float64,
    ADJ_CLOSE: pl.Float64,
    CAPTURED: pl.Date,
}
ACTIONS: dict[str, type[pl.DataType]] = {SYMBOL: pl.String, SESSION: pl.Date, KIND: pl.String, VALUE: pl.Float64}
INSTRUMENTS: dict[str, type[pl.DataType]] = {SYMBOL: pl.String, NAME: pl.String, SECTOR: pl.String, INDUSTRY: pl.String}


@dataclass(frozen=True)
class MarketData:
    """What a source gave, before any check: frames with the columns of BARS, ACTIONS and INSTRUMENTS.

    Prices are raw, as traded; volume is in shares. A value that the source lacks is null.
    """

    bars: pl.DataFrame
    actions: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ACTIONS))
    instruments: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=INSTRUMENTS))


class Source(Protocol):
    """A place where market data comes from.

    An *archive* ends where its data ends; a source that is no archive is *live* and goes on to the last completed session.
    A *closed* source does not share a data directory with another: its panel is a world of its own.
    """

    @property
    def name(self) -> str:
        """What the source is called in settings, on the command line and on every row that it gave."""
        ...

    @property
    def is_archive(self) -> bool:
        """Whether it ends where its data ends."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether it shares a data directory with no other source."""
        ...

    def fetch(self) -> MarketData:
        """Everything that the source has.

        Raises:
            InputError: the source cannot be read; one sentence names the file, field and value.
        """
        ...
