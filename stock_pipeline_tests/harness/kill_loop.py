"""A process that has everything imported and forks, for each line that it is given, a child which changes versions until it is killed.

The child says a line before every step on the way to the disk, and one more when a change is acknowledged.
"""

import os
import sys
from pathlib import Path
from typing import NoReturn

import polars as pl

from stock_pipeline.core.columns import VERSION
from stock_pipeline.registry.ledger import stored_registry, write_manual_decision
from stock_pipeline.registry.manual import roll_back
from stock_pipeline.registry.tables import RETIRED, STATUS
from stock_pipeline.storage import open_stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import MOMENT
from stock_pipeline_tests.harness.watched_connections import watch_connections

MODEL = "lightgbm"
NIGHT = sessions(3)[-1]
STEP, DONE, GONE = "step", "done", "gone"
# A change of both tables takes six of these: the last makes it happen.
STEPS = ("DELETE", "INSERT", "UPDATE", "COMMIT")


def report_progress(line: object) -> None:
    """A line in one piece, past any buffer that a kill would take along."""
    os.write(1, f"{line}\n".encode())


def main(home: Path) -> None:
    """Fork a child for each line on standard input, and say when it is gone."""
    watch_connections(before=lambda statement: report_progress(STEP) if statement.startswith(STEPS) else None)
    for _line in sys.stdin:
        child = os.fork()
        if child == 0:
            _there_and_back(home)
        report_progress(child)
        os.waitpid(child, 0)
        report_progress(GONE)


def _there_and_back(home: Path) -> NoReturn:
    stores = open_stores(home)
    while True:
        with stores.shared_reader("ml"):
            stored = stored_registry(stores)
        held = stored.registry
        resting = held.versions.filter(pl.col(STATUS) == RETIRED)[VERSION][0]
        after = roll_back(held, MODEL, resting, NIGHT, "to and fro")
        write_manual_decision(stores, stored, after, MOMENT)
        report_progress(DONE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
