"""Flags of stored bars, updated with what a night brings: only bars that it can have changed are judged again."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from stock_pipeline.core.calendar import TradingCalendar
from stock_pipeline.core.columns import CLOSE, KNOWN_TO, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.market_data.flags import (
    CONTEXT,
    DISAGREEMENT,
    JUMP_FLAG,
    FlagRules,
    agreements,
    confirmed,
    disagreements,
    flags,
    follow_up,
)
from stock_pipeline.market_data.tables import BAR_FLAGS, BASIS, BY_HAND, CONFIRMED_BY, CORPORATE_ACTIONS, DAILY_BARS, FLAG
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

SINCE = "since"
SPARE_SESSIONS = 2 * CONTEXT  # read before the first change, so that few symbols with missing bars need to be read further back


@dataclass(frozen=True)
class Revisions:
    """What a night brings to the store.

    Attributes:
        night: the session on whose night it comes.
        bars: the full history of every bar that is new or has changed.
        actions: the same of corporate actions.
        compared: symbol, session, close, basis and source of bars that a second source gave.
        judged_again: symbol and session from which on every bar is judged, whether it has changed or not, as by another rule.
        checked: symbol and session of bars that a person has found right.
    """

    night: date
    bars: pl.DataFrame
    actions: pl.DataFrame
    compared: pl.DataFrame
    judged_again: pl.DataFrame | None = None
    checked: pl.DataFrame | None = None


def flags_after(stores: Stores, calendar: TradingCalendar, rules: FlagRules, revisions: Revisions) -> pl.DataFrame:
    """The rows to write to the flags table once the revisions are stored.

    Args:
        stores: as they are before the revisions.
        calendar: of the exchange.
        rules: thresholds.
        revisions: what the night brings.
    """
    rows = _judged(stores, calendar, rules, revisions)
    if revisions.checked is None:
        return rows
    stored = stores.read(BAR_FLAGS, Selection(equals={FLAG: [JUMP_FLAG]})).join(revisions.checked, on=[SYMBOL, SESSION], how="semi")
    others = stored.join(rows, on=list(BAR_FLAGS.key), how="anti").select(rows.columns)
    by_hand = revisions.checked.select(SYMBOL, SESSION, pl.lit(BY_HAND).alias(CONFIRMED_BY)).unique()
    return confirmed(pl.concat([rows, others]), by_hand)


def _judged(stores: Stores, calendar: TradingCalendar, rules: FlagRules, revisions: Revisions) -> pl.DataFrame:
    bars, actions, compared, night = revisions.bars, revisions.actions, revisions.compared, revisions.night
    if not stores.count(DAILY_BARS):  # a first load, of which everything is judged
        window, known_actions = (rows.filter(pl.col(KNOWN_TO).is_null()) for rows in (bars, actions))
        found = _found(window, known_actions, compared, calendar, rules, night)
        return confirmed(follow_up(BAR_FLAGS.empty(), found, night), agreements(window, compared, rules.source_tolerance))
    everything = [] if revisions.judged_again is None else [revisions.judged_again]
    changed = pl.concat([rows.select(SYMBOL, SESSION) for rows in (bars, actions, compared, *everything)])
    since = changed.group_by(SYMBOL).agg(pl.col(SESSION).min().alias(SINCE))
    window = _window(stores, calendar, bars, since)
    first = window[SESSION].min()
    if not isinstance(first, date):
        return BAR_FLAGS.empty()
    known_actions = _in_force(stores, CORPORATE_ACTIONS, actions, first).filter(pl.col(SYMBOL).is_in(since[SYMBOL].implode()))
    judged_from = _judged_from(window, since)
    found = _to_judge_again(_found(window, known_actions, compared, calendar, rules, night), judged_from)
    stored = _to_judge_again(stores.read(BAR_FLAGS, Selection(first=first)), judged_from)
    # A bar without a second close tonight has not been compared again.
    compared_again = stored.filter(pl.col(FLAG) == DISAGREEMENT).join(compared, on=[SYMBOL, SESSION], how="semi")
    after = follow_up(pl.concat([stored.filter(pl.col(FLAG) != DISAGREEMENT), compared_again]), found, night)
    return confirmed(after, agreements(window, compared, rules.source_tolerance))


def _found(
    window: pl.DataFrame, actions: pl.DataFrame, compared: pl.DataFrame, calendar: TradingCalendar, rules: FlagRules, night: date
) -> pl.DataFrame:
    first = window[SESSION].min()
    sessions = calendar.sessions_between(first, night) if isinstance(first, date) else []
    return pl.concat([flags(window, actions, sessions, rules), disagreements(window, compared, rules.source_tolerance)])


def _window(stores: Stores, calendar: TradingCalendar, bars: pl.DataFrame, since: pl.DataFrame) -> pl.DataFrame:
    """The bars in force of every changed symbol, from at least CONTEXT bars before its first change on."""
    earliest = since[SINCE].min()
    if not isinstance(earliest, date):
        return bars.clear()
    before = calendar.sessions_between(date.min, earliest)[-SPARE_SESSIONS - 1 :]
    window = _in_force(stores, DAILY_BARS, bars, before[0] if before else earliest).join(since, on=SYMBOL, how="inner")
    context = window.group_by(SYMBOL).agg((pl.col(SESSION) < pl.col(SINCE)).sum().alias("bars"))
    # Of a symbol without enough bars right before the change those of long ago count; there are few such symbols on a night.
    lacking = since.join(context.filter(pl.col("bars") >= CONTEXT), on=SYMBOL, how="anti")[SYMBOL].to_list()
    if lacking and len(before) > SPARE_SESSIONS:
        whole = _in_force(stores, DAILY_BARS, bars.filter(pl.col(SYMBOL).is_in(lacking)), date.min, lacking)
        window = pl.concat([window.filter(~pl.col(SYMBOL).is_in(lacking)).drop(SINCE), whole])
    return window.select(SYMBOL, SESSION, CLOSE, VOLUME, BASIS)


def _in_force(stores: Stores, schema: TableSchema, news: pl.DataFrame, first: date, symbols: list[str] | None = None) -> pl.DataFrame:
    """Rows in force from ``first`` on (of ``symbols`` alone) as the store will have them once ``news`` (full histories) is written."""
    stored = stores.read(schema, Selection(first=first, equals={} if symbols is None else {SYMBOL: symbols}))
    kept = stored.join(news, on=list(schema.key), how="anti") if stored.height else stored
    return pl.concat([kept, news.select(stored.columns)]).filter(pl.col(KNOWN_TO).is_null() & (pl.col(SESSION) >= first))


def _judged_from(window: pl.DataFrame, since: pl.DataFrame) -> pl.DataFrame:
    """Of each symbol the bar before its first change, which the change may show to have been a jump that reverses."""
    before = window.join(since, on=SYMBOL, how="inner").filter(pl.col(SESSION) < pl.col(SINCE))
    last_before = before.group_by(SYMBOL).agg(pl.col(SESSION).max().alias("before"))
    return since.join(last_before, on=SYMBOL, how="left").select(SYMBOL, pl.coalesce("before", SINCE).alias(SINCE))


def _to_judge_again(rows: pl.DataFrame, judged_from: pl.DataFrame) -> pl.DataFrame:
    return rows.join(judged_from, on=SYMBOL, how="inner", maintain_order="left").filter(pl.col(SESSION) >= pl.col(SINCE)).drop(SINCE)
