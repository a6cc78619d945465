"""A process that has everything imported and forks, for each line that it is given, a child which changes versions until it is killed.

The child says a line before every step on the way to the disk, and one more when a change is acknowledged.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from stock_pipeline.core.columns import VERSION
from stock_pipeline.registry.actions import roll_back
from stock_pipeline.registry.ledger import decide_by_hand, stored_registry
from stock_pipeline.registry.tables import RETIRED, STATUS
from stock_pipeline.storage import audit, open_stores, writing
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import MOMENT

MODEL = "lightgbm"
NIGHT = sessions(3)[-1]
STEP, DONE, GONE = "step", "done", "gone"
STEPS = ((writing, "_delete_replaced"), (writing, "_insert"), (audit, "record_write"))


def say(line: object) -> None:
    """A line in one piece, past any buffer that a kill would take along."""
    os.write(1, f"{line}\n".encode())


def main(home: Path) -> None:
    """Fork a child for each line on standard input, and say when it is gone."""
    for module, name in STEPS:
        setattr(module, name, _telling(getattr(module, name)))
    for _line in sys.stdin:
        child = os.fork()
        if child == 0:
            _there_and_back(home)
        say(child)
        os.waitpid(child, 0)
        say(GONE)


def _there_and_back(home: Path) -> NoReturn:
    stores = open_stores(home)
    while True:
        with stores.kept_open("ml"):
            stored = stored_registry(stores)
        held = stored.registry
        resting = held.versions.filter(pl.col(STATUS) == RETIRED)[VERSION][0]
        after = roll_back(held, MODEL, resting, NIGHT, "to and fro")
        decide_by_hand(stores, stored, after, MOMENT)
        say(DONE)


def _telling(step: Callable[..., Any]) -> Callable[..., Any]:
    def telling_first(*given: Any) -> Any:
        say(STEP)
        return step(*given)

    return telling_first


if __name__ == "__main__":
    main(Path(sys.argv[1]))
