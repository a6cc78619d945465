"""The processes that ``features`` measures: ``python -m benchmarks.watched_features compute|store RECORD ...``.

``compute RECORD PANEL``: Alpha158 of a panel in a Parquet file, CPU seconds over several turns.
``store RECORD SET [FILES]``: a set built into stores that hold bars, then the last sessions one night at a time. The execution of the
stage is timed, from asking how far it has come to the audit rows, but for its checks; bringing the bars is not.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

import polars as pl

from benchmarks.bringing import bring_file, fresh_stores, make
from benchmarks.memory import peak_bytes, reset_peak
from stock_pipeline.core.columns import SESSION
from stock_pipeline.features.assets import stages
from stock_pipeline.features.catalogue import ALPHA158
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.market_data.catalogue import open_source
from stock_pipeline.orchestration.stage import key_of
from stock_pipeline.settings import FeatureSettings, load_settings
from stock_pipeline.storage import Stores
from stock_pipeline.universe.assets import STAGES

Made = TypeVar("Made")

(UNIVERSE,) = STAGES
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
    build = _features_of(stores, chosen)
    reset_peak()
    rebuild_wall = time.perf_counter()
    rebuild_seconds, rows = _cpu_timed(build)
    rebuild_wall = time.perf_counter() - rebuild_wall
    peak = peak_bytes()
    seconds, walls = [], []
    for night in nights:
        later.filter(pl.col("date") == night).write_parquet(file)
        bring_file(stores, file)
        wall = time.perf_counter()
        seconds.append(_cpu_timed(build)[0])
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


def _features_of(stores: Stores, chosen: str) -> Callable[[], int]:
    """What brings universe and features of a set up to the last session of the stores, and returns how many rows of them it made."""
    settings = load_settings().model_copy(update={"home": stores.home, "features": FeatureSettings(set=chosen)})
    stage = next(stage for stage in stages(settings) if stage.keys[0] == key_of(DAILY_FEATURES))

    def bring() -> int:
        make(UNIVERSE, stores, settings)
        return make(stage, stores, settings)

    return bring


def _warm_up(bars: pl.DataFrame, home: Path, chosen: str) -> None:
    """Load whatever is loaded once, on a few sessions in stores of their own."""
    stores = fresh_stores(home)
    bars.write_parquet(home / "bars.parquet")
    bring_file(stores, home / "bars.parquet")
    _features_of(stores, chosen)()


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
