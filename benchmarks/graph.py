"""``graph``: how long Dagster waits for the asset graph when it starts: a cold process that loads and validates all definitions."""

from collections.abc import Iterator
from statistics import median

from benchmarks.cold_process import fresh_folder, run_cold
from benchmarks.figure import Figure, seconds

LOAD_SECONDS = 3.0
LOADS = 3
LOAD = "import dagster; from stock_pipeline.definitions import defs; dagster.Definitions.validate_loadable(defs())"


def measure(_data: str | None) -> Iterator[Figure]:
    """The median of three cold loads.

    Raises:
        BenchmarkError: the definitions cannot be loaded.
    """
    loads = []
    with fresh_folder() as folder:
        for _ in range(LOADS):
            load = run_cold(["-c", LOAD], folder)
            load.require_success("loading the definitions")
            loads.append(load)
    yield seconds("load seconds", median(load.seconds for load in loads), LOAD_SECONDS)
    yield seconds("load cpu seconds", median(load.cpu_seconds for load in loads))
