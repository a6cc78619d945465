"""``run``: the full pipeline, from source to drift report, as a cold process; then again in the same data directory.

Nothing is left to do the second time, so its share of the first is what it costs to find that out. The Dagster instance should hardly grow
by it.
"""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.cold_process import ProcessResult, fresh_folder, run_cold
from benchmarks.figure import Figure, mebibytes, seconds
from benchmarks.stage_record import StageRecord, read_records, stage_figures

FIRST_RUN_SECONDS = 90.0  # for the packaged sample
SECOND_RUN_SHARE = 0.25
SECOND_RUN_SECONDS = 5.0  # for the packaged sample
MOST_GROWTH_MEBIBYTES = 1.0
MOST_MEBIBYTES = 3e9 / 2**20  # for 1.4 million rows of 40 features and every model


def measure(data: str | None) -> Iterator[Figure]:
    """Figures of every asset and of both runs, over the packaged sample or over the files ``data``.

    Raises:
        BenchmarkError: a run failed; the figures of the assets that it had made came before.
    """
    with fresh_folder() as folder:
        first, records = _run(folder, "first", data)
        yield from stage_figures(records)
        first.require_success("the first run")
        yield from _process_figures("first run", first, None if data else FIRST_RUN_SECONDS)
        # Starting Python, importing, trying the source, telling the Dagster instance, showing the results.
        yield seconds("first run seconds outside assets", first.seconds - sum(record.seconds for record in records))
        yield mebibytes("first run most memory seen of all its processes together", first.peak_bytes, MOST_MEBIBYTES)
        before = _instance_bytes(folder)
        second, _ = _run(folder, "second", data)
        second.require_success("the second run")
        yield from _process_figures("second run", second, None if data else SECOND_RUN_SECONDS)
        yield mebibytes("second run growth of the Dagster instance", _instance_bytes(folder) - before, MOST_GROWTH_MEBIBYTES)
        yield Figure("second run share of first", round(second.seconds / first.seconds, 4), "ratio", SECOND_RUN_SHARE)


def _run(folder: Path, name: str, data: str | None) -> tuple[ProcessResult, list[StageRecord]]:
    record = folder / f"{name}.jsonl"
    finished = run_cold(["-m", "benchmarks.watched_run", str(record), *filter(None, [data])], folder)
    return finished, read_records(record)


def _instance_bytes(folder: Path) -> int:
    """The size of the Dagster instance that the runs in ``folder`` have."""
    return sum(file.stat().st_size for home in folder.rglob("dagster") for file in home.rglob("*") if file.is_file())


def _process_figures(name: str, finished: ProcessResult, target: float | None) -> Iterator[Figure]:
    yield seconds(f"{name} seconds", finished.seconds, target)
    yield seconds(f"{name} cpu seconds", finished.cpu_seconds)
