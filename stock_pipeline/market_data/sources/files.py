"""``files``: CSV or Parquet files that the user brings, each a path or a glob. See ``FilesSource`` for what they may look like."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, HIGH, LOW, OPEN, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.archive import answer
from stock_pipeline.market_data.sources.side_files import read_actions, read_fundamentals, read_instruments
from stock_pipeline.market_data.sources.source import (
    ACTIONS,
    BASIS,
    CAPTURED,
    CURRENCY,
    FUNDAMENTALS,
    INSTRUMENTS,
    RAW,
    SPLIT_ADJUSTED,
    Answer,
    MarketData,
    Offer,
    Request,
    no_rows,
)
from stock_pipeline.market_data.sources.tabular import (
    Column,
    find_columns,
    matching_files,
    read_table,
    refuse_missing,
    typed_columns,
)

COLUMNS = (
    Column(SYMBOL, pl.String, ("symbol", "ticker"), needed=True),
    Column(SESSION, pl.Date, ("date", "session"), ("datetime", "timestamp", "time"), needed=True),
    Column(OPEN, pl.Float64, ("open", "o"), needed=True),
    Column(HIGH, pl.Float64, ("high", "h"), needed=True),
    Column(LOW, pl.Float64, ("low", "l"), needed=True),
    Column(CLOSE, pl.Float64, ("close", "c"), ("closelast", "price", "last"), needed=True),
    Column(VOLUME, pl.Float64, ("volume", "vol", "v"), needed=True),
    Column(ADJ_CLOSE, pl.Float64, ("adjclose", "adjustedclose")),
    Column(BASIS, pl.String, ("basis",), words={RAW: RAW, SPLIT_ADJUSTED: SPLIT_ADJUSTED}),
    Column(CURRENCY, pl.String, ("currency",)),
    Column(CAPTURED, pl.Date, ("captured",)),
)
# AAPL, brk.b, BF-B, 7203.T; and what is rather what the file holds than the name of a company.
SYMBOL_LIKE = re.compile(r"[A-Za-z]{1,5}([.-][A-Za-z]{1,3})?|\d{1,6}\.[A-Za-z]{1,3}")
NO_SYMBOLS = {"bars", "daily", "data", "ohlc", "ohlcv", "panel", "price", "quote", "stock", "table", "test"}


@dataclass(frozen=True)
class SideFiles:
    """What the user brings besides bars, each a path or a glob: None where there is nothing of the kind."""

    actions: str | None = None
    fundamentals: str | None = None
    instruments: str | None = None


class FilesSource:
    """Bars from files, and from side files corporate actions, fundamentals and instruments.

    A file of bars has the columns symbol, date, open, high, low, close, volume, and if there are any adj_close, basis (``raw``, as
    traded, or ``split``), currency and captured (the day on which the row was written down). Columns are known by their usual names
    in any case, such as Ticker, Datetime, "Adj. Close" and "Vol."; others are passed over. A file without a column of symbols takes
    the symbol from its own name where that looks like one: AAPL.csv and aapl.csv hold bars of AAPL, aapl_daily.csv is refused.

    Dates are written such as 2010-08-20, 20100820, 08/20/2010, 20-Aug-2010 or "Aug 20, 2010", in one way throughout a file; numbers
    such as 1234.5, "1,234.5", $12.3 or 67.9M. Cells are separated by commas, semicolons, tabs or bars.
    """

    name = "files"
    is_archive = True
    is_closed = False

    def __init__(self, path: str | None, sides: SideFiles = SideFiles()) -> None:
        """``path`` is a file or a glob such as ``bars/*.csv``.

        Raises:
            InputError: there is no path.
        """
        if not path:
            raise InputError("source files needs to know where they are: give --path with a file or a glob such as 'bars/*.csv'")
        self.path = path
        self.sides = sides

    @property
    def offers(self) -> frozenset[Offer]:
        """Bars, and that of which there are side files."""
        sides: dict[Offer, str | None] = {
            "actions": self.sides.actions,
            "fundamentals": self.sides.fundamentals,
            "instruments": self.sides.instruments,
        }
        return frozenset({"bars", *(offer for offer, path in sides.items() if path)})

    def fetch(self, requests: Sequence[Request] | None) -> Iterator[Answer]:
        """One answer with the rows of every file, in the order of their names: all of them or those asked for."""
        data = MarketData(
            bars=self._bars(),
            actions=read_actions(self.sides.actions) if self.sides.actions else no_rows(ACTIONS),
            instruments=read_instruments(self.sides.instruments) if self.sides.instruments else no_rows(INSTRUMENTS),
            fundamentals=read_fundamentals(self.sides.fundamentals) if self.sides.fundamentals else no_rows(FUNDAMENTALS),
        )
        yield answer(data, requests, self.name)

    def _bars(self) -> pl.DataFrame:
        files = matching_files(self.path, "--path")
        bars = pl.concat([_bars_of(path) for path in files])
        if bars.is_empty():
            raise InputError(f"--path {self.path!r}: {_nothing_in(files)}; give a file with bars")
        return bars


def _nothing_in(files: list[Path]) -> str:
    return f"{files[0]} holds no rows" if len(files) == 1 else f"none of the {len(files)} files holds any rows"


def _bars_of(path: Path) -> pl.DataFrame:
    table = read_table(path, "bars")
    found = find_columns(table, COLUMNS)
    symbol = None if SYMBOL in found else _symbol_in_name(path)
    refuse_missing(table, [column for column in COLUMNS if column.name != SYMBOL or symbol is None], found)
    bars = typed_columns(table, COLUMNS, found).with_columns(pl.col(BASIS).fill_null(RAW))
    return bars if symbol is None else bars.with_columns(pl.lit(symbol).alias(SYMBOL))


def _symbol_in_name(path: Path) -> str | None:
    stem = path.name.removesuffix(".gz").rpartition(".")[0]
    return stem.upper() if SYMBOL_LIKE.fullmatch(stem) and stem.lower() not in NO_SYMBOLS else None
