"""Ingestion: one body brings every table of the market store, in one transaction."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, SOURCE, SYMBOL
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.market_data.gathering import chosen_source, gather, refuse_mixing
from stock_pipeline.market_data.pictures import candlesticks
from stock_pipeline.market_data.sources.source import CAPTURED
from stock_pipeline.market_data.tables import CORPORATE_ACTIONS, DAILY_BARS, INGESTION_REPORTS, INSTRUMENTS, QUARANTINED_BARS
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.storage import Stores, Write
from stock_pipeline.storage.versions import notice_restatements, weave

TABLES = (DAILY_BARS, CORPORATE_ACTIONS, INSTRUMENTS, QUARANTINED_BARS, INGESTION_REPORTS)


def ingest(night: Night) -> Product:
    """Bring bars, actions and instruments up to the last session of the source."""
    source = chosen_source(night.settings, night.source, night.path)
    refuse_mixing(night.stores, source)
    night.say(f"reading source {source.name}")
    gathered = gather(source, night.settings, night.requested)
    night.say(f"storing {gathered.bars.height:,} bars")
    bars = _with_history(night.stores, DAILY_BARS, gathered.bars, gathered.as_of)
    actions = _with_history(night.stores, CORPORATE_ACTIONS, gathered.actions, gathered.as_of)
    report = gathered.report.row(0, named=True)
    return Product(
        writes=(
            Write(DAILY_BARS, bars, quarantined=gathered.quarantined.height, may_be_empty=True),
            Write(CORPORATE_ACTIONS, actions, may_be_empty=True),
            Write(INSTRUMENTS, gathered.instruments),
            Write(QUARANTINED_BARS, _not_yet_quarantined(night.stores, gathered.quarantined), may_be_empty=True),
            Write(INGESTION_REPORTS, gathered.report),
        ),
        watermark=gathered.as_of,
        pictures={"candlesticks": candlesticks(gathered.bars)} if bars.height else {},
        tables={"quarantined": gathered.quarantined.group_by("reason").len().sort("len", descending=True)},
        facts={name: report[name] for name in ("symbols", "bars_received", "bars_accepted", "bars_quarantined")},
    )


def _with_history(stores: Stores, schema: TableSchema, incoming: pl.DataFrame, night: date) -> pl.DataFrame:
    """The full history of every row about which the source says something new."""
    values = [name for name in schema.column_names if name not in (*schema.key, SOURCE, KNOWN_FROM, KNOWN_TO)]
    history = stores.read(schema)
    # What was captured says itself when it was known, so that telling it again, or late, restates nothing.
    was_captured = pl.col(CAPTURED).is_not_null()
    noticed = notice_restatements(history, incoming.filter(~was_captured), schema.key, values, night)
    return weave(history, pl.concat([noticed, incoming.filter(was_captured)]), schema.key, values)


def _not_yet_quarantined(stores: Stores, refused: pl.DataFrame) -> pl.DataFrame:
    """A bar refused again keeps the night on which it was first refused."""
    return refused.join(stores.read(QUARANTINED_BARS), on=list(QUARANTINED_BARS.key), how="anti").sort(SYMBOL, "row", nulls_last=True)


ASSETS: Sequence[StageAsset] = (
    StageAsset(
        keys=tuple(key_of(table) for table in TABLES),
        description="Market data from the source of the settings, screened and versioned.",
        tables=TABLES,
        depends_on=(),
        body=ingest,
        rhythm="ingestion",
        store="market",
    ),
)
