"""Ratios of what companies report to each other and to the price: valuation, profitability, growth and debt.

Not an entry of the feature catalogue: these rest on reports as they were known on one night, not on windows of bars.
"""

from datetime import date
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL, VALUE
from stock_pipeline.market_data.corporate_actions import with_later_splits
from stock_pipeline.market_data.sources.source import (
    DEBT,
    EQUITY,
    ITEM,
    ITEMS,
    NET_INCOME,
    OPERATING_INCOME,
    PERIOD,
    PERIOD_END,
    QUARTER,
    REVENUE,
    SHARES,
    YEAR,
)

MARKET_VALUE: Final = "market_value"
PE: Final = "pe"
PB: Final = "pb"
ROE: Final = "roe"
OPERATING_MARGIN: Final = "operating_margin"
NET_MARGIN: Final = "net_margin"
REVENUE_GROWTH: Final = "revenue_growth"
DEBT_TO_EQUITY: Final = "debt_to_equity"
RATIOS: Final = (PE, PB, ROE, OPERATING_MARGIN, NET_MARGIN, REVENUE_GROWTH, DEBT_TO_EQUITY, MARKET_VALUE)

OLDEST = "-15mo"  # reports that end longer before the session say too little about the company of today
SHORTEST_QUARTER, LONGEST_QUARTER = 80, 100  # days between the ends of two quarters that follow each other
YEAR_TOLERANCE = "20d"  # a fiscal year of 52 or 53 weeks does not end on the same day each year

_FLOWS = (REVENUE, OPERATING_INCOME, NET_INCOME)
_REVENUE, _EQUITY, _NET_INCOME = pl.col(REVENUE), pl.col(EQUITY), pl.col(NET_INCOME)
_THEN, _BEFORE = "a_year_before", "revenue_a_year_before"


def restate_shares(known: pl.DataFrame, actions: pl.DataFrame, session: date) -> pl.DataFrame:
    """Reports whose numbers of shares count the shares of ``session``: those before a split times its ratio.

    Args:
        known: as for ``fundamental_ratios``.
        actions: symbol, session (ex-session), kind, value as known on that night.
        session: the session.
    """
    splits = actions.filter(pl.col(SESSION) <= session)
    dated = with_later_splits(known, splits, PERIOD_END, "ratio")
    restated = pl.when(pl.col(ITEM) == SHARES).then(pl.col(VALUE) * pl.col("ratio")).otherwise(VALUE)
    return dated.with_columns(restated.alias(VALUE)).drop("ratio")


def fundamental_ratios(known: pl.DataFrame, closes: pl.DataFrame, session: date) -> pl.DataFrame:
    """The ratios of each company on the night of ``session``.

    Amounts *of twelve months* are the sum of four quarters whose ends lie 80 to 100 days apart, or else a year as it was reported:
    of those that can be had, the one that ends last, the quarters if both end on one day. Where a ratio has two such amounts, both
    are of the same twelve months. Balances (equity, debt, shares) are those of the last report that has them; a ratio of two
    balances takes both from one day. Whatever ends more than 15 months before the session, or after it, is left out of account.

    - ``market_value``: close times shares. Both must count the same shares: ``restate_shares`` sees to it
      after a split.
    - ``pe``: market value over the net income of twelve months; null unless that is positive.
    - ``pb``: market value over equity; null unless that is positive.
    - ``roe``: net income of twelve months over equity; null unless equity is positive.
    - ``operating_margin``, ``net_margin``: operating income, net income over revenue, of twelve months; null unless revenue is
      positive.
    - ``revenue_growth``: revenue of the last quarter or year whose revenue a year before (its end within 20 days) is known too,
      over that, less 1; the quarter if both end on one day. Null unless both are above zero.
    - ``debt_to_equity``: debt over equity; null unless equity is positive.

    Args:
        known: symbol, period_end, period (quarter or year), item, value as known on that night, one row per symbol, period_end,
            period and item; money in the currency of the close.
        closes: symbol and raw close of the session, one row per symbol.
        session: the session.

    Returns:
        symbol and the ratios (fractions, not percent; market_value in money), one row per symbol of either frame in the order of
        symbol; null where what a ratio needs is not known.
    """
    told = known.filter((pl.col(PERIOD_END) <= session) & pl.col(VALUE).is_finite())
    recent = pl.col(PERIOD_END) >= pl.lit(session).dt.offset_by(OLDEST)
    flows = _twelve_months(told).filter(recent)
    balances = _wide(told).filter(recent)
    parts = (
        _last(balances, SHARES),
        _last(balances, EQUITY),
        _last(flows, NET_INCOME),
        _margin(flows, OPERATING_INCOME, OPERATING_MARGIN),
        _margin(flows, NET_INCOME, NET_MARGIN),
        _growth(told).filter(recent).group_by(SYMBOL).agg(pl.col(REVENUE_GROWTH).last()),
        _last(balances, DEBT, EQUITY).select(SYMBOL, _over(pl.col(DEBT), _EQUITY).alias(DEBT_TO_EQUITY)),
    )
    everyone = pl.concat([told.select(SYMBOL), closes.select(SYMBOL)]).unique().sort(SYMBOL)
    joined = everyone.join(closes.select(SYMBOL, CLOSE), on=SYMBOL, how="left", maintain_order="left")
    for part in parts:
        joined = joined.join(part, on=SYMBOL, how="left", maintain_order="left")
    priced = joined.with_columns((_above_zero(pl.col(CLOSE)) * _above_zero(pl.col(SHARES))).alias(MARKET_VALUE))
    return priced.with_columns(
        _over(pl.col(MARKET_VALUE), _NET_INCOME).alias(PE),
        _over(pl.col(MARKET_VALUE), _EQUITY).alias(PB),
        _over(_NET_INCOME, _EQUITY).alias(ROE),
    ).select(SYMBOL, *RATIOS)


def _above_zero(amount: pl.Expr) -> pl.Expr:
    return pl.when(amount.is_finite() & (amount > 0)).then(amount)


def _over(amount: pl.Expr, base: pl.Expr) -> pl.Expr:
    return amount / _above_zero(base)


def _twelve_months(told: pl.DataFrame) -> pl.DataFrame:
    """Flows of twelve months: symbol, period_end, period (what they were made of), a column per item, in the order of period_end."""
    flows = told.filter(pl.col(ITEM).is_in(_FLOWS)).sort(PERIOD_END)
    days = (pl.col(PERIOD_END) - pl.col(PERIOD_END).shift(1)).dt.total_days()
    follows = days.is_between(SHORTEST_QUARTER, LONGEST_QUARTER)
    consecutive = follows & follows.shift(1) & follows.shift(2)
    total = pl.col(VALUE) + pl.col(VALUE).shift(1) + pl.col(VALUE).shift(2) + pl.col(VALUE).shift(3)
    quarters = flows.filter(pl.col(PERIOD) == QUARTER).with_columns(pl.when(consecutive).then(total).over(SYMBOL, ITEM).alias(VALUE))
    return _wide(pl.concat([flows.filter(pl.col(PERIOD) == YEAR), quarters.drop_nulls(VALUE)]), PERIOD)


def _wide(rows: pl.DataFrame, *also: str) -> pl.DataFrame:
    """One row per symbol, period_end and ``also``, a column per item, in the order of period_end."""
    # A quarter and a year that end on one day stand in the order of their names, with the quarter to be the last.
    ordered = rows.sort(PERIOD_END, pl.col(PERIOD) == QUARTER)
    items = [pl.col(VALUE).filter(pl.col(ITEM) == item).last().alias(item) for item in ITEMS]
    return ordered.group_by(SYMBOL, PERIOD_END, *also, maintain_order=True).agg(items)


def _last(wide: pl.DataFrame, *items: str) -> pl.DataFrame:
    """The last row of each symbol in which all of ``items`` are known: symbol and the items."""
    return wide.drop_nulls(list(items)).group_by(SYMBOL).agg(pl.col(items).last())


def _margin(flows: pl.DataFrame, item: str, ratio: str) -> pl.DataFrame:
    return _last(flows, item, REVENUE).select(SYMBOL, _over(pl.col(item), _REVENUE).alias(ratio))


def _growth(told: pl.DataFrame) -> pl.DataFrame:
    """Growth of revenue over a year, of each period that has one a year before it: symbol, period_end, ratio, by period_end."""
    periods = [SYMBOL, PERIOD]
    revenue = told.filter(pl.col(ITEM) == REVENUE).select(*periods, PERIOD_END, pl.col(VALUE).alias(REVENUE))
    then = pl.col(PERIOD_END).dt.offset_by("-1y").alias(_THEN)
    matched = (
        revenue.with_columns(then)
        .sort(_THEN)
        .join_asof(
            revenue.select(*periods, pl.col(PERIOD_END).alias(_THEN), pl.col(REVENUE).alias(_BEFORE)).sort(_THEN),
            on=_THEN,
            by=periods,
            strategy="nearest",
            tolerance=YEAR_TOLERANCE,
            check_sortedness=False,  # it is sorted, which Polars cannot see within the groups
        )
    )
    known = matched.drop_nulls(_BEFORE).sort(PERIOD_END, pl.col(PERIOD) == QUARTER)
    return known.select(SYMBOL, PERIOD_END, (_over(_above_zero(_REVENUE), pl.col(_BEFORE)) - 1).alias(REVENUE_GROWTH))
