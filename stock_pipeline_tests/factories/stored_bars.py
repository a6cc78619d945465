"""Stores with made-up bars in them, and nights that label those."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, KNOWN_FROM, KNOWN_TO, PRICES, SESSION, SOURCE, SYMBOL, VOLUME
from stock_pipeline.labels.assets import assets
from stock_pipeline.market_data.tables import ACTIONS_KNOWN, BASIS, DAILY_BARS, RAW
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Author, Stores
from stock_pipeline.storage.audit import TaskRun
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.factories.rows import MOMENT, put


def put_bars(stores: Stores, count: int, symbols: int = 3) -> pl.DataFrame:
    """``count`` sessions of bars, brought on the night of the first, so that every later night knows them; some are missing."""
    bars = adjusted_panel(symbols, count, missing_share=0.05)
    told = [pl.lit("tests").alias(SOURCE), pl.lit(RAW).alias(BASIS), pl.lit(True).alias(ACTIONS_KNOWN)]
    known = [pl.col(SESSION).alias(KNOWN_FROM), pl.lit(None, pl.Date).alias(KNOWN_TO), pl.col("close").alias(ADJ_CLOSE)]
    rows = bars.select(SYMBOL, SESSION, *PRICES, VOLUME, *told, *known)
    put(stores, DAILY_BARS, rows, bars[SESSION].max(), "market_data/daily_bars")  # type: ignore[arg-type]
    return bars


def label(stores: Stores, settings: Settings, as_of: date, moment: datetime = MOMENT, **chosen: Any) -> Product | None:
    """Run the asset of the labels as of a session, as its factory would, and write what it makes."""
    (asset,) = assets(settings)
    held = stores.watermark("ml", asset.name)
    night = Night(
        asset=asset.name,
        store="ml",
        stores=stores,
        settings=settings,
        requested=None,
        watermark=None if held is None else held.session,
        market_watermark=as_of,
        full_refresh=held is not None and held.code_version != asset.code_version,
        **chosen,
    )
    product = asset.body(night)
    if product is not None:
        stores.write("ml", Author.of_asset(asset.name, asset.code_version, "a-run", moment), product.writes, product.watermark)
    stores.record_task("ml", TaskRun(asset.name, "a-run", moment, moment, "succeeded", 0, None))
    return product


def sessions_written(product: Product) -> Sequence[date]:
    """The sessions that a product has rows of."""
    days: list[date] = product.writes[0].frame[SESSION].unique().sort().to_list()
    return days
