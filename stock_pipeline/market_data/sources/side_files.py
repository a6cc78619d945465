"""The files that a user may bring beside the bars: actions, fundamentals, instruments, a universe's members, renames, checked bars.

Each reader takes a path or a glob, reads the files in the order of their names, and raises an InputError that names file, column and
value where something is wrong with one of them. Columns are known by their usual names in any case; unknown ones are passed over.
"""

import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from stock_pipeline.core.columns import INDUSTRY, NAME, SECTOR, SESSION, SYMBOL, VALUE
from stock_pipeline.core.errors import InputError
from stock_pipeline.core.reports import ASSETS, DEBT, EQUITY, NET_INCOME, OPERATING_INCOME, QUARTER, REVENUE, SHARES, YEAR
from stock_pipeline.market_data.sources import tabular
from stock_pipeline.market_data.sources.cells import COMMA, NULL_WORDS, POINT, numbers
from stock_pipeline.market_data.sources.source import FUNDAMENTALS
from stock_pipeline.market_data.tables import CAPTURED, CONTRACT, CURRENCY, EXCHANGE, ITEM, KIND, PERIOD, PERIOD_END

FIRST: Final = "first"  # first day as a member of the universe
LAST: Final = "last"  # the last day; null while it lasts
OLD: Final = "old"
NEW: Final = "new"

_SYMBOL = tabular.Column(SYMBOL, pl.String, ("symbol", "ticker"), needed=True, filled=True)
ACTION_COLUMNS = (
    _SYMBOL,
    tabular.Column(SESSION, pl.Date, ("date", "exdate", "session"), needed=True, filled=True),
    tabular.Column(
        KIND, pl.String, ("kind",), ("type", "action"), needed=True, filled=True, words={"split": "split", "dividend": "dividend"}
    ),
    tabular.Column(VALUE, pl.Float64, ("value", "ratio", "amount"), needed=True, filled=True),
    tabular.Column(CAPTURED, pl.Date, ("captured", "known", "seen")),
)
INSTRUMENT_COLUMNS = (
    _SYMBOL,
    tabular.Column(NAME, pl.String, ("name",), ("company", "companyname", "security")),
    tabular.Column(EXCHANGE, pl.String, ("exchange",)),
    tabular.Column(CURRENCY, pl.String, ("currency",)),
    tabular.Column(SECTOR, pl.String, ("sector",), ("gicssector",)),
    tabular.Column(INDUSTRY, pl.String, ("industry",), ("gicssubindustry",)),
    tabular.Column(CONTRACT, pl.String, ("contract", "conid")),
)
MEMBERSHIP_COLUMNS = (
    _SYMBOL,
    tabular.Column(FIRST, pl.Date, ("first", "startdate", "start"), needed=True, filled=True),
    tabular.Column(LAST, pl.Date, ("last", "enddate", "end")),
)
CHECKED_COLUMNS = (_SYMBOL, tabular.Column(SESSION, pl.Date, ("session", "date"), needed=True, filled=True))
RENAME_COLUMNS = (
    tabular.Column(OLD, pl.String, ("old",), needed=True, filled=True),
    tabular.Column(NEW, pl.String, ("new",), needed=True, filled=True),
    tabular.Column(SESSION, pl.Date, ("session", "date"), needed=True, filled=True),
)
PERIODS = {QUARTER: QUARTER, YEAR: YEAR, "fy": YEAR, "q1": QUARTER, "q2": QUARTER, "q3": QUARTER, "q4": QUARTER}
REPORT_COLUMNS = (
    _SYMBOL,
    tabular.Column(PERIOD_END, pl.Date, ("periodend", "enddate"), needed=True, filled=True),
    tabular.Column(PERIOD, pl.String, ("period", "periodfocus"), needed=True, filled=True, words=PERIODS),
    tabular.Column(CURRENCY, pl.String, ("currency",)),
    tabular.Column(CAPTURED, pl.Date, ("captured", "firstseen")),
)
LONG_COLUMNS = (
    *REPORT_COLUMNS,
    tabular.Column(ITEM, pl.String, ("item",), needed=True, filled=True),
    tabular.Column(VALUE, pl.Float64, ("value",), needed=True),
)
ITEM_COLUMNS = (
    tabular.Column(REVENUE, pl.Float64, ("revenue", "revenues", "totalrevenue", "totalrevenues")),
    tabular.Column(OPERATING_INCOME, pl.Float64, ("operatingincome", "opincome", "operatingincomeloss")),
    tabular.Column(NET_INCOME, pl.Float64, ("netincome", "netincomeloss")),
    tabular.Column(EQUITY, pl.Float64, ("equity", "stockholdersequity", "totalstockholdersequity")),
    tabular.Column(ASSETS, pl.Float64, ("assets", "totalassets")),
    tabular.Column(DEBT, pl.Float64, ("debt", "totaldebt")),
    tabular.Column(SHARES, pl.Float64, ("shares", "sharesoutstanding", "commonstocksharesoutstanding", "ordinarysharesnumber")),
)
# Numbers that say which report it is, not what it says.
NO_ITEMS = {"", "unnamed0", "index", "year", "fiscalyear", "quarter", "fiscalquarter", "cik"}


def read_actions(pattern: str) -> pl.DataFrame:
    """Splits and dividends: symbol, date, kind (split or dividend), value (new shares per old share, or cash per share).

    Returns:
        The columns of ACTIONS, values above zero. Rows that are wholly the same are one; dividends that differ are several.

    Raises:
        InputError: besides, two splits of one symbol and session, captured on the same day, differ.
    """
    setting = "source.actions_path"
    actions = _read_all(pattern, setting, _reader(ACTION_COLUMNS, pl.col(VALUE) <= 0, VALUE, "not above zero")).unique(maintain_order=True)
    splits = actions.filter(pl.col(KIND) == "split")
    _refuse_differing(splits, [SYMBOL, SESSION, CAPTURED], f"setting {setting} {pattern!r}: splits of {{}} on {{}} are")
    return actions


def read_instruments(pattern: str) -> pl.DataFrame:
    """Particulars of instruments: symbol, and if there are any name, exchange, currency, sector, industry, contract.

    Returns:
        The columns of INSTRUMENTS, one row per symbol: the last one, if the files have several.
    """
    every = _read_all(pattern, "source.instruments_path", lambda path: tabular.read_columns(path, INSTRUMENT_COLUMNS))
    return every.unique(SYMBOL, keep="last", maintain_order=True)


def read_fundamentals(pattern: str) -> pl.DataFrame:
    """Figures of quarterly and annual reports, one per row or one per column.

    A long file has symbol, period_end, period (quarter or year; also Q1 to Q4 and FY), item and value; a wide one has a column per
    item instead: revenue, operating_income, net_income, equity, assets, debt, shares, and any further column of numbers under its
    own name in small letters. Either may have currency and captured (the day from which the report was known).

    Returns:
        The columns of FUNDAMENTALS, without rows whose value is not given. Rows that are wholly the same are one.

    Raises:
        InputError: besides, two rows report one figure, captured on the same day, differently.
    """
    setting = "source.fundamentals_path"
    figures = _read_all(pattern, setting, _fundamentals_of).unique(maintain_order=True)
    key = [SYMBOL, PERIOD_END, PERIOD, ITEM, CAPTURED]
    _refuse_differing(figures, key, f"setting {setting} {pattern!r}: {{3}} of {{0}} for the {{2}} to {{1}} is")
    return figures


def read_memberships(pattern: str) -> pl.DataFrame:
    """The members of the universe: symbol, first day, last day (empty: still a member). A symbol may have several rows.

    Returns:
        symbol, first, last (null for a member of today), in the order of symbol and first.

    Raises:
        InputError: besides, the files list nobody.
    """
    setting = "source.universe_path"
    read = _reader(MEMBERSHIP_COLUMNS, pl.col(LAST) < pl.col(FIRST), LAST, "before first")
    members = _read_all(pattern, setting, read).sort(SYMBOL, FIRST)
    if members.is_empty():
        raise InputError(
            f"setting {setting} {pattern!r} lists no member: there is a header and no row; give a row per member, "
            "or leave the setting out, so that every stock is one"
        )
    return members


def read_renames(pattern: str) -> pl.DataFrame:
    """Changes of symbol: old, new, session (the first one under the new symbol).

    Returns:
        old, new, session, in the order of session.
    """
    read = _reader(RENAME_COLUMNS, pl.col(OLD) == pl.col(NEW), NEW, "the same as old")
    return _read_all(pattern, "source.renames_path", read).sort(SESSION, OLD, NEW)


def read_checked_bars(pattern: str) -> pl.DataFrame:
    """Bars that a person has found right, although a quality rule doubts them: symbol, session."""
    return _read_all(pattern, "source.confirmed_path", lambda path: tabular.read_columns(path, CHECKED_COLUMNS))


def _read_all(pattern: str, setting: str, read: Callable[[Path], pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([read(path) for path in matching_files(pattern, f"setting {setting}")])


def _reader(columns: Sequence[tabular.Column], wrong: pl.Expr, column: str, reproach: str) -> Callable[[Path], pl.DataFrame]:
    """Reads the columns of a file, and refuses one with a row that is ``wrong`` in its ``column``."""

    def read(path: Path) -> pl.DataFrame:
        table = tabular.read_table(path)
        frame = tabular.columns_of(table, columns)
        rows = frame.select(wrong.fill_null(False).arg_true()).to_series()
        if rows.len():
            value = str(frame[column][rows[0]])
            raise table.refusal(f"column {column} has {value!r} in {table.place(rows[0])}, which is {reproach}; correct it")
        return frame

    return read


def _refuse_differing(rows: pl.DataFrame, key: list[str], about: str) -> None:
    """Raise an InputError where rows that are not the same share a key; ``about`` names the key by its place in it."""
    differing = rows.filter(pl.struct(key).is_duplicated())
    if differing.height:
        first, second = differing.sort(key, maintain_order=True).head(2).to_dicts()
        values = [" ".join(str(row[name]) for name in (VALUE, CURRENCY) if row.get(name) is not None) for row in (first, second)]
        subject = about.format(*(first[name] for name in key))
        raise InputError(f"{subject} reported as {values[0]} and as {values[1]}; keep one, or give the days in a column captured")


def _fundamentals_of(path: Path) -> pl.DataFrame:
    table = tabular.read_table(path)
    found = tabular.find_columns(table, LONG_COLUMNS)
    rows = _long(table, found) if ITEM in found else _wide(table)
    return rows.filter(pl.col(VALUE).is_not_null()).select(list(FUNDAMENTALS))


def _long(table: tabular.Table, found: dict[str, str]) -> pl.DataFrame:
    tabular.refuse_missing(table, LONG_COLUMNS, found)
    rows = tabular.typed_columns(table, LONG_COLUMNS, found)
    given = rows[ITEM].unique()
    return rows.with_columns(pl.col(ITEM).replace_strict(given, [_item_name(item) for item in given]))


def _wide(table: tabular.Table) -> pl.DataFrame:
    reports = tabular.find_columns(table, REPORT_COLUMNS)
    tabular.refuse_missing(table, REPORT_COLUMNS, reports)
    known = {*reports.values(), *tabular.find_columns(table, ITEM_COLUMNS).values()}
    others = [name for name in table.frame.columns if name not in known and _holds_figures(table, name)]
    columns = [*ITEM_COLUMNS, *(tabular.Column(_item_name(name), pl.Float64, (tabular.plain_name(name),)) for name in others)]
    figures = tabular.find_columns(table, columns)
    if not figures:
        has = ", ".join(table.frame.columns)
        raise table.refusal(f"column item, value is missing, and there is none per item such as revenue; it has {has}")
    items = [column for column in columns if column.name in figures]
    wide = tabular.typed_columns(table, [*REPORT_COLUMNS, *items], reports | figures)
    return wide.unpivot(index=[column.name for column in REPORT_COLUMNS], on=list(figures), variable_name=ITEM, value_name=VALUE)


def _item_name(given: str) -> str:
    known = (column.name for column in ITEM_COLUMNS if tabular.plain_name(given) in column.names)
    return next(known, "_".join(given.strip().lower().split()))


def _holds_figures(table: tabular.Table, name: str) -> bool:
    """Whether every cell of a column that we have no word for is a number or empty."""
    cells = table.frame[name]
    if tabular.plain_name(name) in NO_ITEMS:
        return False
    if cells.dtype != pl.String:
        return cells.dtype.is_numeric()
    text = cells.replace(NULL_WORDS, None)
    return any(numbers(text, sign).null_count() == text.null_count() for sign in (POINT, COMMA))


def matching_files(pattern: str, setting: str) -> list[Path]:
    """The files that a path or glob means, in the order of their names.

    Raises:
        InputError: there is none; ``setting`` is where the user wrote the pattern.
    """
    literal = Path(os.path.expanduser(pattern))  # noqa: PTH111  (Path.expanduser raises where there is no such user)
    if literal.is_file():
        return [literal]
    if literal.is_dir():
        raise InputError(f"{setting} {pattern!r} is a folder; give the files in it, such as {str(literal / '*.csv')!r}")
    found = sorted(Path(name) for name in glob.glob(str(literal), recursive=True))  # noqa: PTH207  (takes absolute patterns)
    files = [path for path in found if path.is_file()]
    if not files:
        raise InputError(f"{setting} {pattern!r} matches no file; give a CSV or Parquet file or a glob")
    return files
