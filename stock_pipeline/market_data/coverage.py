"""Coverage: how many of the symbols that should have a bar of the last session do have one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.market_data.tables import FIRST, INSTRUMENT, LAST, SYMBOL_HISTORY, UNIVERSE_MEMBERS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores

SESSIONS_BEFORE = 20


@dataclass(frozen=True)
class Coverage:
    """The last session, how many symbols were expected on it, which of them have no bar, and whether the user ``listed`` them."""

    session: date | None
    expected: int
    missing: tuple[str, ...]
    listed: bool = False

    @property
    def share(self) -> float:
        """The share of the expected symbols that have a bar; 0 where there is no bar at all, or no symbol of a list is left."""
        if self.expected:
            return (self.expected - len(self.missing)) / self.expected
        return float(self.session is not None and not self.listed)


def coverage_of(stores: Stores, settings: Settings, bars: pl.DataFrame) -> Coverage:
    """The coverage of the last session among ``bars`` (symbol, session of every bar in force), with the store's members and history."""
    return coverage_among(bars, settings.source.symbols, stores.read(UNIVERSE_MEMBERS), stores.read(SYMBOL_HISTORY))


def coverage_among(bars: pl.DataFrame, chosen: tuple[str, ...] | None, members: pl.DataFrame, history: pl.DataFrame) -> Coverage:
    """The coverage of the last session among ``bars`` (symbol, session).

    Expected are the ``chosen`` symbols, or else the members of the universe on that session, or else the symbols that traded on
    most of the sessions before it; each under the symbol that its instrument bore, never those delisted by then.

    Args:
        bars: symbol, session.
        chosen: the symbols of the settings.
        members: rows of universe_members.
        history: rows of symbol_history.
    """
    session = bars[SESSION].max()
    if not isinstance(session, date):
        return Coverage(None, 0, ())
    wanted = symbols_borne(expected_symbols(chosen, members, bars, session), history, session)
    missing = wanted - set(bars.filter(pl.col(SESSION) == session)[SYMBOL])
    return Coverage(session, len(wanted), tuple(sorted(missing)), chosen is not None or members.height > 0)


def expected_symbols(chosen: tuple[str, ...] | None, members: pl.DataFrame, bars: pl.DataFrame, session: date) -> set[str]:
    """The symbols that should have a bar of ``session``.

    Args:
        chosen: the symbols of the settings; None where they name none.
        members: rows of universe_members; used where ``chosen`` is None.
        bars: symbol, session; used where there are no members either.
        session: the session to judge.
    """
    if chosen is not None:
        return set(chosen)
    if members.height:
        return set(members.filter((pl.col(FIRST) <= session) & (pl.col(LAST).is_null() | (pl.col(LAST) >= session)))[SYMBOL])
    before = bars.filter(pl.col(SESSION) < session)[SESSION].unique().sort().tail(SESSIONS_BEFORE)
    recent = bars.filter(pl.col(SESSION).is_in(before.implode())).group_by(SYMBOL).len()
    return set(recent.filter(pl.col("len") * 2 > before.len())[SYMBOL])


def symbols_borne(symbols: Iterable[str], history: pl.DataFrame, session: date) -> set[str]:
    """The symbols that the instruments meant by ``symbols`` bore on ``session``; without those that bore none then.

    A symbol means the last instrument that had taken it by then, or else the next one to take it, or itself where it has no history.
    """
    begun = history.filter(pl.col(FIRST) <= session).sort(FIRST)
    taken = begun.group_by(SYMBOL).last()
    to_come = history.filter(pl.col(FIRST) > session).sort(FIRST).group_by(SYMBOL).first().join(taken, on=SYMBOL, how="anti")
    meant = pl.concat([taken, to_come]).select(SYMBOL, INSTRUMENT)
    borne = begun.filter(pl.col(LAST).is_null() | (pl.col(LAST) >= session)).select(INSTRUMENT, pl.col(SYMBOL).alias("borne"))
    asked = pl.DataFrame({SYMBOL: sorted(symbols)}, schema={SYMBOL: pl.String}).join(meant, on=SYMBOL, how="left")
    unknown = asked.filter(pl.col(INSTRUMENT).is_null())[SYMBOL]
    return {*unknown, *asked.join(borne, on=INSTRUMENT, how="inner")["borne"]}
