"""A whole ``stock-pipeline run`` that kills itself with SIGKILL at one place of one asset: ``python -m ... ASSET PLACE``.

The places are ``start``, ``write`` (before the first commit after it), ``written`` (after that commit) and ``end``.
"""

import os
import signal
import sys

from stock_pipeline.command_line.run import full_run
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.progress import Event, Finished, Started
from stock_pipeline_tests.harness.watched_connections import watch_connections

PLACES = ("start", "write", "written", "end")
KILLED = -signal.SIGKILL


def main(asset: str, place: str) -> int:
    """Run until the place; returns the exit code of a run that never came there."""
    at_work = ""

    def kill_at(*here: str) -> None:
        if at_work == asset and place in here:
            os.kill(os.getpid(), signal.SIGKILL)

    def listen(event: Event) -> None:
        nonlocal at_work
        if isinstance(event, Started):
            at_work = event.asset
            kill_at("start")
        elif isinstance(event, Finished):
            kill_at("end")

    def is_commit(statement: str) -> bool:
        return statement == "COMMIT"

    watch_connections(
        before=lambda statement: kill_at("write") if is_commit(statement) else None,
        after=lambda statement: kill_at("written") if is_commit(statement) else None,
    )
    return 0 if full_run(RunOptions(reason="manual"), None, listener=listen) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
