"""A run in this process as a run of the Dagster instance, so that timeline, jobs page and assets show it.

It holds no slot of a pool, as the stores have locks of their own.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType, JobFailureData, RunFailureReason, StepMaterializationData
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from stock_pipeline.core.processes import is_alive, process_name
from stock_pipeline.orchestration.asset_events import AssetEvents
from stock_pipeline.orchestration.execution import StageFailure, StageResult, problem_of, sentence_of
from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.settings import Settings

LOCATION, REPOSITORY, MODULE = "stock_pipeline", "__repository__", "stock_pipeline.definitions"  # as in workspace.yaml
PROCESS_TAG: Final = "stock_pipeline/process"
STOPPED: Final = "it was stopped"
DIED: Final = "its process ended without a result"


class RecordedRun:
    """A run of this process on record with the Dagster instance, from ``begin`` to ``end``."""

    def __init__(self, instance: dg.DagsterInstance, job: str, run_id: str, stages: Sequence[Stage], settings: Settings) -> None:
        """Prepare the record.

        Args:
            instance: where the run is recorded.
            job: the Dagster job whose page and line of the timeline show it.
            run_id: of the run, as in the audit trail.
            stages: all stages of the project, those that are not executed included.
            settings: for the code versions.
        """
        self._instance = instance
        self._events = AssetEvents(instance, stages, settings)
        self._problems: dict[str, str] = {}
        tags = {PROCESS_TAG: process_name(os.getpid())}
        self._run = dg.DagsterRun(job_name=job, run_id=run_id, tags=tags, remote_job_origin=_origin(job))

    def begin(self) -> None:
        """Record the start, and the end of runs on record whose process has died."""
        end_dead_runs(self._instance)
        self._instance.add_run(self._run)
        self._report(DagsterEventType.PIPELINE_START)

    def record(self, result: StageResult | StageFailure) -> None:
        """Record the materialisations and checks of a stage, and its failure."""
        problem = problem_of(result)
        if problem is not None:
            self._problems[result.stage.name] = problem
            self._instance.report_engine_event(f"{result.stage.name} failed: {problem}", self._run)
        if isinstance(result, StageResult):
            for event in self._events.of(result):
                if isinstance(event, dg.AssetMaterialization):
                    self._report(DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(event, []))
                else:
                    self._report(DagsterEventType.ASSET_CHECK_EVALUATION, event)

    def end(self, error: BaseException | None = None) -> None:
        """Record the end: canceled where ``error`` stopped the run, failed where it or a stage failed, otherwise succeeded."""
        problems = [f"{name}: {problem}" for name, problem in self._problems.items()]
        if isinstance(error, KeyboardInterrupt | SystemExit):
            self._instance.report_run_canceled(self._run, STOPPED)
        elif error is not None:
            _report_failure(self._instance, self._run, sentence_of(error), RunFailureReason.RUN_EXCEPTION)
        elif problems:
            _report_failure(self._instance, self._run, "; ".join(problems), RunFailureReason.STEP_FAILURE)
        else:
            self._report(DagsterEventType.PIPELINE_SUCCESS)

    def _report(self, kind: DagsterEventType, data: Any = None) -> None:
        event = DagsterEvent(event_type_value=kind.value, job_name=self._run.job_name, event_specific_data=data)
        self._instance.report_dagster_event(event, self._run.run_id)


def end_dead_runs(instance: dg.DagsterInstance) -> None:
    """Record the runs of processes such as this one as failed where the process has died."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[*IN_PROGRESS_RUN_STATUSES, dg.DagsterRunStatus.NOT_STARTED])):
        name = run.tags.get(PROCESS_TAG)
        if name is not None and not is_alive(name):
            _report_failure(instance, run, DIED, RunFailureReason.UNEXPECTED_TERMINATION)


def _report_failure(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str, reason: RunFailureReason) -> None:
    instance.report_run_failed(run, message, JobFailureData(None, reason))


def _origin(job: str) -> RemoteJobOrigin:
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=MODULE)
    return RemoteJobOrigin(RemoteRepositoryOrigin(ManagedGrpcPythonEnvCodeLocationOrigin(target, LOCATION), REPOSITORY), job)
