"""Timing a whole Python process from its start to its end, imports included, away from the user's settings and data."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory import wait_and_watch

PROJECT_FOLDER = Path(__file__).resolve().parents[1]
USERS_VARIABLES = ("STOCK_PIPELINE_", "DAGSTER_", "MLFLOW_")
STANDARD_ERROR = 2


class BenchmarkError(Exception):
    """A benchmark could not be measured."""


@dataclass(frozen=True)
class ProcessResult:
    """How a process went: wall seconds, seconds of all cores together, the most memory of it and its descendants, its exit code."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    exit_code: int

    def require_success(self, what: str) -> None:
        """Refuse to go on with what a failed process left.

        Raises:
            BenchmarkError: the process failed.
        """
        if self.exit_code:
            raise BenchmarkError(f"{what} ended with exit code {self.exit_code}; what it said is above")


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """An empty folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="stock_pipeline_benchmark_") as folder:
        yield Path(folder)


def run_cold(arguments: Sequence[str], folder: Path, python: Path = Path(sys.executable)) -> ProcessResult:
    """Run ``python ARGUMENTS`` in ``folder``, with its data directory there; whatever it prints goes to standard error.

    ``python`` may be that of another environment.
    """
    cpu_before = _cpu_seconds_of_children()
    began = time.perf_counter()
    with subprocess.Popen([python, *arguments], cwd=folder, env=environment(os.environ, folder), stdout=STANDARD_ERROR) as process:
        peak = wait_and_watch(process)
    seconds = time.perf_counter() - began
    return ProcessResult(seconds, _cpu_seconds_of_children() - cpu_before, peak, process.returncode)


def environment(given: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables of a measured process: none of the user's settings, the data directory in ``folder``, this project's code."""
    kept = {name: value for name, value in given.items() if not name.startswith(USERS_VARIABLES)}
    paths = [str(PROJECT_FOLDER), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths), "STOCK_PIPELINE_HOME": str(folder / "data")}


def _cpu_seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
