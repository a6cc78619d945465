"""CSV and Parquet files that the user brings: which columns they have, and what their cells say, or else a clear refusal."""

import glob
import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.cells import NULL_WORDS, dates, doubtful_date, in_years, numbers

USUAL_NAMES = {SESSION: "date"}  # what users call a column where we have a word of our own
REPEATED = re.compile(r"_duplicated_\d+$")  # what Polars makes of a name that a CSV file gives twice
NO_LETTER = re.compile(r"[^a-z0-9]")
SYMBOL_LIMIT = 64
PARQUET_ENDINGS = (".parquet", ".pq")
TEXT_ENDINGS = (".csv", ".txt", ".tsv", ".gz")
SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Column:
    """A column that a file may have: our name for it, its type, and what users call it, in small letters and digits alone.

    ``second_best`` are names that count only where the file has none of ``names``. A ``needed`` column must be there, no cell of a
    ``filled`` one may be empty. ``words`` are the only values that a column of text may have, in any case, with what we call them.
    """

    name: str
    dtype: type[pl.DataType]
    names: tuple[str, ...]
    second_best: tuple[str, ...] = ()
    needed: bool = False
    filled: bool = False
    words: Mapping[str, str] | None = None

    @property
    def title(self) -> str:
        """What the user is told that the column is called."""
        return USUAL_NAMES.get(self.name, self.name)


@dataclass(frozen=True)
class Table:
    """A file as it was read: text where it is a text file. ``separator`` is what stands between its cells, null in Parquet."""

    path: Path
    frame: pl.DataFrame
    separator: str | None

    def refusal(self, sentence: str) -> InputError:
        """The error that names the file and says what is wrong with it."""
        return InputError(f"{self.path}: {sentence}")


def matching_files(pattern: str, setting: str) -> list[Path]:
    """The files that a path or glob means, in the order of their names.

    Raises:
        InputError: there is none; ``setting`` is where the user wrote the pattern.
    """
    found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207  (takes absolute patterns)
    files = [path for path in found if path.is_file()]
    if not files:
        raise InputError(f"{setting} {pattern!r} matches no file; give a CSV or Parquet file or a glob")
    return files


def read_table(path: Path, rows: str = "rows") -> Table:
    """The file as it is; rows of nothing but empty cells are left out of a text file. ``rows`` says what it should hold.

    Raises:
        InputError: it is empty or cannot be read, or its ending is none of those known.
    """
    ending = path.suffix.lower()
    try:
        if ending in PARQUET_ENDINGS:
            return Table(path, pl.read_parquet(path), None)
        if ending in TEXT_ENDINGS:
            separator = _separator(path)
            # Everything as text first: a cell that does not fit can then be named instead of guessed away.
            text = pl.read_csv(path, infer_schema=False, separator=separator)
            return Table(path, text.filter(pl.any_horizontal(pl.all().is_not_null())), separator)
    except pl.exceptions.NoDataError as error:
        raise InputError(f"{path} is empty; give a file with a header and {rows}") from error
    except (pl.exceptions.PolarsError, OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as {path.suffix[1:].upper()}: {str(error).splitlines()[0]}") from error
    raise InputError(f"{path} has the ending {path.suffix!r}; files end in .csv, .csv.gz or .parquet")


def _separator(path: Path) -> str:
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        header = file.readline().decode(errors="replace")
    return max(SEPARATORS, key=header.count)


def read_columns(path: Path, columns: Sequence[Column], rows: str = "rows") -> pl.DataFrame:
    """The columns of a file under our names and with their types; a column that it lacks is null in every row.

    Raises:
        InputError: the file cannot be read, lacks a needed column, or has a cell that does not fit; see ``read_table``.
    """
    table = read_table(path, rows)
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
    """A column's name in small letters and digits alone: ``adjclose`` for "Adj. Close"."""
    return NO_LETTER.sub("", REPEATED.sub("", given.strip().lower()))


def refuse_missing(table: Table, columns: Sequence[Column], found: Mapping[str, str]) -> None:
    """Raise an InputError where a needed column is not there."""
    missing = [column.title for column in columns if column.needed and column.name not in found]
    if missing:
        raise table.refusal(f"column {', '.join(missing)} is missing; it has {', '.join(table.frame.columns)}")


def typed_columns(table: Table, columns: Sequence[Column], found: Mapping[str, str]) -> pl.DataFrame:
    """``columns`` of the file with their types, found by their names in it; null where it lacks one.

    Raises:
        InputError: a cell does not fit.
    """
    height = table.frame.height
    frame = pl.DataFrame(
        [
            _typed(table, column, table.frame[found[column.name]]).alias(column.name)
            if column.name in found
            else pl.Series(column.name, [None], column.dtype).new_from_index(0, height)
            for column in columns
        ]
    )
    for column in columns:
        if column.filled and frame[column.name].has_nulls():
            row = frame[column.name].is_null().arg_true()[0]
            raise table.refusal(f"column {column.title} is empty in row {row + 1}; fill it in or leave the row out")
    return frame


def _typed(table: Table, column: Column, cells: pl.Series) -> pl.Series:
    # Not so for symbols: there are companies that trade as NA.
    given = cells if column.name == SYMBOL or cells.dtype != pl.String else cells.replace(NULL_WORDS, None)
    if not _fits(given.dtype, column.dtype):
        raise table.refusal(f"column {column.title} is of type {given.dtype}, which does not fit")
    typed = _converted(table, column, given)
    lost = given.is_not_null() & typed.is_null() if typed.has_nulls() else None
    if lost is not None and lost.any():
        row = lost.arg_true()[0]
        raise table.refusal(f"column {column.title} has {_shown(given, row)} in row {row + 1}, which is {_reproach(column)}")
    return typed.fill_nan(None) if column.dtype == pl.Float64 else typed


def _converted(table: Table, column: Column, given: pl.Series) -> pl.Series:
    if column.dtype == pl.Date:
        return in_years(given.dt.date()) if given.dtype.is_temporal() else _read_dates(table, column, given.cast(pl.String))
    if column.dtype == pl.Float64:
        return numbers(given, table.separator != ",") if given.dtype == pl.String else given.cast(pl.Float64)
    if column.words is not None:
        plain = given.cast(pl.String).str.strip_chars().str.to_lowercase()
        return plain.replace_strict(dict(column.words), default=None, return_dtype=pl.String)
    return _checked_text(table, column, given.cast(pl.String).str.strip_chars())


def _read_dates(table: Table, column: Column, given: pl.Series) -> pl.Series:
    doubtful = doubtful_date(given)
    if doubtful is not None:
        raise table.refusal(
            f"column {column.title} has {doubtful!r}, and nothing in the file tells the day from the month; write dates such as 2010-08-20"
        )
    return dates(given)


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
