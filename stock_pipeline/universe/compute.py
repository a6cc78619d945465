"""The universe of each session from the bars up to it: of every session of a panel or only the last ones, with identical rows."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, SESSION, SUSPECT, SYMBOL, VOLUME
from stock_pipeline.core.ordering import in_order
from stock_pipeline.market_data.tables import FIRST, LAST
from stock_pipeline.settings import UniverseSettings
from stock_pipeline.universe import tables

LIQUIDITY_SESSIONS: Final = 20  # whose median dollar volume counts
MEMBER: Final = "member"
EXCLUDED: Final = "excluded"
_PLACE, _SERIES, _SINCE, _QUIET, _DOUBTED, _TRADED = "place", "series", "since", "quiet", "doubted", "traded"


@dataclass(frozen=True)
class UniverseRules:
    """What a stock must have to be in the universe; see ``UniverseSettings``."""

    minimum_price: float
    minimum_dollar_volume: float
    minimum_history: int
    minimum_stocks: int

    @classmethod
    def of(cls, chosen: UniverseSettings) -> "UniverseRules":
        """The rules of the settings."""
        return cls(chosen.minimum_price, chosen.minimum_dollar_volume, chosen.minimum_history, chosen.minimum_stocks)

    @property
    def span(self) -> int:
        """How many sessions, the current one included, a row depends on."""
        return max(self.minimum_history, LIQUIDITY_SESSIONS)


def with_members(panel: pl.DataFrame, members: pl.DataFrame | None) -> pl.DataFrame:
    """The panel (symbol, session, ...), in its order, with ``member``: whether the stock was a member on the session.

    Args:
        panel: at most one row per symbol and session.
        members: symbol, first_session, last_session (null while it lasts), as ``market_data.reading.members_known`` gives them; None
            where no membership was given, so that everyone is a member.
    """
    if members is None:
        return panel.with_columns(pl.lit(value=True).alias(MEMBER))
    inside = pl.col(SESSION).is_between(pl.col(FIRST), pl.col(LAST).fill_null(date.max))
    rows = panel.select(SYMBOL, SESSION).join(members, on=SYMBOL, how="inner").filter(inside).select(SYMBOL, SESSION).unique()
    marked = rows.with_columns(pl.lit(value=True).alias(MEMBER))
    return panel.join(marked, on=[SYMBOL, SESSION], how="left", maintain_order="left").with_columns(pl.col(MEMBER).fill_null(value=False))


def compute_universe(panel: pl.DataFrame, rules: UniverseRules, first: date | None = None) -> pl.DataFrame:
    """Whether each stock is in the universe of each session, or of those from session ``first`` on.

    The row of a session depends on the ``rules.span`` sessions of the panel that end with it and on nothing later. A stock has a history
    where of the last ``rules.minimum_history`` sessions of the panel (or of all, at its beginning) no more lack a bar than a quarter of
    that number; where one of its bars was suspect, so many bars must have followed it.

    Args:
        panel: bars in any order: symbol, session, close, volume, suspect, member and excluded (Boolean), at most one row per symbol and
            session. Prices and volumes are as they traded.
        rules: what a stock must have.
        first: the first session to make; None makes all.

    Returns:
        Rows of DAILY_UNIVERSE in the order of symbol and session, one for each bar.
    """
    wanted = pl.lit(value=True) if first is None else pl.col(SESSION) >= first
    judged = _measured(panel, rules).filter(wanted).with_columns(_status(rules).alias(tables.STATUS))
    inside = pl.col(tables.STATUS) == tables.INSIDE
    too_few = inside & (inside.sum().over(SESSION) < rules.minimum_stocks)
    status = pl.when(too_few).then(pl.lit(tables.TOO_FEW)).otherwise(tables.STATUS).alias(tables.STATUS)
    return judged.select(SYMBOL, SESSION, status)


def _measured(panel: pl.DataFrame, rules: UniverseRules) -> pl.DataFrame:
    """The panel in order, with the number of bars since the last suspect one and the median dollar volume."""
    place = (pl.col(SESSION).rank("dense").cast(pl.Int64) - 1).alias(_PLACE)
    placed = in_order(panel, (SYMBOL, SESSION)).with_columns(place)
    # Windows over numbers in order take less time than windows over the symbols that they stand for.
    series = pl.col(SYMBOL).rle_id().alias(_SERIES)
    since = ((pl.col(SYMBOL) != pl.col(SYMBOL).shift(1)).fill_null(value=True) | pl.col(SUSPECT)).cum_sum().alias(_SINCE)
    bars = (~pl.col(SUSPECT)).cast(pl.Int32).rolling_sum_by(_PLACE, f"{rules.minimum_history}i").over(_SINCE)
    doubted = pl.col(SUSPECT).cast(pl.Int32).rolling_sum_by(_PLACE, f"{rules.minimum_history}i").over(_SERIES) > 0
    traded = (pl.col(CLOSE) * pl.col(VOLUME)).rolling_median_by(_PLACE, f"{LIQUIDITY_SESSIONS}i").over(_SERIES)
    return placed.with_columns(series, since).with_columns(bars.alias(_QUIET), doubted.alias(_DOUBTED), traded.alias(_TRADED))


def _status(rules: UniverseRules) -> pl.Expr:
    there = (
        pl.when(_DOUBTED)
        .then(pl.lit(rules.minimum_history))
        .otherwise(pl.min_horizontal(pl.lit(rules.minimum_history), pl.col(_PLACE) + 1))
    )
    reasons = {
        tables.NOT_MEMBER: ~pl.col(MEMBER),
        tables.EXCLUDED_KIND: pl.col(EXCLUDED),
        tables.SUSPECT_BAR: pl.col(SUSPECT),
        tables.SHORT_HISTORY: pl.col(_QUIET) < there - rules.minimum_history // 4,
        tables.LOW_PRICE: ~(pl.col(CLOSE) >= rules.minimum_price),
        tables.ILLIQUID: ~(pl.col(_TRADED) >= rules.minimum_dollar_volume),
    }
    held = [pl.when(reason.fill_null(value=True)).then(pl.lit(name)) for name, reason in reasons.items()]
    return pl.coalesce(*held, pl.lit(tables.INSIDE))
