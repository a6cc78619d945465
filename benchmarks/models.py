"""``models``: every model trained on half a million samples as the pipeline trains them, then loaded, asked and explained."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.cold_process import fresh_folder, run_cold
from benchmarks.figure import Figure, mebibytes, seconds

MOST_SECONDS, MOST_WEEKLY_SECONDS, MOST_MEBIBYTES = 480.0, 200.0, 3e9 / 2**20
LOAD, ONE_ROW, HUNDRED, EXPLAIN = 0.5, 0.001, 0.02, 2.0
MICROSECONDS: Final = 6  # digits


def measure(_data: str | None) -> Iterator[Figure]:
    """Figures over a made-up panel.

    Raises:
        BenchmarkError: a process failed.
    """
    with fresh_folder() as folder:
        trained, peak = _watched(folder, "train")
        first, weekly = trained["first"], trained["weekly"]
        for name, taken in first["seconds"].items():
            yield seconds(f"{name} trained", taken)
        yield seconds("all trained", first["all_seconds"], MOST_SECONDS)
        yield seconds("all retrained a week later", weekly["all_seconds"], MOST_WEEKLY_SECONDS)
        yield mebibytes("most memory seen of all processes together", peak, MOST_MEBIBYTES)
        yield Figure("rank IC of the stack out of fold", round(weekly["stack_rank_ic"], 4), "correlation")
        served, _ = _watched(folder, "serve")
        yield Figure("load of all active versions", round(served["load"], MICROSECONDS), "s", LOAD)
        yield Figure("one row by all models of the stack", round(served["one_row"], MICROSECONDS), "s", ONE_ROW)
        yield Figure("100 stocks by the stack, frames and all", round(served["hundred_stocks"], MICROSECONDS), "s", HUNDRED)
        yield Figure(f"500 stocks explained by {served['explained_models']} models", round(served["explain"], MICROSECONDS), "s", EXPLAIN)


def _watched(folder: Path, mode: str) -> tuple[dict[str, Any], int]:
    """What was measured, and the peak memory in bytes."""
    record = folder / f"{mode}.json"
    finished = run_cold(["-m", "benchmarks.watched_models", mode, str(record)], folder)
    finished.require_success(mode)
    return json.loads(record.read_text()), finished.peak_bytes
