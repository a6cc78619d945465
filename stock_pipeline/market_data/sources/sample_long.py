"""``sample-long``: AAPL, FB, GOOG, IBM and MSFT from 2000 to 2013, raw prices with an adjusted close.

Read in place from the package bokeh_sampledata (BSD). Splits and dividends are derived from the adjusted close.
"""

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, HIGH, INDUSTRY, LOW, NAME, OPEN, SECTOR, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.sources.packaged import packaged_file
from stock_pipeline.market_data.sources.source import BARS, CAPTURED, INSTRUMENTS, MarketData

NAMES = {
    "AAPL": "Apple Inc.",
    "FB": "Facebook Inc.",
    "GOOG": "Google Inc.",
    "IBM": "International Business Machines",
    "MSFT": "Microsoft Corporation",
}


class SampleLongSource:
    """The long panel of few stocks."""

    name = "sample-long"
    is_archive = True
    is_closed = True

    def fetch(self) -> MarketData:
        """All bars of the long sample; the names are well known, sectors are not given."""
        raw = pl.read_csv(packaged_file("bokeh_sampledata", "_data", "stocks.csv.gz"))
        bars = raw.select(
            pl.col("Ticker").alias(SYMBOL),
            pl.col("Date").str.to_date("%Y-%m-%d").alias(SESSION),
            pl.col("Open").alias(OPEN),
            pl.col("High").alias(HIGH),
            pl.col("Low").alias(LOW),
            pl.col("Close").alias(CLOSE),
            pl.col("Volume").cast(pl.Float64).alias(VOLUME),
            pl.col("Adj Close").alias(ADJ_CLOSE),
            pl.lit(None, pl.Date).alias(CAPTURED),
        ).cast(BARS)  # type: ignore[arg-type]
        instruments = (
            bars.select(SYMBOL)
            .unique(maintain_order=True)
            .with_columns(
                pl.col(SYMBOL).replace_strict(NAMES, default=None).alias(NAME),
                pl.lit(None, pl.String).alias(SECTOR),
                pl.lit(None, pl.String).alias(INDUSTRY),
            )
        )
        return MarketData(bars=bars, instruments=instruments.cast(INSTRUMENTS))  # type: ignore[arg-type]
