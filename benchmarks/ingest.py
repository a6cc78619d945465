"""``ingest``: bars through the whole path into a fresh store, beside what DuckDB alone needs to make a sorted table of the same file."""

import json
from collections.abc import Iterator

from benchmarks.cold_process import fresh_folder, run_cold
from benchmarks.figure import Figure, mebibytes, seconds

MOST_TIMES_DUCKDB = 4.0
NIGHT_SECONDS = 2.0
PEAK_MEBIBYTES = 1500.0


def measure(data: str | None) -> Iterator[Figure]:
    """Figures over the packaged sample or over the files ``data``.

    Raises:
        BenchmarkError: the bars could not be brought in.
    """
    with fresh_folder() as folder:
        record = folder / "ingest.json"
        run_cold(["-m", "benchmarks.watched_ingest", str(record), *filter(None, [data])], folder).require_success("the ingestion")
        measured = json.loads(record.read_text())
    yield Figure("bars", measured["bars"], "rows")
    yield seconds("duckdb create and sort seconds", measured["duckdb_seconds"])
    yield seconds("ingest seconds", measured["ingest_seconds"])
    ratio = measured["ingest_seconds"] / measured["duckdb_seconds"]
    yield Figure("ingest share of duckdb", round(ratio, 2), "ratio", MOST_TIMES_DUCKDB if data else None)
    yield Figure("night bars", measured["night_bars"], "rows")
    yield seconds("one more night seconds", measured["night_seconds"], NIGHT_SECONDS)
    peak = mebibytes("peak memory", measured["peak_bytes"])
    yield Figure(peak.name, peak.value, peak.unit, PEAK_MEBIBYTES)
