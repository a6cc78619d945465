"""The processes that ``features`` measures: ``python -m benchmarks.watched_features compute|store RECORD ...``.

``compute RECORD PANEL``: Alpha158 of a panel in a Parquet file, CPU seconds over several turns.
``store RECORD SET [FILES]``: a set built into stores that hold bars, then the last sessions one night at a time. What the features
asset does is timed, from reading the bars to the audit rows, but for drawing its picture; bringing the bars is not.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar
from unittest.mock import patch

import polars as pl

from benchmarks.bringing import bring_file, fresh_stores
from benchmarks.memory import peak_bytes, reset_peak
from stock_pipeline.core.columns import SESSION
from stock_pipeline.features.assets import assets
from stock_pipeline.features.catalogue import ALPHA158
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.market_data.catalogue import open_source
from stock_pipeline.orchestration.asset_factory import INGESTION_ASSET
from stock_pipeline.orchestration.night import Night
from stock_pipeline.orchestration.stage import key_of
from stock_pipeline.settings import FeatureSettings, load_settings
from stock_pipeline.storage import Author, Stores
from stock_pipeline.storage.audit import TaskRun

Made = TypeVar("Made")

TURNS = 3
NIGHTS = 5
WARM_UP_SESSIONS = 10


def compute(record: Path, panel_file: str) -> None:
    """Compute Alpha158 of the panel and keep the values for comparison."""
    panel = pl.read_parquet(panel_file)
    reset_peak()
    seconds = []
    for _ in range(TURNS):
        cpu_seconds, made = _cpu_timed(lambda: compute_features(panel, ALPHA158.features))
        seconds.append(cpu_seconds)
    made.write_parquet(record.with_suffix(".parquet"))
    record.write_text(json.dumps({"rows": made.height, "cpu_seconds": median(seconds), "peak_bytes": peak_bytes()}))


def store(record: Path, chosen: str, files: str | None = None) -> None:
    """Build the set, then bring it on night by night."""
    source = load_settings().source.model_copy(update={"path": files})
    bars = next(open_source("files" if files else "sample", source).fetch(None)).data.bars.rename({SESSION: "date"})
    sessions = bars["date"].unique().sort()
    _warm_up(bars.filter(pl.col("date").is_in(sessions.head(WARM_UP_SESSIONS).implode())), record.parent / "warm", chosen)
    stores, file = fresh_stores(record.parent / f"home_{chosen}"), record.parent / "bars.parquet"
    nights = sessions.tail(NIGHTS).to_list()
    bars.filter(pl.col("date") < nights[0]).write_parquet(file)
    later = bars.filter(pl.col("date") >= nights[0])
    del bars
    bring_file(stores, file)
    machine = _Machine(stores, chosen)
    first = machine.night()
    reset_peak()
    rebuild_wall = time.perf_counter()
    rebuild_seconds, rows = _cpu_timed(partial(machine.run, first))
    rebuild_wall = time.perf_counter() - rebuild_wall
    peak = peak_bytes()
    seconds, walls = [], []
    for night in nights:
        later.filter(pl.col("date") == night).write_parquet(file)
        bring_file(stores, file)
        due = machine.night()
        wall = time.perf_counter()
        seconds.append(_cpu_timed(partial(machine.run, due))[0])
        walls.append(time.perf_counter() - wall)
    measured = {
        "rows": rows,
        "rebuild_cpu_seconds": rebuild_seconds,
        "rebuild_seconds": rebuild_wall,
        "night_cpu_seconds": median(seconds),
        "night_seconds": median(walls),
        "peak_bytes": peak,
    }
    record.write_text(json.dumps(measured))


class _Machine:
    """The features asset over stores, run as its factory runs it."""

    def __init__(self, stores: Stores, chosen: str) -> None:
        self.stores = stores
        self.settings = load_settings().model_copy(update={"home": stores.home, "features": FeatureSettings(set=chosen)})
        self.asset = next(asset for asset in assets(self.settings) if asset.keys[0] == key_of(DAILY_FEATURES))
        self.moment = datetime(2001, 1, 1)

    def night(self) -> Night:
        """What the asset receives; reading how far it has come is its factory's work."""
        held, market = self.stores.watermark("ml", self.asset.name), self.stores.watermark("market", INGESTION_ASSET)
        reached, as_of = (None if mark is None else mark.session for mark in (held, market))
        return Night(self.asset.name, "ml", self.stores, self.settings, None, reached, as_of)

    def run(self, night: Night) -> int:
        """Make the features and write them."""
        began = self._tick()
        with patch("stock_pipeline.features.assets.heat_map", return_value=b""):
            product = self.asset.body(night)
        if product is None:
            raise RuntimeError("there was nothing to make")
        author = Author.of_asset(night.asset, self.asset.code_version, "benchmark", self._tick())
        self.stores.write("ml", author, product.writes, product.watermark)
        self.stores.record_task("ml", TaskRun(night.asset, "benchmark", began, self._tick(), "succeeded", 0, None))
        return product.writes[0].frame.height

    def _tick(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment


def _warm_up(bars: pl.DataFrame, home: Path, chosen: str) -> None:
    """Load whatever is loaded once, on a few sessions in stores of their own."""
    stores = fresh_stores(home)
    bars.write_parquet(home / "bars.parquet")
    bring_file(stores, home / "bars.parquet")
    machine = _Machine(stores, chosen)
    machine.run(machine.night())


def _cpu_timed(work: Callable[[], Made]) -> tuple[float, Made]:
    began = time.process_time()
    made = work()
    return time.process_time() - began, made


if __name__ == "__main__":
    mode, record_file, *further = sys.argv[1:]
    if mode == "compute":
        compute(Path(record_file), *further)
    else:
        store(Path(record_file), *further)
