"""Which instrument a symbol stands for, and when: renames, delistings, symbols given to another company."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.market_data.tables import FIRST, INSTRUMENT, LAST, SYMBOL_HISTORY

# A symbol that nobody traded for so long and that then comes back belongs to another company.
REUSE_AFTER = timedelta(days=365)
DAY = timedelta(days=1)
OLD, NEW = "old", "new"
RENAMES: dict[str, type[pl.DataType]] = {OLD: pl.String, NEW: pl.String, SESSION: pl.Date}


@dataclass(frozen=True)
class Tenure:
    """One symbol standing for one instrument from ``first`` to ``last`` (None while it lasts)."""

    symbol: str
    first: date
    last: date | None
    instrument: str


def follow_symbols(
    history: pl.DataFrame, last_held: Mapping[str, date], seen: pl.DataFrame, renames: pl.DataFrame, delisted: Mapping[str, date]
) -> pl.DataFrame:
    """The symbol history once new bars, renames and delistings are taken into account. Told twice, it stays as it is.

    Args:
        history: rows of the symbol_history table.
        last_held: the last stored session of each symbol.
        seen: symbol, session of the new bars.
        renames: old, new, session (the first one under the new symbol).
        delisted: symbol to its last session.
    """
    book = _Book(history, last_held)
    for symbol, first, last in _spells(seen).iter_rows():
        book.note_bars(symbol, first, last)
    for old, new, session in renames.select(OLD, NEW, SESSION).sort(SESSION, OLD).iter_rows():
        book.rename(old, new, session)
    for symbol, last in delisted.items():
        book.end(symbol, last)
    return book.rows()


def renames_by_contract(
    contracts: Mapping[str, str], told: pl.DataFrame, seen: pl.DataFrame, last_held: Mapping[str, date]
) -> pl.DataFrame:
    """Renames that show in a contract number that comes back under another symbol.

    Args:
        contracts: contract number to the symbol that it is stored under.
        told: symbol, contract (nullable) as the source has them now.
        seen: symbol, session of the new bars.
        last_held: the last stored session of each symbol.

    Returns:
        old, new, session: the first session of the new symbol after the last one stored under the old.
    """
    rows = []
    for symbol, contract in told.drop_nulls().iter_rows():
        old = contracts.get(contract)
        if old is None or old == symbol or old not in last_held:
            continue
        first = seen.filter((pl.col(SYMBOL) == symbol) & (pl.col(SESSION) > last_held[old]))[SESSION].min()
        if first is not None:
            rows.append((old, symbol, first))
    return pl.DataFrame(rows, schema=RENAMES, orient="row")


def _spells(seen: pl.DataFrame) -> pl.DataFrame:
    """First and last session of each unbroken stretch of a symbol's bars: symbol, first, last."""
    begins = (pl.col(SESSION).diff().over(SYMBOL) > REUSE_AFTER).fill_null(value=False)
    parted = seen.select(SYMBOL, SESSION).sort(SESSION).with_columns(begins.alias("spell"))
    numbered = parted.with_columns(pl.col("spell").cum_sum().over(SYMBOL)) if parted["spell"].any() else parted
    ends = numbered.group_by(SYMBOL, "spell").agg(pl.col(SESSION).min().alias(FIRST), pl.col(SESSION).max().alias(LAST))
    return ends.sort(SYMBOL, FIRST).select(SYMBOL, FIRST, LAST)


class _Book:
    """The tenures of every symbol, in order; the last one may be open."""

    def __init__(self, history: pl.DataFrame, last_held: Mapping[str, date]) -> None:
        self.last_held = dict(last_held)
        self.tenures: dict[str, list[Tenure]] = {}
        self.symbols_of: dict[str, set[str]] = {}  # of each instrument
        for row in history.select(SYMBOL, FIRST, LAST, INSTRUMENT).sort(FIRST, SYMBOL).iter_rows():
            self._add(Tenure(*row))

    def _add(self, tenure: Tenure) -> None:
        self.tenures.setdefault(tenure.symbol, []).append(tenure)
        self.symbols_of.setdefault(tenure.instrument, set()).add(tenure.symbol)

    def _add_another(self, symbol: str, first: date) -> None:
        taken = symbol in self.symbols_of
        self._add(Tenure(symbol, first, None, f"{symbol}@{first}" if taken else symbol))

    def note_bars(self, symbol: str, first: date, last: date) -> None:
        """Bars of ``symbol`` from ``first`` to ``last`` without a long gap."""
        held = self.tenures.get(symbol)
        if not held:
            self._add_another(symbol, first)
            self.last_held[symbol] = last
            return
        if first < held[0].first and not self._came_by_rename(held[0]):
            held[0] = replace(held[0], first=first)
        latest = held[-1]
        until = latest.last or self.last_held.get(symbol) or latest.first
        if last > until:
            self._go_on(held, latest, until, max(first, until + DAY))
            self.last_held[symbol] = last

    def _go_on(self, held: list[Tenure], latest: Tenure, until: date, first: date) -> None:
        went_elsewhere = latest.last is not None and len(self.symbols_of[latest.instrument]) > 1
        if first - until > REUSE_AFTER or went_elsewhere:
            held[-1] = replace(latest, last=until)
            self._add_another(latest.symbol, first)
        elif latest.last is not None:
            held[-1] = replace(latest, last=None)  # it was not delisted after all

    def _came_by_rename(self, tenure: Tenure) -> bool:
        """Whether the instrument had another symbol before; bars from before then are not its own."""
        earlier = (self.tenures[symbol][0].first for symbol in self.symbols_of[tenure.instrument] - {tenure.symbol})
        return any(first < tenure.first for first in earlier)

    def rename(self, old: str, new: str, session: date) -> None:
        """From ``session`` on the instrument of ``old`` trades as ``new``."""
        held = self.tenures.get(old, [])
        if not held or held[-1].last is not None or held[-1].first >= session:
            return
        instrument = held[-1].instrument
        held[-1] = replace(held[-1], last=session - DAY)
        others = self.tenures.setdefault(new, [])
        if others and others[-1].last is None:
            if self.last_held.get(new, session) < session:
                others[-1] = replace(others[-1], last=self.last_held[new])  # another company's, which has given it up
            else:
                others.pop()  # the same company's, told under the new symbol before the rename was
        self._add(Tenure(new, session, None, instrument))

    def end(self, symbol: str, last: date) -> None:
        """The symbol is delisted; ``last`` was its last session."""
        held = self.tenures.get(symbol, [])
        if held and held[-1].last is None:
            held[-1] = replace(held[-1], last=max(last, held[-1].first))

    def rows(self) -> pl.DataFrame:
        """The rows of the symbol_history table."""
        rows = [(t.symbol, t.first, t.last, t.instrument) for held in self.tenures.values() for t in held]
        return pl.DataFrame(rows, schema=SYMBOL_HISTORY.dtypes, orient="row").sort(SYMBOL, FIRST)


def under_latest_symbol(rows: pl.DataFrame, history: pl.DataFrame, night: date) -> pl.DataFrame:
    """``rows`` (symbol, session, ...) of each instrument under one symbol: the one it bore last on ``night``.

    An earlier holder of a symbol that another company has now bears its own first session besides, as in GM@1962-01-02. Rows of
    a symbol outside of every tenure (the same company's, told again under its new symbol) are left out.
    """
    known = history.filter(pl.col(FIRST) <= night)
    plain = known.group_by(SYMBOL).len().filter(pl.col("len") == 1)
    single = known.group_by(INSTRUMENT).len().filter(pl.col("len") == 1)
    involved = known.join(plain, on=SYMBOL, how="anti")[SYMBOL].to_list() + known.join(single, on=INSTRUMENT, how="anti")[SYMBOL].to_list()
    if not involved:
        return rows
    concerned = pl.col(SYMBOL).is_in(sorted(set(involved)))
    tenures = known.filter(concerned).sort(FIRST)
    shown = _shown_names(tenures)
    moved = (
        rows.filter(concerned)
        .sort(SESSION)
        .join_asof(tenures, left_on=SESSION, right_on=FIRST, by=SYMBOL, strategy="backward", check_sortedness=False)
        .filter(pl.col(INSTRUMENT).is_not_null() & (pl.col(LAST).is_null() | (pl.col(SESSION) <= pl.col(LAST))))
        .with_columns(pl.col(INSTRUMENT).replace_strict(shown, default=None, return_dtype=pl.String).alias(SYMBOL))
        .select(rows.columns)
    )
    return pl.concat([rows.filter(~concerned), moved]).sort(SYMBOL, SESSION)


def _shown_names(tenures: pl.DataFrame) -> dict[str, str]:
    """Of each instrument the symbol that it is shown under."""
    in_order = tenures.sort(FIRST)
    holders = dict(in_order.select(SYMBOL, INSTRUMENT).iter_rows())  # the last one stays
    latest = {instrument: (symbol, first) for instrument, symbol, first in in_order.select(INSTRUMENT, SYMBOL, FIRST).iter_rows()}
    return {instrument: symbol if holders[symbol] == instrument else f"{symbol}@{first}" for instrument, (symbol, first) in latest.items()}
