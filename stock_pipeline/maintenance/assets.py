"""The asset of the backups."""

from collections.abc import Sequence

import polars as pl

from stock_pipeline.backtest.tables import SUMMARY
from stock_pipeline.core.columns import AS_OF
from stock_pipeline.drift.tables import FEATURE_DRIFT
from stock_pipeline.maintenance.backup import back_up, outdated, remove
from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.performance.tables import DAILY_PERFORMANCE
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.predictions.tables import SIGNALS
from stock_pipeline.storage import Write


def keep_backups(night: Night) -> Product | None:
    """Copy both stores once the night is done, and let the oldest copies go."""
    if night.is_up_to_date:
        return None
    made = back_up(night.stores, night.as_of)
    held = night.read(BACKUPS)
    everything = pl.concat([held.filter(pl.col(AS_OF) != night.as_of), made])
    gone = outdated(everything, night.settings.maintenance.backups_kept)
    remove(night.stores.home, gone)
    kept = everything.filter(~pl.col(AS_OF).is_in(gone)).sort(AS_OF, "store")
    return Product(
        writes=(Write(BACKUPS, kept),),
        watermark=night.as_of,
        tables={"backups": kept},
        facts={"size_bytes": int(made["size_bytes"].sum())},
    )


ASSETS: Sequence[StageAsset] = (
    StageAsset(
        keys=(key_of(BACKUPS),),
        description="Copies of both stores.",
        tables=(BACKUPS,),
        depends_on=tuple(key_of(table) for table in (SIGNALS, SUGGESTED_STOCKS, DAILY_PERFORMANCE, SUMMARY, FEATURE_DRIFT)),
        body=keep_backups,
        kinds=("duckdb",),
    ),
)
