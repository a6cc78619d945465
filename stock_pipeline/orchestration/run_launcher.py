"""Dagster's own run launcher, which also tells run monitoring whether the process of a run is still there.

Without it, a run whose process and code server were killed together stays at work, and keeps its place among the runs, until its time
limit. dagster.yaml names this class.
"""

from typing import Final

import dagster as dg
from dagster._core.events import DagsterEventType
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus

from stock_pipeline.core.processes import is_alive, was_alive_at
from stock_pipeline.orchestration.dagster_run import PROCESS_TAG

PID: Final = "pid"  # where Dagster notes the process of a run


class WatchedRunLauncher(DefaultRunLauncher):
    """Launches runs as Dagster does, and reports those whose process has died."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring may ask for the health of a run."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run is there. One that has not noted its process yet counts as running."""
        name = run.tags.get(PROCESS_TAG)
        if name is not None:
            return _health(is_alive(name), name)
        noted = _process_noted(self._instance, run.run_id)
        return CheckRunHealthResult(WorkerStatus.RUNNING) if noted is None else _health(was_alive_at(*noted), str(noted[0]))


def _health(alive: bool, name: str) -> CheckRunHealthResult:
    return CheckRunHealthResult(WorkerStatus.RUNNING) if alive else CheckRunHealthResult(WorkerStatus.FAILED, f"process {name} has ended")


def _process_noted(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """The number of the process that executes a run, and when it was noted (seconds since 1970); None where it has not been yet."""
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        noted = None if event is None else event.engine_event_data.metadata.get(PID)
        if noted is not None and str(noted.value).isdecimal():
            return int(str(noted.value)), entry.timestamp
    return None
