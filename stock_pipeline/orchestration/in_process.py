"""Execution of stages in this process, around which it locks the data directory and reports to the Dagster instance.

It makes no Dagster run: the events of one cost more than many a stage, and a killed process would keep its pools.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from stock_pipeline.core.errors import InputError
from stock_pipeline.core.layout import Layout
from stock_pipeline.core.locks import exclusive
from stock_pipeline.orchestration.asset_factory import code_version
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.orchestration.instance import given_dagster_home, prepare_dagster_home
from stock_pipeline.orchestration.reporting import events_of
from stock_pipeline.settings import Settings


@contextmanager
def recording(settings: Settings) -> Iterator[Callable[[StageResult], None]]:
    """Open the Dagster instance; yields a function that records a result's materialisations and checks in it.

    The instance is the one under the data directory, or in DAGSTER_HOME.

    Raises:
        InputError: DAGSTER_HOME is not a folder.
    """
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(settings))) as instance:

        def record(result: StageResult) -> None:
            for event in events_of(result, code_version(result.stage, settings), instance):
                instance.report_runless_asset_event(event)

        yield record


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
