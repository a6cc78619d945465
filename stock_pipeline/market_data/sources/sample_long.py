"""``sample-long``: AAPL, FB, GOOG, IBM and MSFT from 2000 to 2013, raw prices with an adjusted close.

Read in place from the package bokeh_sampledata (BSD). Splits and dividends are derived from the adjusted close.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, NAME, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.sources.archive import answer
from stock_pipeline.market_data.sources.packaged import packaged_file
from stock_pipeline.market_data.sources.source import BARS, INSTRUMENTS, Answer, MarketData, Offer, Request, shaped
from stock_pipeline.market_data.tables import BASIS, CURRENCY, RAW

NAMES = {
    "AAPL": "Apple Inc.",
    "FB": "Facebook Inc.",
    "GOOG": "Google Inc.",
    "IBM": "International Business Machines",
    "MSFT": "Microsoft Corporation",
}
DOLLARS = "USD"


class SampleLongSource:
    """The long panel of few stocks."""

    name = "sample-long"
    is_archive = True
    is_closed = True
    offers: frozenset[Offer] = frozenset({"bars", "instruments"})

    def fetch(self, requests: Sequence[Request] | None) -> Iterator[Answer]:
        """One answer: the bars and names of the long sample, all of them or those asked for; sectors are not given."""
        bars = _bars()
        yield answer(MarketData(bars=bars, instruments=_instruments(bars)), requests, self.name)


def _bars() -> pl.DataFrame:
    raw = pl.read_csv(packaged_file("bokeh_sampledata", "_data", "stocks.csv.gz"))
    bars = raw.select(
        pl.col("Ticker").alias(SYMBOL),
        pl.col("Date").str.to_date("%Y-%m-%d").alias(SESSION),
        *(pl.col(price.capitalize()).alias(price) for price in PRICES),
        pl.col("Volume").alias(VOLUME),
        pl.col("Adj Close").alias(ADJ_CLOSE),
        pl.lit(RAW).alias(BASIS),
        pl.lit(DOLLARS).alias(CURRENCY),
    )
    return shaped(bars, BARS)


def _instruments(bars: pl.DataFrame) -> pl.DataFrame:
    name = pl.col(SYMBOL).replace_strict(NAMES, default=None).alias(NAME)
    return shaped(bars.select(SYMBOL, name, CURRENCY).unique(SYMBOL, maintain_order=True), INSTRUMENTS)
