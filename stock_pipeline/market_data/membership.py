"""The members of the universe by instrument: lists of members name stocks by symbols, which change and are given to others."""

from collections.abc import Collection
from datetime import date, timedelta

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.market_data.symbol_history import NEW, OLD
from stock_pipeline.market_data.tables import FIRST, INSTRUMENT, LAST

_FROM, _UNTIL = "meant_from", "meant_until"  # between which days a symbol of a list means the instrument


def as_named_then(listed: pl.DataFrame, renames: pl.DataFrame, night: date, borne: Collection[str]) -> pl.DataFrame:
    """The members under the symbols of a night: a list made later may name a company by the symbol that it takes only afterwards.

    That a company will be renamed says nothing of its prices; who was a member on the night stays as the list has it.

    Args:
        listed: symbol, first_session, last_session.
        renames: old, new, session (the first one under the new symbol).
        night: renames after it are undone.
        borne: the symbols that bars have borne by then; one of these means its own bearer.
    """
    later = renames.filter((pl.col(SESSION) > night) & ~pl.col(NEW).is_in(list(borne))).sort(SESSION, descending=True)
    before = dict[str, str]()
    # Those of one session happen at once: what one of them undoes is no matter of another.
    for _, of_session in later.group_by(SESSION, maintain_order=True):
        olds = dict(of_session.select(NEW, OLD).iter_rows())
        before |= {name: olds[earlier] for name, earlier in before.items() if earlier in olds} | olds
    named = listed.with_columns(pl.col(SYMBOL).replace(before))
    return named.unique([SYMBOL, FIRST], keep="last", maintain_order=True)


def member_periods(members: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """The periods of membership by instrument instead of symbol.

    On a day a symbol means the instrument that bears it; if none does, the next one that will (a list may name a past under today's
    symbol), or else the last that did. So it does not matter whether a list uses the symbols of their time or today's.

    Args:
        members: symbol, first_session, last_session (null while it lasts).
        history: rows of symbol_history. A symbol without any is an instrument of its own.

    Returns:
        instrument, first_session, last_session (null while it lasts); periods of an instrument may overlap.
    """
    bearers = history.sort(SYMBOL, FIRST).select(
        SYMBOL,
        INSTRUMENT,
        (pl.col(LAST).shift(1).over(SYMBOL) + timedelta(days=1)).fill_null(date.min).alias(_FROM),
        pl.when(pl.col(SYMBOL) == pl.col(SYMBOL).shift(-1)).then(LAST).fill_null(date.max).alias(_UNTIL),
    )
    meant = members.select(SYMBOL, FIRST, LAST).join(bearers, on=SYMBOL, how="left")
    clipped = meant.select(
        pl.coalesce(INSTRUMENT, SYMBOL).alias(INSTRUMENT),
        pl.max_horizontal(FIRST, _FROM).alias(FIRST),
        pl.min_horizontal(LAST, pl.when(pl.col(_UNTIL) < date.max).then(_UNTIL)).alias(LAST),
    )
    return clipped.filter(pl.col(LAST).is_null() | (pl.col(FIRST) <= pl.col(LAST))).unique().sort(INSTRUMENT, FIRST, LAST)
