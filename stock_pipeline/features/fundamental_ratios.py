"""Ratios of what companies report to each other and to the price: valuation, profitability, growth and debt.

Not an entry of the feature catalogue: these rest on reports as they were known on one night, not on windows of bars.
"""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, KNOWN_FROM, KNOWN_TO, SESSION, SYMBOL, VALUE
from stock_pipeline.core.reports import DEBT, EQUITY, ITEMS, NET_INCOME, OPERATING_INCOME, QUARTER, REVENUE, SHARES, YEAR
from stock_pipeline.market_data.adjustments import with_later_splits
from stock_pipeline.market_data.tables import BASIS, CURRENCY, INSTRUMENT, ITEM, KIND, PERIOD, PERIOD_END, SPLIT, SPLIT_ADJUSTED

MARKET_VALUE: Final = "market_value"
PE: Final = "pe"
PB: Final = "pb"
ROE: Final = "roe"
OPERATING_MARGIN: Final = "operating_margin"
NET_MARGIN: Final = "net_margin"
REVENUE_GROWTH: Final = "revenue_growth"
DEBT_TO_EQUITY: Final = "debt_to_equity"
# What each of them is: a fraction, not percent, but for the market value, which is money.
RATIOS: Final = {
    PE: "market value over the net income of twelve months, where that is positive and in the currency of the close",
    PB: "market value over equity, where that is positive and in the currency of the close",
    ROE: "net income of twelve months over equity, where that is positive",
    OPERATING_MARGIN: "operating income over revenue, of twelve months",
    NET_MARGIN: "net income over revenue, of twelve months",
    REVENUE_GROWTH: "revenue of the last quarter or year over that of the same period a year before, less one",
    DEBT_TO_EQUITY: "debt over equity, where that is positive",
    MARKET_VALUE: "close times shares, in the currency of the close; null where the close is adjusted for a later split",
}

OLDEST = "-15mo"  # reports that end longer before the session say too little about the company of today
NEEDED = "-28mo"  # what the figures of those rest on: a year more and YEAR_TOLERANCE, or the three quarters before
SHORTEST_QUARTER, LONGEST_QUARTER = 80, 100  # days between the ends of two quarters that follow each other
YEAR_TOLERANCE = "20d"  # a fiscal year of 52 or 53 weeks does not end on the same day each year

_FLOWS = (REVENUE, OPERATING_INCOME, NET_INCOME)
_NIGHT = "night"  # the session on whose night a report is looked at
_OF_COMPANY = "currency_of_company"
_CASE = "case"  # one company from one session until its reports change
_REVENUE, _EQUITY, _NET_INCOME = pl.col(REVENUE), pl.col(EQUITY), pl.col(NET_INCOME)
_THEN, _BEFORE = "a_year_before", "revenue_a_year_before"


def as_traded(closes: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Closes on the share count of their own session: null where prices were reported adjusted for a later split.

    An earlier night cannot distinguish the two, so this goes by the splits known now. A close that was adjusted and reported
    before any split is as traded; once a later split is known, it is unknown whether it was reported before.

    Args:
        closes: instrument, session, close and basis.
        actions: instrument, session (ex-session), kind, value as known now.
    """
    traded = closes.select(pl.col(INSTRUMENT).alias(SYMBOL), SESSION)
    later = with_later_splits(traded, actions.rename({INSTRUMENT: SYMBOL}), SESSION, "ratio")
    suspect = (pl.col(BASIS) == SPLIT_ADJUSTED) & (later["ratio"] != 1)
    return closes.with_columns(pl.when(~suspect).then(CLOSE).alias(CLOSE))


def ratios_of_sessions(reports: pl.DataFrame, actions: pl.DataFrame, closes: pl.DataFrame, currency: str) -> pl.DataFrame:
    """The ratios at every close, from the reports that were known on the night of its session.

    Amounts *of twelve months* are the sum of four quarters whose ends lie 80 to 100 days apart, or else a year as it was reported:
    of those that can be had, the one that ends last, the quarters if both end on one day. Where a ratio has two such amounts, both
    are of the same twelve months. Balances (equity, debt, shares) are those of the last report that has them; a ratio of two
    balances takes both from one day. Whatever ends more than 15 months before the session, or after it, is left out of account.
    So is money in another currency than the last that the company reported in those months; rows without one are in that currency.

    Revenue has grown over that a year before (its end within 20 days) by the last quarter or the last year: of the two, where both
    can be had, the one that ends last, the quarter if both end on one day. Null unless what stands below the line is positive; of
    growth, unless both revenues are.

    Limits: quarters of 12 and 16 weeks, as some retailers have them, do not lie 80 to 100 days apart, so for those companies the
    twelve months are the years that they report.

    What a company's reports say changes only on some nights: one becomes known, is restated or too old, or a split takes effect.
    Only for those it is rebuilt; every other session has what the last of them said, at its own price.

    Args:
        reports: instrument, period_end, period, item, value, currency, known_from and known_to, every version.
        actions: instrument, session (ex-session), kind, value, known_from and known_to, every version.
        closes: symbol, instrument, session and raw close (see ``as_traded``), one row per symbol and session.
        currency: of the closes, ISO 4217.

    Returns:
        symbol, session and the ratios, one row per row of ``closes``, sorted by session and symbol; null where what a ratio needs
        is not known.
    """
    nights = closes.select(SESSION).unique().sort(SESSION)
    needed = pl.col(PERIOD_END) >= pl.lit(nights[SESSION].min(), pl.Date).dt.offset_by(NEEDED)
    reported = reports.filter(needed).join(closes.select(INSTRUMENT).unique(), on=INSTRUMENT, how="semi")
    splits = actions.filter(pl.col(KIND) == SPLIT).join(reported.select(INSTRUMENT).unique(), on=INSTRUMENT, how="semi")
    cases = _cases(reported, splits, nights)
    known = cases.join(reported, on=INSTRUMENT).filter(_in_force())
    effective = cases.join(splits, on=INSTRUMENT).filter(_in_force(), pl.col(SESSION) <= pl.col(_NIGHT))
    # Each case is taken for a company of its own.
    by_case = [frame.with_columns(pl.col(_CASE).alias(SYMBOL)) for frame in (known, effective)]
    reported = _reported(_restated(*by_case)).rename({SYMBOL: _CASE})
    reported_ratios = cases.join(reported, on=_CASE, how="left").rename({_NIGHT: SESSION}).drop(_CASE).sort(SESSION)
    priced = closes.sort(SESSION, SYMBOL).join_asof(reported_ratios, on=SESSION, by=INSTRUMENT, strategy="backward", check_sortedness=False)
    return _with_prices(priced, currency).select(SYMBOL, SESSION, *RATIOS)


def _in_force() -> pl.Expr:
    return (pl.col(KNOWN_FROM) <= pl.col(_NIGHT)) & (pl.col(KNOWN_TO).is_null() | (pl.col(KNOWN_TO) > pl.col(_NIGHT)))


def _cases(reported: pl.DataFrame, splits: pl.DataFrame, nights: pl.DataFrame) -> pl.DataFrame:
    """The sessions (``nights``: session, in order) from which a company's figures may differ: instrument, night, case."""
    days = [reported.select(INSTRUMENT, pl.col(name).alias("day")) for name in (KNOWN_FROM, KNOWN_TO, PERIOD_END)]
    days += [splits.select(INSTRUMENT, pl.col(name).alias("day")) for name in (SESSION, KNOWN_FROM, KNOWN_TO)]
    changes = _first_nights(pl.concat(days), nights.select(pl.col(SESSION).alias("day"), pl.col(SESSION).alias(_NIGHT)))
    ends = reported.select(INSTRUMENT, pl.col(PERIOD_END).alias("day"))
    # What ends before the oldest day of a session is too old from that session on.
    ageing = nights.select((pl.col(SESSION).dt.offset_by(OLDEST) - pl.duration(days=1)).alias("day"), pl.col(SESSION).alias(_NIGHT))
    aged = _first_nights(ends, ageing.unique("day", keep="first", maintain_order=True))
    return pl.concat([changes, aged]).unique().sort(INSTRUMENT, _NIGHT).with_row_index(_CASE)


def _first_nights(days: pl.DataFrame, nights: pl.DataFrame) -> pl.DataFrame:
    """The first of ``nights`` (day, night, in order) on or after each of ``days`` (instrument, day): instrument, night."""
    found = days.drop_nulls().unique().sort("day").join_asof(nights, on="day", strategy="forward")
    return found.drop_nulls().select(INSTRUMENT, _NIGHT)


def _restated(known: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Reports with numbers of shares restated for ``splits``: those reported before a split are multiplied by its ratio.

    A report after a split counts the new shares already, also those of a period that ended before it. So a number is restated
    for the splits after the night from which it was known. Where a source does not tell when a report was captured, that is the
    night on which it was first read, and what happened between the report and that night is taken to be in the number.
    """
    dated = with_later_splits(known, splits, KNOWN_FROM, "ratio")
    restated = pl.when(pl.col(ITEM) == SHARES).then(pl.col(VALUE) * pl.col("ratio")).otherwise(VALUE)
    return dated.with_columns(restated.alias(VALUE)).drop("ratio")


def _reported(known: pl.DataFrame) -> pl.DataFrame:
    """The figures and ratios of each symbol on its night that need no price.

    Args:
        known: symbol, period_end, period, item, value and currency, one row per figure, and night, which is one for each symbol.

    Returns:
        symbol, currency, shares, equity, net_income and the ratios without a price in them, one row per symbol that has reported.
    """
    needed = pl.col(PERIOD_END).is_between(pl.col(_NIGHT).dt.offset_by(NEEDED), pl.col(_NIGHT))
    recent = pl.col(PERIOD_END) >= pl.col(_NIGHT).dt.offset_by(OLDEST)
    reported = _in_one_currency(known.filter(needed & pl.col(VALUE).is_finite()), recent)
    flows = _twelve_months(reported).filter(recent)
    balances = _wide(reported).filter(recent)
    parts = (
        _last(balances, SHARES),
        _last(balances, EQUITY),
        _last(flows, NET_INCOME),
        _margin(flows, OPERATING_INCOME, OPERATING_MARGIN),
        _margin(flows, NET_INCOME, NET_MARGIN),
        _growth(reported).filter(recent).group_by(SYMBOL).agg(pl.col(REVENUE_GROWTH).last()),
        _last(balances, DEBT, EQUITY).select(SYMBOL, _over(pl.col(DEBT), _EQUITY).alias(DEBT_TO_EQUITY)),
    )
    joined = reported.group_by(SYMBOL).agg(pl.col(CURRENCY).first())
    for part in parts:
        joined = joined.join(part, on=SYMBOL, how="left")
    return joined.with_columns(_over(_NET_INCOME, _EQUITY).alias(ROE))


def _in_one_currency(reported: pl.DataFrame, recent: pl.Expr) -> pl.DataFrame:
    """The rows without money in another currency than the last ``recent`` one of each company; ``currency`` is that of all its rows."""
    money = pl.when(pl.col(ITEM) != SHARES).then(CURRENCY)
    dated = reported.filter(recent).select(SYMBOL, PERIOD_END, money.alias(_OF_COMPANY)).drop_nulls()
    last = dated.sort(PERIOD_END, _OF_COMPANY).group_by(SYMBOL).agg(pl.col(_OF_COMPANY).last())
    joined = reported.join(last, on=SYMBOL, how="left", maintain_order="left")
    kept = joined.filter((money == pl.col(_OF_COMPANY)).fill_null(value=True))
    return kept.with_columns(pl.col(_OF_COMPANY).alias(CURRENCY)).drop(_OF_COMPANY)


def _with_prices(reported: pl.DataFrame, currency: str) -> pl.DataFrame:
    """``reported`` (close and the columns of ``_reported``) with market value and the ratios to it; closes are in ``currency``."""
    priced = reported.with_columns((_above_zero(pl.col(CLOSE)) * _above_zero(pl.col(SHARES))).alias(MARKET_VALUE))
    comparable = pl.when((pl.col(CURRENCY) == currency).fill_null(value=True)).then(MARKET_VALUE)
    return priced.with_columns(_over(comparable, _NET_INCOME).alias(PE), _over(comparable, _EQUITY).alias(PB))


def _above_zero(amount: pl.Expr) -> pl.Expr:
    return pl.when(amount.is_finite() & (amount > 0)).then(amount)


def _over(amount: pl.Expr, base: pl.Expr) -> pl.Expr:
    return amount / _above_zero(base)


def _twelve_months(reported: pl.DataFrame) -> pl.DataFrame:
    """Flows of twelve months: symbol, night, period_end, period (their parts), a column per item, in the order of period_end."""
    flows = reported.filter(pl.col(ITEM).is_in(_FLOWS)).sort(PERIOD_END)
    days = (pl.col(PERIOD_END) - pl.col(PERIOD_END).shift(1)).dt.total_days()
    follows = days.is_between(SHORTEST_QUARTER, LONGEST_QUARTER)
    consecutive = follows & follows.shift(1) & follows.shift(2)
    total = pl.col(VALUE) + pl.col(VALUE).shift(1) + pl.col(VALUE).shift(2) + pl.col(VALUE).shift(3)
    quarters = flows.filter(pl.col(PERIOD) == QUARTER).with_columns(pl.when(consecutive).then(total).over(SYMBOL, ITEM).alias(VALUE))
    return _wide(pl.concat([flows.filter(pl.col(PERIOD) == YEAR), quarters.drop_nulls(VALUE)]), PERIOD)


def _wide(rows: pl.DataFrame, *also: str) -> pl.DataFrame:
    """One row per symbol, night, period_end and ``also``, a column per item, in the order of period_end."""
    # A quarter and a year that end on one day stand in the order of their names, with the quarter to be the last.
    ordered = rows.sort(PERIOD_END, pl.col(PERIOD) == QUARTER)
    items = [pl.col(VALUE).filter(pl.col(ITEM) == item).last().alias(item) for item in ITEMS]
    return ordered.group_by(SYMBOL, _NIGHT, PERIOD_END, *also, maintain_order=True).agg(items)


def _last(wide: pl.DataFrame, *items: str) -> pl.DataFrame:
    """The last row of each symbol in which all of ``items`` are known: symbol and the items."""
    return wide.drop_nulls(list(items)).group_by(SYMBOL).agg(pl.col(items).last())


def _margin(flows: pl.DataFrame, item: str, ratio: str) -> pl.DataFrame:
    return _last(flows, item, REVENUE).select(SYMBOL, _over(pl.col(item), _REVENUE).alias(ratio))


def _growth(reported: pl.DataFrame) -> pl.DataFrame:
    """Growth of revenue over a year of the last quarter and of the last year of each symbol, where the revenue a year before is known.

    Returns:
        symbol, night, period_end and the growth, in the order of period_end, the quarter after the year.
    """
    periods = [SYMBOL, PERIOD]
    revenue = reported.filter(pl.col(ITEM) == REVENUE).select(*periods, _NIGHT, PERIOD_END, pl.col(VALUE).alias(REVENUE))
    latest = revenue.sort(PERIOD_END).group_by(periods).last().with_columns(pl.col(PERIOD_END).dt.offset_by("-1y").alias(_THEN))
    matched = latest.sort(_THEN).join_asof(
        revenue.select(*periods, pl.col(PERIOD_END).alias(_THEN), pl.col(REVENUE).alias(_BEFORE)).sort(_THEN),
        on=_THEN,
        by=periods,
        strategy="nearest",
        tolerance=YEAR_TOLERANCE,
        check_sortedness=False,  # it is sorted, which Polars cannot see within the groups
    )
    known = matched.drop_nulls(_BEFORE).sort(PERIOD_END, pl.col(PERIOD) == QUARTER)
    growth = _over(_above_zero(_REVENUE), pl.col(_BEFORE)) - 1
    return known.select(SYMBOL, _NIGHT, PERIOD_END, growth.alias(REVENUE_GROWTH))
