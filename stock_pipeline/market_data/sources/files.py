"""``files``: CSV or Parquet files that the user brings, a path or a glob.

Columns by their usual names in any case: symbol, date, open, high, low, close, volume, and if there are any adj_close and
captured (the day on which the row was written down).
"""

import glob
import re
from datetime import date
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, HIGH, LOW, OPEN, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.source import BARS, CAPTURED, MarketData

SYNONYMS = {
    "symbol": SYMBOL,
    "ticker": SYMBOL,
    "date": SESSION,
    "session": SESSION,
    "open": OPEN,
    "high": HIGH,
    "low": LOW,
    "close": CLOSE,
    "volume": VOLUME,
    "adj_close": ADJ_CLOSE,
    "adjclose": ADJ_CLOSE,
    "adjusted_close": ADJ_CLOSE,
    "captured": CAPTURED,
}
REQUIRED = (SYMBOL, SESSION, OPEN, HIGH, LOW, CLOSE, VOLUME)
USUAL_NAMES = {SESSION: "date"}  # what users call a column where we have a word of our own
NULL_WORDS = ["", "null", "NULL", "None", "nan", "NaN", "NA", "N/A", "#N/A", "-"]
DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%m/%d/%Y")
DATE_PREFIX = 10  # 2010-08-20 of 2010-08-20T00:00:00-04:00
REPEATED = re.compile(r"_duplicated_\d+$")  # what Polars makes of a name that a CSV file gives twice
SYMBOL_LIMIT = 64


class FilesSource:
    """Bars from files. ``path`` is a file or a glob such as ``bars/*.csv``."""

    name = "files"
    is_archive = True
    is_closed = False

    def __init__(self, path: str | None) -> None:
        if not path:
            raise InputError("source files needs to know where they are: give --path with a file or a glob such as 'bars/*.csv'")
        self.path = path

    def fetch(self) -> MarketData:
        """The bars of every file, in the order of their names."""
        found = sorted(Path(name) for name in glob.glob(self.path, recursive=True))  # noqa: PTH207  (takes absolute patterns)
        files = [path for path in found if path.is_file()]
        if not files:
            raise InputError(f"--path {self.path!r} matches no file; give a CSV or Parquet file or a glob")
        bars = pl.concat([_bars_of(path) for path in files])
        if bars.is_empty():
            raise InputError(f"--path {self.path!r}: {_nothing_in(files)}; give a file with bars")
        return MarketData(bars=bars)


def _nothing_in(files: list[Path]) -> str:
    return f"{files[0]} holds no rows" if len(files) == 1 else f"none of the {len(files)} files holds any rows"


def _bars_of(path: Path) -> pl.DataFrame:
    frame = _named_columns(path, _read(path))
    columns = [_typed(path, frame, name, dtype) for name, dtype in BARS.items()]
    typed = frame.select(columns)
    too_long = typed.filter(pl.col(SYMBOL).str.len_chars() > SYMBOL_LIMIT)
    if too_long.height:
        raise InputError(f"{path}: column symbol has a value of more than {SYMBOL_LIMIT} characters, {too_long[SYMBOL][0][:20]!r}...")
    return typed


def _read(path: Path) -> pl.DataFrame:
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pl.read_parquet(path)
        if path.suffix.lower() in (".csv", ".txt", ".gz"):
            # Everything as text first: a cell that does not fit can then be named instead of guessed away.
            return pl.read_csv(path, infer_schema=False)
    except pl.exceptions.NoDataError as error:
        raise InputError(f"{path} is empty; give a file with a header and bars") from error
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as {path.suffix[1:].upper()}: {str(error).splitlines()[0]}") from error
    raise InputError(f"{path} has the ending {path.suffix!r}; files end in .csv, .csv.gz or .parquet")


def _named_columns(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    names: dict[str, str] = {}
    for column in frame.columns:
        known = SYNONYMS.get(REPEATED.sub("", column.strip().lower().replace(" ", "_")))
        if known is None:
            continue
        if known in names.values():
            raise InputError(f"{path}: two columns mean {USUAL_NAMES.get(known, known)}, one of them {column!r}; keep one")
        names[column] = known
    missing = [USUAL_NAMES.get(name, name) for name in REQUIRED if name not in names.values()]
    if missing:
        raise InputError(f"{path}: column {', '.join(missing)} is missing; it has {', '.join(frame.columns)}")
    return frame.select(*names).rename(names)


def _typed(path: Path, frame: pl.DataFrame, name: str, dtype: type[pl.DataType]) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [None] * frame.height, dtype)
    # Not so for symbols: there are companies that trade as NA.
    given = frame[name] if name == SYMBOL or frame[name].dtype != pl.String else frame[name].replace(NULL_WORDS, None)
    if not _fits(given.dtype, dtype):
        raise InputError(f"{path}: column {USUAL_NAMES.get(name, name)} is of type {given.dtype}, which does not fit")
    typed = _dates(given) if dtype == pl.Date else given.cast(dtype, strict=False)
    lost = given.is_not_null() & typed.is_null()
    if lost.any():
        row = lost.arg_true()[0]
        raise InputError(
            f"{path}: column {USUAL_NAMES.get(name, name)} has {given[row]!r} in row {row + 1}, which is not a "
            f"{'date such as 2010-08-20' if dtype == pl.Date else 'number'}"
        )
    return typed.fill_nan(None) if dtype == pl.Float64 else typed


def _fits(given: pl.DataType, wanted: type[pl.DataType]) -> bool:
    """Whether values of the one type can be taken for the other, be they text that is still to be read."""
    if given == pl.Null or given == pl.String:
        return True
    if wanted == pl.Date:
        return given.is_integer() or given in (pl.Date, pl.Datetime)
    return given.is_numeric() if wanted == pl.Float64 else given.is_integer() or given in (pl.Categorical, pl.Enum)


def _dates(given: pl.Series) -> pl.Series:
    """Dates as they are, of moments on the clock of their own time zone, of text and of numbers such as 20100820 as they read."""
    found = given.dt.date() if given.dtype.is_temporal() else _parse_dates(given.cast(pl.String))
    # Polars reaches further than Python's calendar.
    return found.set(~found.dt.year().is_between(date.min.year, date.max.year), None)


def _parse_dates(given: pl.Series) -> pl.Series:
    """The dates in the one format that reads most of them; what it does not read stays null."""
    text = given.str.strip_chars()
    shortened = pl.select(
        pl.when(text.str.contains(r"^\d{4}-\d{2}-\d{2}[T ]")).then(text.str.slice(0, DATE_PREFIX)).otherwise(text)
    ).to_series()
    attempts = [shortened.str.to_date(form, strict=False) for form in DATE_FORMATS]
    return min(attempts, key=lambda series: series.null_count()).alias(given.name)
