"""``files``: CSV or Parquet files that the user brings, each a path or a glob. See ``FilesSource`` for what they may look like."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, HIGH, LOW, OPEN, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources import tabular
from stock_pipeline.market_data.sources.archive import answer
from stock_pipeline.market_data.sources.moments import sessions, times_of_day
from stock_pipeline.market_data.sources.side_files import matching_files, read_actions, read_fundamentals, read_instruments
from stock_pipeline.market_data.sources.source import Answer, MarketData, Offer, Request
from stock_pipeline.market_data.tables import BASIS, CAPTURED, CURRENCY, RAW, SPLIT_ADJUSTED

COLUMNS = (
    tabular.Column(SYMBOL, pl.String, ("symbol", "ticker"), needed=True, remedy="add a column symbol or name the file AAPL.csv"),
    tabular.Column(SESSION, pl.Date, ("date", "session"), ("datetime", "timestamp", "time", "windowstart", "t"), needed=True),
    tabular.Column(OPEN, pl.Float64, ("open", "o"), needed=True),
    tabular.Column(HIGH, pl.Float64, ("high", "h"), needed=True),
    tabular.Column(LOW, pl.Float64, ("low", "l"), needed=True),
    tabular.Column(CLOSE, pl.Float64, ("close", "c"), ("closelast", "price", "last"), needed=True),
    tabular.Column(VOLUME, pl.Float64, ("volume", "vol", "v"), needed=True),
    tabular.Column(ADJ_CLOSE, pl.Float64, ("adjclose", "adjustedclose")),
    tabular.Column(BASIS, pl.String, ("basis",), words={RAW: RAW, SPLIT_ADJUSTED: SPLIT_ADJUSTED}),
    tabular.Column(CURRENCY, pl.String, ("currency",)),
    tabular.Column(CAPTURED, pl.Date, ("captured",)),
)
# AAPL, brk.b, BF-B, 7203.T, ^GSPC, ES=F; and what is rather what the file holds than the name of a company.
PATH_OPTIONS = "--path or source.path"
SYMBOL_LIKE = re.compile(r"[A-Za-z]{1,5}([.-][A-Za-z]{1,3})?|\d{1,6}\.[A-Za-z]{1,3}|\^[A-Za-z0-9]{1,10}|[A-Za-z0-9]{1,8}=[A-Za-z]")
NO_SYMBOLS = {"bars", "daily", "data", "ohlc", "ohlcv", "panel", "price", "quote", "stock", "table", "test"}
NOT_OF_THE_NAME = re.compile(r" ?\(\d+\)$|_us_d$|(?<=[A-Za-z])\.us$", re.IGNORECASE)  # a second download; Stooq
COMPANY, TIME = "name", "time"  # further columns of a file, by their plain names
INDICES = ("", "unnamed0", "indexlevel0", "index")


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
    in any case, such as Ticker, Datetime, "Adj. Close", "5. volume" and "Vol."; others are passed over. A file without a column of
    symbols takes them from a column Name that holds such, or from its own name where that looks like one: AAPL.csv, aapl.csv and
    "AAPL (1).csv" hold bars of AAPL, aapl_daily.csv is refused. A first column of dates without a name is the date.

    Dates are written such as 2010-08-20, 20100820, 08/20/2010, 20-Aug-2010 or "Aug 20, 2010", in one way throughout a file, or are
    seconds since 1970 and parts of them; see ``moments`` for instants of UTC. There is one bar a day. Numbers are such as 1234.5,
    "1,234.5", $12.3 or 67.9M; where no comma separates the cells also 1.234,5. Commas, semicolons, tabs or bars separate the cells.
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
            raise InputError(
                "source files needs to know where they are: give --path with a file or a glob such as 'bars/*.csv', or set source.path"
            )
        self.path = path
        readers: dict[Offer, tuple[Callable[[str], pl.DataFrame], str | None]] = {
            "actions": (read_actions, sides.actions),
            "instruments": (read_instruments, sides.instruments),
            "fundamentals": (read_fundamentals, sides.fundamentals),
        }
        self._sides = {offer: partial(read, given) for offer, (read, given) in readers.items() if given}
        self.offers: frozenset[Offer] = frozenset({"bars", *self._sides})

    def fetch(self, requests: Sequence[Request] | None) -> Iterator[Answer]:
        """One answer with the rows of every file, in the order of their names: all of them or those asked for."""
        data = MarketData(bars=self._bars(), **{offer: read() for offer, read in self._sides.items()})
        yield answer(data, requests, self.name)

    def _bars(self) -> pl.DataFrame:
        files = matching_files(self.path, PATH_OPTIONS)
        bars = pl.concat([_bars_of(path) for path in files])
        if bars.is_empty():
            nothing = f"{files[0]} holds no rows" if len(files) == 1 else f"none of the {len(files)} files holds any rows"
            raise InputError(f"{PATH_OPTIONS} {self.path!r}: {nothing}; give a file with bars")
        return bars


def _bars_of(path: Path) -> pl.DataFrame:
    table = tabular.read_table(path, "bars")
    found = tabular.find_columns(table, COLUMNS)
    if SYMBOL not in found:
        found |= _column_of_companies(table)
    if SESSION not in found:
        found |= _index_of_dates(table)
    symbol = None if SYMBOL in found else _symbol_in_name(path)
    tabular.refuse_missing(table, [column for column in COLUMNS if column.name != SYMBOL or symbol is None], found)
    bars = tabular.typed_columns(table, COLUMNS, found).with_columns(pl.col(BASIS).fill_null(RAW))
    bars = bars if symbol is None else bars.with_columns(pl.lit(symbol).alias(SYMBOL))
    _refuse_intraday(table, found[SESSION], bars)
    return bars


def _column_of_companies(table: tabular.Table) -> dict[str, str]:
    """A column Name, where it holds symbols throughout."""
    names = [given for given in table.frame.columns if tabular.plain_name(given) == COMPANY and table.frame[given].dtype == pl.String]
    symbols = [given for given in names if all(_is_symbol_in_capitals(name) for name in table.frame[given].unique())]
    return {SYMBOL: symbols[0]} if len(symbols) == 1 else {}


def _is_symbol_in_capitals(name: str | None) -> bool:
    return name is not None and name == name.upper() and SYMBOL_LIKE.fullmatch(name) is not None


def _index_of_dates(table: tabular.Table) -> dict[str, str]:
    """The index that pandas writes without a name of its own, where it holds dates throughout."""
    indices = [given for given in table.frame.columns if tabular.plain_name(given) in INDICES]
    if len(indices) != 1:
        return {}
    cells = table.frame[indices[0]]
    fits = cells.dtype == pl.String or cells.dtype.is_integer() or cells.dtype in (pl.Date, pl.Datetime)
    return {SESSION: indices[0]} if fits and cells.len() and not sessions(cells).has_nulls() else {}


def _refuse_intraday(table: tabular.Table, session: str, bars: pl.DataFrame) -> None:
    clocks = [given for given in table.frame.columns if tabular.plain_name(given) == TIME and given != session]
    times = table.frame[clocks[0]].cast(pl.String) if clocks else times_of_day(table.frame[session])
    if times is None or times.n_unique() < 2:
        return
    several = pl.col(TIME).drop_nulls().unique().sort()
    days = bars.select(SYMBOL, SESSION, CAPTURED).with_columns(times.alias(TIME))
    days = days.group_by(SYMBOL, SESSION, CAPTURED).agg(several).filter(pl.col(TIME).list.len() > 1)
    if days.height:
        symbol, day, _captured, found = days.sort(SYMBOL, SESSION).row(0)
        raise InputError(f"{table.path} has more than one bar of {symbol} on {day}, as at {found[0]} and {found[1]}; give daily bars")


def _symbol_in_name(path: Path) -> str | None:
    stem = NOT_OF_THE_NAME.sub("", path.name.removesuffix(".gz").rpartition(".")[0])
    return stem.upper() if SYMBOL_LIKE.fullmatch(stem) and stem.lower() not in NO_SYMBOLS else None
