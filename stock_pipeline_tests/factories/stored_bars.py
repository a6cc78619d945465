"""Stores with made-up bars in them."""

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, KNOWN_FROM, KNOWN_TO, PRICES, SESSION, SOURCE, SYMBOL, VOLUME
from stock_pipeline.market_data.tables import ACTIONS_KNOWN, BASIS, DAILY_BARS, RAW
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.factories.rows import INGESTION, put


def put_bars(stores: Stores, count: int, symbols: int = 3) -> pl.DataFrame:
    """``count`` sessions of bars, brought on the night of the first, so that every later night knows them; some are missing."""
    bars = adjusted_panel(symbols, count, missing_share=0.05)
    told = [pl.lit("tests").alias(SOURCE), pl.lit(RAW).alias(BASIS), pl.lit(True).alias(ACTIONS_KNOWN)]
    known = [pl.col(SESSION).alias(KNOWN_FROM), pl.lit(None, pl.Date).alias(KNOWN_TO), pl.col("close").alias(ADJ_CLOSE)]
    rows = bars.select(SYMBOL, SESSION, *PRICES, VOLUME, *told, *known)
    put(stores, DAILY_BARS, rows, bars[SESSION].max(), INGESTION)  # type: ignore[arg-type]
    return bars
