"""Which instrument a symbol stands for, and when: renames, delistings, symbols given to another company."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.ordering import in_order
from stock_pipeline.market_data.tables import FIRST, INSTRUMENT, LAST, SYMBOL_HISTORY

# A symbol that nobody traded for so long and that then comes back belongs to another company.
REUSE_AFTER = timedelta(days=365)
# Bars under a new symbol that end so long before the instrument takes it are another company's, which had given it up.
GIVEN_UP_AFTER = timedelta(days=10)
DAY = timedelta(days=1)
OLD, NEW = "old", "new"
BORNE = "borne"  # whether the instrument of a report bore its symbol when it became known
RENAMES: dict[str, type[pl.DataType]] = {OLD: pl.String, NEW: pl.String, SESSION: pl.Date}


@dataclass(frozen=True)
class SymbolPeriod:
    """One symbol standing for one instrument from ``first`` to ``last`` (None while it lasts)."""

    symbol: str
    first: date
    last: date | None
    instrument: str


def follow_symbols(
    history: pl.DataFrame, last_held: Mapping[str, date], seen: pl.DataFrame, renames: pl.DataFrame, delisted: Mapping[str, date]
) -> pl.DataFrame:
    """The symbol history with new bars, renames and delistings taken into account. The same news again changes nothing.

    Args:
        history: rows of the symbol_history table.
        last_held: the last stored session of each symbol.
        seen: symbol, session of the new bars.
        renames: old, new, session (the first one under the new symbol).
        delisted: symbol to its last session.
    """
    book = _Book(history, last_held)
    in_renames = pl.col(SYMBOL).is_in(pl.concat([renames[OLD], renames[NEW]]).unique().implode())
    book.note(seen.filter(~in_renames))
    moving = seen.filter(in_renames)
    # A symbol that is given up may be taken by another, so bars and renames are noted in the order of their sessions.
    for (session,), of_session in renames.sort(SESSION, OLD).group_by(SESSION, maintain_order=True):
        book.note(moving.filter(pl.col(SESSION) < session))
        moving = moving.filter(pl.col(SESSION) >= session)
        book.rename(of_session.select(OLD, NEW).iter_rows(), session)
    book.note(moving)
    for symbol, last in delisted.items():
        book.end(symbol, last)
    return book.rows()


def renames_by_contract(
    contracts: Mapping[str, str], listed: pl.DataFrame, seen: pl.DataFrame, last_held: Mapping[str, date]
) -> pl.DataFrame:
    """Renames that show in a contract number that comes back under another symbol.

    Args:
        contracts: contract number to the symbol that it is stored under.
        listed: symbol, contract (nullable) as the source has them now.
        seen: symbol, session of the new bars.
        last_held: the last stored session of each symbol.

    Returns:
        old, new, session: the first session of the new symbol after the last one stored under the old.
    """
    rows = []
    for symbol, contract in listed.drop_nulls().iter_rows():
        old = contracts.get(contract)
        if old is None or old == symbol or old not in last_held:
            continue
        first = seen.filter((pl.col(SYMBOL) == symbol) & (pl.col(SESSION) > last_held[old]))[SESSION].min()
        if first is not None:
            rows.append((old, symbol, first))
    return pl.DataFrame(rows, schema=RENAMES, orient="row")


def _segments(seen: pl.DataFrame, reached: Mapping[str, date]) -> pl.DataFrame:
    """First and last session of each unbroken segment of a symbol's bars, cut at ``reached``: symbol, first, last."""
    parted = in_order(seen.select(SYMBOL, SESSION), (SYMBOL, SESSION))
    before = pl.when(pl.col(SYMBOL) == pl.col(SYMBOL).shift(1)).then(pl.col(SESSION).shift(1))
    begins = (pl.col(SESSION) - before > REUSE_AFTER).fill_null(value=False)
    if reached:
        until = pl.col(SYMBOL).replace_strict(reached, default=None, return_dtype=pl.Date)
        begins |= ((pl.col(SESSION) > until) & (before <= until)).fill_null(value=False)
    parted = parted.with_columns(begins.alias("segment"))
    numbered = parted.with_columns(pl.col("segment").cum_sum().over(SYMBOL)) if parted["segment"].any() else parted
    ends = numbered.group_by(SYMBOL, "segment").agg(pl.col(SESSION).min().alias(FIRST), pl.col(SESSION).max().alias(LAST))
    return ends.sort(SYMBOL, FIRST).select(SYMBOL, FIRST, LAST)


class _Book:
    """The periods of every symbol, in order; the last one may be open."""

    def __init__(self, history: pl.DataFrame, last_held: Mapping[str, date]) -> None:
        self.last_held = dict(last_held)
        self.held_before = last_held
        self.periods: dict[str, list[SymbolPeriod]] = {}
        self.symbols_of: dict[str, set[str]] = {}  # of each instrument
        for row in history.select(SYMBOL, FIRST, LAST, INSTRUMENT).sort(FIRST, SYMBOL).iter_rows():
            self._add(SymbolPeriod(*row))

    def _add(self, period: SymbolPeriod) -> None:
        self.periods.setdefault(period.symbol, []).append(period)
        self.symbols_of.setdefault(period.instrument, set()).add(period.symbol)

    def _add_another(self, symbol: str, first: date) -> None:
        taken = symbol in self.symbols_of
        self._add(SymbolPeriod(symbol, first, None, f"{symbol}@{first}" if taken else symbol))

    def note(self, seen: pl.DataFrame) -> None:
        """Take in new bars, given by symbol and session."""
        reached = {symbol: self._until(held[-1]) for symbol, held in self.periods.items()}
        for symbol, first, last in _segments(seen, reached).iter_rows():
            self._note_segment(symbol, first, last)

    def _until(self, period: SymbolPeriod) -> date:
        """The last known session under the symbol."""
        return period.last or max(self.last_held.get(period.symbol, period.first), period.first)

    def _note_segment(self, symbol: str, first: date, last: date) -> None:
        held = self.periods.get(symbol)
        if not held:
            self._add_another(symbol, first)
            self.last_held[symbol] = last
            return
        if first < held[0].first and not self._came_by_rename(held[0]):
            held[0] = replace(held[0], first=first)
        latest = held[-1]
        until = self._until(latest)
        if last > until:
            self._go_on(held, latest, until, max(first, until + DAY))
            self.last_held[symbol] = last

    def _go_on(self, held: list[SymbolPeriod], latest: SymbolPeriod, until: date, first: date) -> None:
        if first - until > REUSE_AFTER or self._has_moved_on(latest):
            held[-1] = replace(latest, last=until)
            self._add_another(latest.symbol, first)
        elif latest.last is not None:
            held[-1] = replace(latest, last=None)  # it was not delisted after all

    def _has_moved_on(self, period: SymbolPeriod) -> bool:
        """Whether the instrument took another symbol after this one."""
        others = (other for symbol in self.symbols_of[period.instrument] for other in self.periods[symbol])
        return any(other.instrument == period.instrument and other.first > period.first for other in others)

    def _came_by_rename(self, period: SymbolPeriod) -> bool:
        """Whether the instrument had another symbol before; bars from before then are not its own."""
        earlier = (self.periods[symbol][0].first for symbol in self.symbols_of[period.instrument] - {period.symbol})
        return any(first < period.first for first in earlier)

    def rename(self, told: Iterable[tuple[str, str]], session: date) -> None:
        """Take in the renames of a session, (old, new): from it on the instrument of each ``old`` trades as ``new``.

        They happen at once: a symbol that one instrument gives up may be taken by another on the same day. Of several from one symbol
        or to one, the first counts.
        """
        taken: dict[str, str] = {}  # new symbol to its instrument
        for old, new in told:
            held = self.periods.get(old, [])
            if new in taken or not held or held[-1].first >= session or self._has_moved_on(held[-1]):
                continue
            if held[-1].instrument in taken.values() or (held[-1].last or date.min) >= session:
                continue
            taken[new] = held[-1].instrument
            held[-1] = replace(held[-1], last=session - DAY)
        for new, instrument in taken.items():
            self._take(new, session, instrument)

    def _take(self, new: str, session: date, instrument: str) -> None:
        others = self.periods.setdefault(new, [])
        if others and others[-1].last is None:
            until = self._until(others[-1])
            if self.held_before.get(new, session) < session or session - until > GIVEN_UP_AFTER:
                others[-1] = replace(others[-1], last=until)  # another company's, which has given it up
            else:
                others.pop()  # the same company's, reported under the new symbol too
        self._add(SymbolPeriod(new, session, None, instrument))

    def end(self, symbol: str, last: date) -> None:
        """Take in a delisting; ``last`` was the symbol's last session."""
        held = self.periods.get(symbol, [])
        if held and held[-1].last is None:
            held[-1] = replace(held[-1], last=max(last, held[-1].first))

    def rows(self) -> pl.DataFrame:
        """The rows of the symbol_history table."""
        rows = [(t.symbol, t.first, t.last, t.instrument) for held in self.periods.values() for t in held]
        return pl.DataFrame(rows, schema=SYMBOL_HISTORY.dtypes, orient="row").sort(SYMBOL, FIRST)


def under_latest_symbol(rows: pl.DataFrame, history: pl.DataFrame, night: date) -> pl.DataFrame:
    """``rows`` (symbol, session, ...) of each instrument under one symbol: the one it bore last on ``night``.

    An earlier holder of a symbol that another company has now gets its first session as a suffix, as in GM@1962-01-02. Rows of a
    symbol outside of every period (the same company's, reported again under its new symbol) are left out.
    """
    involved = _involved(history)
    if involved.is_empty():
        return rows
    concerned = pl.col(SYMBOL).is_in(involved.implode())
    periods = history.filter(concerned & (pl.col(FIRST) <= night)).sort(FIRST)
    shown = _shown_names(periods)
    moved = (
        _within_periods(rows.filter(concerned), periods)
        .with_columns(pl.col(INSTRUMENT).replace_strict(shown, default=None, return_dtype=pl.String).alias(SYMBOL))
        .select(rows.columns)
    )
    return pl.concat([rows.filter(~concerned), moved]).sort(SYMBOL, SESSION)


def shown_symbols(history: pl.DataFrame, night: date) -> pl.DataFrame:
    """The symbol under which ``under_latest_symbol`` shows each instrument on ``night``: instrument, symbol."""
    shown = _shown_names(history.filter(pl.col(FIRST) <= night))
    return pl.DataFrame({INSTRUMENT: list(shown), SYMBOL: list(shown.values())}, schema={INSTRUMENT: pl.String, SYMBOL: pl.String})


def with_instruments(rows: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """``rows`` (symbol, session, ...) with the instrument of each: the one that bore the symbol on the session.

    Rows that ``under_latest_symbol`` leaves out are left out here too. A symbol without a history is an instrument of its own.
    """
    concerned = pl.col(SYMBOL).is_in(_involved(history).implode())
    instrument = pl.coalesce(INSTRUMENT, SYMBOL).alias(INSTRUMENT)
    alone = rows.filter(~concerned).join(history.select(SYMBOL, INSTRUMENT), on=SYMBOL, how="left").with_columns(instrument)
    moved = _within_periods(rows.filter(concerned), history.sort(FIRST))
    return pl.concat([alone, moved.select(alone.columns)])


def reporting_instruments(rows: pl.DataFrame, history: pl.DataFrame, day: str) -> pl.DataFrame:
    """``rows`` of reports (symbol, ``day``, ...) with the instrument of each, which need not have traded when it reported.

    It is the one that bore the symbol on ``day``, the night on which the report became known; if none did, the next one that
    bears it (reports are older than the first bar, or a vendor lists a past under today's symbol), or else the last before.
    ``borne`` tells the first case from the others. A symbol without a history is an instrument of its own.
    """
    periods = history.select(SYMBOL, FIRST, LAST, INSTRUMENT).sort(FIRST)
    ahead = periods.select(SYMBOL, FIRST, pl.col(INSTRUMENT).alias("next"))
    joined = rows.sort(day, maintain_order=True)
    # Sorted they are, which Polars cannot see within the groups.
    joined = joined.join_asof(periods, left_on=day, right_on=FIRST, by=SYMBOL, strategy="backward", check_sortedness=False)
    joined = joined.join_asof(ahead, left_on=day, right_on=FIRST, by=SYMBOL, strategy="forward", check_sortedness=False)
    borne = pl.col(INSTRUMENT).is_not_null() & (pl.col(LAST).is_null() | (pl.col(day) <= pl.col(LAST)))
    instrument = pl.when(borne).then(INSTRUMENT).otherwise(pl.coalesce("next", INSTRUMENT, SYMBOL))
    return joined.select(*rows.columns, instrument.alias(INSTRUMENT), borne.alias(BORNE))


def _involved(history: pl.DataFrame) -> pl.Series:
    """The symbols of more than one instrument, and of instruments of more than one symbol."""
    # Of the whole history: what a source repeats under a later symbol is not another company on an earlier night either.
    return history.filter((pl.len().over(SYMBOL) > 1) | (pl.len().over(INSTRUMENT) > 1))[SYMBOL].unique()


def _within_periods(rows: pl.DataFrame, periods: pl.DataFrame) -> pl.DataFrame:
    """The rows that lie within a period of their symbol, with its columns; ``periods`` in the order of their first sessions."""
    return (
        rows.sort(SESSION)
        .join_asof(periods, left_on=SESSION, right_on=FIRST, by=SYMBOL, strategy="backward", check_sortedness=False)
        .filter(pl.col(INSTRUMENT).is_not_null() & (pl.col(LAST).is_null() | (pl.col(SESSION) <= pl.col(LAST))))
    )


def _shown_names(periods: pl.DataFrame) -> dict[str, str]:
    """The symbol that each instrument is shown under."""
    in_order = periods.sort(FIRST)
    holders = dict(in_order.select(SYMBOL, INSTRUMENT).iter_rows())  # the last one stays
    latest = {instrument: (symbol, first) for instrument, symbol, first in in_order.select(INSTRUMENT, SYMBOL, FIRST).iter_rows()}
    return {instrument: symbol if holders[symbol] == instrument else f"{symbol}@{first}" for instrument, (symbol, first) in latest.items()}
