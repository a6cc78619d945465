"""Reading the user's CSV and Parquet files: finding the columns, parsing the cells, and refusing files with a clear message."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.cells import (
    COMMA,
    NULL_WORDS,
    POINT,
    both_readings,
    doubtful_date,
    doubtful_number,
    numbers,
    sure_signs,
)
from stock_pipeline.market_data.sources.moments import odd_instant, sessions
from stock_pipeline.market_data.sources.text_files import cells_of, line_of, read_text_file

USUAL_NAMES = {SESSION: "date"}  # what users call a column where we have a word of our own
REPEATED = re.compile(r"_duplicated_\d+$")  # what Polars makes of a name that a CSV file gives twice
NUMBERED = re.compile(r"^\d+\.\s+")  # 1. open
NO_LETTER = re.compile(r"[^a-z0-9]")
SYMBOL_LIMIT = 64
NAMES_SHOWN = 15
PARQUET_ENDINGS = (".parquet", ".pq")
PRICED = (*PRICES, ADJ_CLOSE)
TEXT_ENDINGS = (".csv", ".txt", ".tsv", ".gz")


@dataclass(frozen=True)
class Column:
    """A column that a file may have: our name for it, its type, and what users call it, in small letters and digits alone.

    ``second_best`` are names that count only where the file has none of ``names``. A ``needed`` column must be there, no cell of a
    ``filled`` one may be empty. ``words`` are the only values that a column of text may have, in any case, with what we call them.
    ``remedy`` is what a user can do who has no such column.
    """

    name: str
    dtype: type[pl.DataType]
    names: tuple[str, ...]
    second_best: tuple[str, ...] = ()
    needed: bool = False
    filled: bool = False
    words: Mapping[str, str] | None = None
    remedy: str | None = None

    @property
    def title(self) -> str:
        """The name of the column in messages to the user."""
        return USUAL_NAMES.get(self.name, self.name)


@dataclass(frozen=True)
class Table:
    """A file as it was read: text where it is a text file. ``separator`` is what stands between its cells, null in Parquet.

    ``kept`` are the rows of the file that ``frame`` has, where it lacks some.
    """

    path: Path
    frame: pl.DataFrame
    separator: str | None
    kept: pl.Series | None = None

    def place(self, row: int) -> str:
        """Where a row of ``frame`` stands: the line of a text file, which the user's editor shows, else the number of the row."""
        whole = row if self.kept is None else self.kept[row]
        line = None if self.separator is None else line_of(read_text_file(self.path), whole)
        return f"row {whole + 1}" if line is None else f"line {line}"

    def refusal(self, sentence: str) -> InputError:
        """The error that names the file and says what is wrong with it."""
        return InputError(f"{self.path}: {sentence}")


def read_table(path: Path, rows: str = "rows") -> Table:
    """The file as it is; rows of nothing but empty cells are left out of a text file. ``rows`` says what it should hold.

    Raises:
        InputError: it is empty or cannot be read, or its ending is none of those known.
    """
    ending = path.suffix.lower()
    try:
        if ending in PARQUET_ENDINGS:
            return Table(path, pl.read_parquet(path, glob=False), None)
        if ending in TEXT_ENDINGS:
            return _text_table(path)
    except pl.exceptions.NoDataError as error:
        raise InputError(f"{path} is empty; give a file with a header and {rows}") from error
    except (pl.exceptions.PolarsError, OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as {path.suffix[1:].upper()}: {str(error).splitlines()[0]}") from error
    raise InputError(f"{path} has the ending {path.suffix!r}; files end in .csv, .csv.gz or .parquet")


def _text_table(path: Path) -> Table:
    text = read_text_file(path)
    cells = cells_of(text)
    filled = cells.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    if filled.all():
        return Table(path, cells, text.separator)
    return Table(path, cells.filter(filled), text.separator, filled.arg_true())


def read_columns(path: Path, columns: Sequence[Column], rows: str = "rows") -> pl.DataFrame:
    """The columns of a file under our names and with their types; a column that it lacks is null in every row.

    Raises:
        InputError: the file cannot be read, lacks a needed column, or has a cell that does not fit; see ``read_table``.
    """
    return columns_of(read_table(path, rows), columns)


def columns_of(table: Table, columns: Sequence[Column]) -> pl.DataFrame:
    """The columns of a table; see ``read_columns``."""
    found = find_columns(table, columns)
    refuse_missing(table, columns, found)
    return typed_columns(table, columns, found)


def find_columns(table: Table, columns: Sequence[Column]) -> dict[str, str]:
    """Which column of the file is which of ``columns``, by our name; those that the file lacks are left out.

    Raises:
        InputError: two columns of the file mean the same.
    """
    # A change in percent is no price and no volume, whatever else its name says.
    keys = {given: plain_name(given) for given in table.frame.columns if "%" not in given}
    found: dict[str, str] = {}
    for column in columns:
        named = [given for given, key in keys.items() if key in column.names]
        named = named or [given for given, key in keys.items() if key in column.second_best]
        if len(named) > 1:
            raise table.refusal(f"two columns mean {column.title}, one of them {named[-1]!r}; keep one")
        if named:
            found[column.name] = named[0]
    return found


def plain_name(given: str) -> str:
    """A column's name in small letters and digits alone: ``adjclose`` for "Adj. Close" and "5. Adj Close"."""
    return NO_LETTER.sub("", NUMBERED.sub("", REPEATED.sub("", given.strip().lower())))


def refuse_missing(table: Table, columns: Sequence[Column], found: Mapping[str, str]) -> None:
    """Raise an InputError where a needed column is not there."""
    missing = [column for column in columns if column.needed and column.name not in found]
    if missing:
        titles = ", ".join(column.title for column in missing)
        remedies = "".join(f"; {column.remedy}" for column in missing if column.remedy)
        raise table.refusal(f"column {titles} is missing; it has {_names(table)}{remedies}")


def _names(table: Table) -> str:
    names = table.frame.columns
    shown = ", ".join(names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"


def typed_columns(table: Table, columns: Sequence[Column], found: Mapping[str, str]) -> pl.DataFrame:
    """``columns`` of the file with their types, found by their names in it; null where it lacks one.

    Raises:
        InputError: a cell does not fit.
    """
    height = table.frame.height
    sign = _decimal_sign(table, [column for column in columns if column.name in found], found)
    frame = pl.DataFrame(
        [
            _typed(table, column, table.frame[found[column.name]], sign).alias(column.name)
            if column.name in found
            else pl.Series(column.name, [None], column.dtype).new_from_index(0, height)
            for column in columns
        ]
    )
    for column in columns:
        if column.filled and frame[column.name].has_nulls():
            row = frame[column.name].is_null().arg_true()[0]
            raise table.refusal(f"column {column.title} is empty in {table.place(row)}; fill it in or leave the row out")
    return frame


def _decimal_sign(table: Table, columns: Sequence[Column], found: Mapping[str, str]) -> str:
    """The decimal sign of the whole file: a comma only where something proves it, and where no comma separates its cells.

    Raises:
        InputError: numbers such as 10,500 may be read in two ways, and no other number of the file shows which is meant.
    """
    english = table.separator == COMMA
    texts = [(column, table.frame[found[column.name]]) for column in columns if column.dtype == pl.Float64]
    texts = [(column, text) for column, text in texts if text.dtype == pl.String]
    # Where commas separate cells, only a comma between quotes may be in doubt, and a point in any price settles it.
    if not texts or (english and not any(text.str.contains(COMMA, literal=True).any() for _column, text in texts)):
        return POINT
    pointed = english and any(column.name in PRICED and text.str.contains(POINT, literal=True).any() for column, text in texts)
    signs = {POINT} if pointed else set[str]().union(*(sure_signs(text) for _column, text in texts))
    for column, text in texts:
        doubtful = doubtful_number(text) if _in_doubt(column, signs, english) else None
        if doubtful is not None:
            row = (text == doubtful).arg_true()[0]
            may_mean = f"which may mean {both_readings(doubtful)}; write one of these"
            raise table.refusal(f"column {column.title} has {doubtful!r} in {table.place(row)}, {may_mean}")
    return COMMA if signs == {COMMA} and not english else POINT


def _in_doubt(column: Column, signs: set[str], english: bool) -> bool:
    if not signs:
        return not english or column.name in PRICED
    # 1.234 shares are rather 1234, whatever the prices prove.
    return column.name == VOLUME and not english and COMMA not in signs


def _typed(table: Table, column: Column, cells: pl.Series, sign: str) -> pl.Series:
    # Not so for symbols: there are companies that trade as NA.
    given = cells if column.name == SYMBOL or cells.dtype != pl.String else cells.replace(NULL_WORDS, None)
    if not _fits(given.dtype, column.dtype):
        raise table.refusal(f"column {column.title} is of type {given.dtype}, which does not fit")
    if column.dtype == pl.Date:
        _refuse_doubtful_dates(table, column, given)
    typed = _converted(table, column, given, sign)
    lost = given.is_not_null() & typed.is_null() if typed.has_nulls() else None
    if lost is not None and lost.any():
        row = lost.arg_true()[0]
        raise table.refusal(f"column {column.title} has {_shown(given, row)} in {table.place(row)}, which is {_reproach(column)}")
    return typed.fill_nan(None) if column.dtype == pl.Float64 else typed


def _converted(table: Table, column: Column, given: pl.Series, sign: str) -> pl.Series:
    if column.dtype == pl.Date:
        return sessions(given)
    if column.dtype == pl.Float64:
        return numbers(given, sign) if given.dtype == pl.String else given.cast(pl.Float64)
    if column.words is not None:
        plain = given.cast(pl.String).str.strip_chars().str.to_lowercase()
        return plain.replace_strict(dict(column.words), default=None, return_dtype=pl.String)
    return _checked_text(table, column, given.cast(pl.String).str.strip_chars())


def _refuse_doubtful_dates(table: Table, column: Column, given: pl.Series) -> None:
    doubtful = doubtful_date(given) if given.dtype == pl.String else None
    if doubtful is not None:
        raise table.refusal(
            f"column {column.title} has {doubtful!r}, and nothing in the file tells the day from the month; write dates such as 2010-08-20"
        )
    odd = odd_instant(given)
    if odd is not None:
        raise table.refusal(
            f"column {column.title} has {_shown(given, odd)} in {table.place(odd)}, a time of UTC at which no day begins, and no session of"
            " New York opens or closes; write dates such as 2010-08-20"
        )


def _checked_text(table: Table, column: Column, text: pl.Series) -> pl.Series:
    too_long = text.filter(text.str.len_bytes() > SYMBOL_LIMIT) if column.name == SYMBOL else text.clear()
    too_long = too_long.filter(too_long.str.len_chars() > SYMBOL_LIMIT)
    if too_long.len():
        raise table.refusal(f"column {column.title} has a value of more than {SYMBOL_LIMIT} characters, {too_long[0][:20]!r}...")
    return text


def _shown(given: pl.Series, row: int) -> str:
    # A date beyond Python's calendar can be shown only by Polars.
    return repr(given.gather([row]).cast(pl.String)[0] if given.dtype.is_temporal() else given[row])


def _reproach(column: Column) -> str:
    if column.dtype == pl.Date:
        return "not a date such as 2010-08-20"
    return "not a number" if column.words is None else f"none of {', '.join(column.words)}"


def _fits(given: pl.DataType, wanted: type[pl.DataType]) -> bool:
    """Whether values of the one type can be taken for the other, be they text that is still to be read."""
    if given == pl.Null or given == pl.String:
        return True
    if wanted == pl.Date:
        return given.is_integer() or given in (pl.Date, pl.Datetime)
    return given.is_numeric() if wanted == pl.Float64 else given.is_integer() or given in (pl.Categorical, pl.Enum)
