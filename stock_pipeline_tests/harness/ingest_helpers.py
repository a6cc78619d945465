"""Bars brought into a store as the ingestion asset brings them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from stock_pipeline.core.columns import SESSION
from stock_pipeline.market_data.assets import ingest
from stock_pipeline.orchestration.night import Night
from stock_pipeline.storage import Author, Stores, WriteReport
from stock_pipeline_tests.factories.market_rows import bars
from stock_pipeline_tests.harness.plain_settings import plain_settings

ASSET = "market_data/daily_bars"
Bring = Callable[..., list[WriteReport]]


def bringing(stores: Stores) -> Bring:
    """A function that ingests rows, by way of a Parquet file, and tells what was written."""
    path = stores.home / "bars.parquet"
    plain = Night(
        asset=ASSET,
        store="market",
        stores=stores,
        settings=plain_settings(stores.home),
        requested=None,
        watermark=None,
        market_watermark=None,
        source="files",
        path=str(path),
    )

    def brought(*rows: dict[str, Any], as_of: date | None = None, **settings: Any) -> list[WriteReport]:
        bars(*rows).rename({SESSION: "date"}).write_parquet(path)
        held = stores.watermark("market", ASSET)
        chosen = plain.settings.model_copy(update={"source": plain.settings.source.model_copy(update=settings)})
        product = ingest(replace(plain, settings=chosen, requested=as_of, watermark=None if held is None else held.session))
        assert product is not None
        return stores.write("market", Author.of_asset(ASSET, "1", "run", datetime(2012, 1, 13)), product.writes, product.watermark)

    return brought
