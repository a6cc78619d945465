"""Executing stages in this process, one after another, and telling the Dagster instance what came of them.

No run of Dagster's is made: its events cost more than many a stage, and its pools would be kept by a process that is killed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from stock_pipeline.core.errors import InputError
from stock_pipeline.core.layout import Layout
from stock_pipeline.core.locks import exclusive
from stock_pipeline.orchestration.asset_factory import code_version
from stock_pipeline.orchestration.execution import Outcome, Run, execute_stages
from stock_pipeline.orchestration.instance import given_dagster_home, prepare_dagster_home
from stock_pipeline.orchestration.reporting import events_of
from stock_pipeline.orchestration.stage import Stage


def run_in_process(stages: Sequence[Stage], run: Run) -> list[Outcome]:
    """Execute the stages in their order, and return the outcomes of those that did not fail and were not left out.

    The materialisations and checks are recorded in the Dagster instance under the data directory, or in DAGSTER_HOME.

    Args:
        stages: in the order in which data travels.
        run: where, as of which session, for whom.

    Raises:
        InputError: another run is at work in the same data directory, or a directory that is needed cannot be had.
    """
    given_dagster_home()  # tried before anything is written
    with alone(run.stores.home), dg.DagsterInstance.from_config(str(prepare_dagster_home(run.settings))) as instance:
        found = []
        for outcome in execute_stages(stages, run):
            for event in events_of(outcome, code_version(outcome.stage, run.settings), instance):
                instance.report_runless_asset_event(event)
            found.append(outcome)
        return found


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Be the only run in the data directory that a command has started.

    Raises:
        InputError: another is at work, or the directory cannot be made.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"data directory {home} cannot be made: {error.strerror}; choose another with STOCK_PIPELINE_HOME") from error
    with exclusive(Layout(home).run_lock, lambda: InputError(f"another `stock-pipeline run` is at work in {home}; wait for it to end")):
        yield
