"""Execution of stages in this process, around which it locks the data directory and records a run with the Dagster instance."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg

from stock_pipeline.core.errors import InputError, StockPipelineError
from stock_pipeline.core.files import refuse_full_disk
from stock_pipeline.core.layout import Layout
from stock_pipeline.core.locks import exclusive
from stock_pipeline.core.scratch import remove_left_over
from stock_pipeline.orchestration.dagster_run import RecordedRun
from stock_pipeline.orchestration.execution import Run, StageFailure, StageResult
from stock_pipeline.orchestration.instance import given_dagster_home, instance_problems, prepare_dagster_home
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
    home = prepare_dagster_home(run.settings)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        with instance_problems(home):
            recorded = RecordedRun(instance, job, run.run_id, stages, run.settings)
            recorded.begin()

        def record(result: StageResult | StageFailure) -> None:
            with instance_problems(home):
                recorded.record(result)

        try:
            yield record
        except BaseException as error:
            with suppress(StockPipelineError), instance_problems(home):  # ``error`` says more
                recorded.end(error)
            raise
        with instance_problems(home):
            recorded.end()


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold the lock of the data directory, so that only one command runs in it.

    Raises:
        InputError: another command is running, or the directory cannot be made, or DAGSTER_HOME is not a folder.
        StockPipelineError: the disk has not enough room for what a run writes.
    """
    given_dagster_home()  # checked before anything is written
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"data directory {home} cannot be made: {error.strerror}; choose another with STOCK_PIPELINE_HOME") from error
    busy = f"another `stock-pipeline run` or training is at work in {home}; wait for it to end"
    layout = Layout(home)
    with exclusive(layout.run_lock, lambda: InputError(busy)):
        remove_left_over(layout.scratch)  # it would count as full
        refuse_full_disk(home, (layout.market_store, layout.ml_store))
        yield
