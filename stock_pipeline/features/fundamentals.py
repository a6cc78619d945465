"""Features of what companies report, as it was known on the night: value, profitability, growth, debt.

What they are made of is ``fundamental_ratios``; here they become numbers that compare stocks: yields instead of multiples, because a
multiple jumps from one end to the other where earnings cross zero.
"""

from typing import Final

import polars as pl

from stock_pipeline.features.feature import Feature
from stock_pipeline.features.fundamental_ratios import DEBT_TO_EQUITY, NET_MARGIN, OPERATING_MARGIN, PB, PE, REVENUE_GROWTH, ROE


def _as_known(name: str, formula: str, source: str, expression: pl.Expr) -> Feature:
    return Feature(name, formula, 1, source, expression, family="fundamentals", on="bar")


EARNINGS_YIELD: Final = 1 / pl.col(PE)
BOOK_TO_PRICE: Final = 1 / pl.col(PB)

FUNDAMENTAL_FEATURES: Final = (
    _as_known("earnings_yield", "net income of twelve months over market value, where it is positive", "Basu (1977)", EARNINGS_YIELD),
    _as_known("book_to_price", "equity over market value, where it is positive", "Fama and French (1992)", BOOK_TO_PRICE),
    _as_known("return_on_equity", "net income of twelve months over equity", "Haugen and Baker (1996)", pl.col(ROE)),
    _as_known("operating_profitability", "operating income over revenue, of twelve months", "Novy-Marx (2013)", pl.col(OPERATING_MARGIN)),
    _as_known("profit_margin", "net income over revenue, of twelve months", "Soliman (2008)", pl.col(NET_MARGIN)),
    _as_known(
        "sales_growth",
        "revenue of the last quarter or year over that of the same period a year before, less 1",
        "Lakonishok, Shleifer and Vishny (1994)",
        pl.col(REVENUE_GROWTH),
    ),
    _as_known("leverage", "debt over equity", "Bhandari (1988)", pl.col(DEBT_TO_EQUITY)),
)
