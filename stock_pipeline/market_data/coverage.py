"""How many of the symbols that should have a bar of the last session do have one."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.market_data.tables import FIRST, LAST, SYMBOL_HISTORY, UNIVERSE_MEMBERS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores

SESSIONS_BEFORE = 20


@dataclass(frozen=True)
class Coverage:
    """The last session, how many symbols were expected on it, and which of them have no bar."""

    session: date | None
    expected: int
    missing: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of the expected symbols that have a bar; 0 where there is no bar at all."""
        return 1 - len(self.missing) / self.expected if self.expected else float(self.session is not None)


def coverage_of(stores: Stores, settings: Settings, bars: pl.DataFrame) -> Coverage:
    """The coverage of the last session among ``bars`` (symbol, session of every bar in force).

    Expected are the symbols of the settings, or else the members of the universe on that session, or else the symbols that
    traded on most of the sessions before it; never those known to be renamed or delisted by then.
    """
    session = bars[SESSION].max()
    if not isinstance(session, date):
        return Coverage(None, 0, ())
    members = stores.read(UNIVERSE_MEMBERS)
    expected = expected_symbols(settings.source.symbols, members, bars, session)
    ended = stores.read(SYMBOL_HISTORY).group_by(SYMBOL).agg(pl.col(LAST).sort_by(FIRST).last()).filter(pl.col(LAST) < session)
    wanted = expected - set(ended[SYMBOL])
    return Coverage(session, len(wanted), tuple(sorted(wanted - set(bars.filter(pl.col(SESSION) == session)[SYMBOL]))))


def expected_symbols(chosen: tuple[str, ...] | None, members: pl.DataFrame, bars: pl.DataFrame, session: date) -> set[str]:
    """The symbols that should have a bar of ``session``; see ``coverage_of``."""
    if chosen is not None:
        return set(chosen)
    if members.height:
        return set(members.filter((pl.col(FIRST) <= session) & (pl.col(LAST).is_null() | (pl.col(LAST) >= session)))[SYMBOL])
    before = bars.filter(pl.col(SESSION) < session)[SESSION].unique().sort().tail(SESSIONS_BEFORE)
    recent = bars.filter(pl.col(SESSION).is_in(before.implode())).group_by(SYMBOL).len()
    return set(recent.filter(pl.col("len") * 2 > before.len())[SYMBOL])
