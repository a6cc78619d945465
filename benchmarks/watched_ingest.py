"""The process that ``ingest`` measures: ``python -m benchmarks.watched_ingest RECORD [FILES]``.

The execution of the stage is timed, from reading the file to the audit rows, but for its checks; imports are not.
DuckDB and the ingestion take turns, and the median of each counts, so that a busy moment of the machine weighs on neither alone.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import duckdb
import polars as pl

from benchmarks.bringing import bring_file, fresh_stores
from benchmarks.memory import peak_bytes, reset_peak
from stock_pipeline.core.columns import SESSION
from stock_pipeline.market_data.catalogue import open_source
from stock_pipeline.settings import load_settings
from stock_pipeline.storage import Stores

TURNS = 3
WARM_UP_SESSIONS = 5
FILE = "bars.parquet"


def main(record: Path, files: str | None) -> None:
    """Measure and write the record."""
    folder = record.parent
    source = load_settings().source.model_copy(update={"path": files})
    bars = next(open_source("files" if files else "sample", source).fetch(None)).data.bars.rename({SESSION: "date"})
    sessions = bars["date"].unique().sort()
    warm = fresh_stores(folder / "warm")
    _bring(warm, bars.filter(pl.col("date").is_in(sessions.head(WARM_UP_SESSIONS).implode())))
    before, night = bars.filter(pl.col("date") < sessions[-1]), bars.filter(pl.col("date") == sessions[-1])
    height, night_height = before.height, night.height
    before.write_parquet(folder / FILE)
    del bars, before
    reset_peak()
    by_duckdb, by_us = [], []
    stores = warm
    for turn in range(TURNS):
        by_duckdb.append(_timed(partial(_duckdb_alone, folder / f"alone_{turn}.duckdb", folder / FILE)))
        stores = fresh_stores(folder / f"turn_{turn}")
        by_us.append(_timed(partial(bring_file, stores, folder / FILE)))
    peak = peak_bytes()
    night.write_parquet(folder / "night.parquet")
    night_seconds = _timed(partial(bring_file, stores, folder / "night.parquet"))
    measured = {
        "bars": height,
        "duckdb_seconds": median(by_duckdb),
        "ingest_seconds": median(by_us),
        "night_bars": night_height,
        "night_seconds": night_seconds,
        "peak_bytes": peak,
    }
    record.write_text(json.dumps(measured))


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _duckdb_alone(path: Path, file: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE bars AS SELECT * FROM read_parquet(?) ORDER BY date, symbol", [str(file)])


def _bring(stores: Stores, bars: pl.DataFrame) -> None:
    file = stores.home / FILE
    bars.write_parquet(file)
    bring_file(stores, file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
