"""Execution of stages in this process, around which it locks the data directory and records a run with the Dagster instance."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from stock_pipeline.core.errors import InputError
from stock_pipeline.core.layout import Layout
from stock_pipeline.core.locks import exclusive
from stock_pipeline.orchestration.dagster_run import RecordedRun
from stock_pipeline.orchestration.execution import Run, StageFailure, StageResult
from stock_pipeline.orchestration.instance import given_dagster_home, prepare_dagster_home
from stock_pipeline.orchestration.stage import Stage


@contextmanager
def recording(run: Run, job: str, stages: Sequence[Stage]) -> Iterator[Callable[[StageResult | StageFailure], None]]:
    """Record a run of the block with the Dagster instance; yields a function that records the result of a stage.

    The instance is the one under the data directory, or in DAGSTER_HOME.

    Args:
        run: its settings and its number.
        job: the Dagster job whose page and line of the timeline show the run.
        stages: all stages of the project.

    Raises:
        InputError: DAGSTER_HOME is not a folder.
    """
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(run.settings))) as instance:
        recorded = RecordedRun(instance, job, run.run_id, stages, run.settings)
        recorded.begin()
        try:
            yield recorded.record
        except BaseException as error:
            recorded.end(error)
            raise
        recorded.end()


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold the lock of the data directory, so that only one command runs in it.

    Raises:
        InputError: another command is running, or the directory cannot be made, or DAGSTER_HOME is not a folder.
    """
    given_dagster_home()  # checked before anything is written
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"data directory {home} cannot be made: {error.strerror}; choose another with STOCK_PIPELINE_HOME") from error
    busy = f"another `stock-pipeline run` or training is at work in {home}; wait for it to end"
    with exclusive(Layout(home).run_lock, lambda: InputError(busy)):
        yield
