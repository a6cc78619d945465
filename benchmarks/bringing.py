"""Stores that a benchmark brings bars into, by the path that ingestion takes, without drawing its picture."""

from datetime import datetime
from pathlib import Path
from unittest.mock import patch

from stock_pipeline.market_data import assets
from stock_pipeline.orchestration.asset_factory import INGESTION_ASSET
from stock_pipeline.orchestration.night import Night
from stock_pipeline.settings import load_settings
from stock_pipeline.storage import Author, Stores, open_stores

WRITTEN = datetime(2000, 1, 1)


def fresh_stores(home: Path) -> Stores:
    """Both stores, empty."""
    stores = open_stores(home)
    stores.prepare(assets.TABLES)
    return stores


def bring_file(stores: Stores, file: Path) -> None:
    """Ingest a file of bars.

    Raises:
        RuntimeError: it holds nothing that the stores do not have.
    """
    held = stores.watermark("market", INGESTION_ASSET)
    night = Night(
        asset=INGESTION_ASSET,
        store="market",
        stores=stores,
        settings=load_settings().model_copy(update={"home": stores.home}),
        requested=None,
        watermark=None if held is None else held.session,
        market_watermark=None,
        source="files",
        path=str(file),
    )
    with patch("stock_pipeline.market_data.assets.candlesticks", return_value=b""):
        product = assets.ingest(night)
    if product is None:
        raise RuntimeError(f"{file} brought nothing new")
    stores.write("market", Author.of_asset(INGESTION_ASSET, "1", "benchmark", WRITTEN), product.writes, product.watermark)
