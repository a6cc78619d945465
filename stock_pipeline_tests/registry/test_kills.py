"""Whoever changes the current version may be killed at any moment: the old one serves or the new one, never none, never half."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import VERSION
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.registry.tables import ACTIVE, ACTIVE_TO, DECISION, DECISIONS, MODEL_VERSIONS, NUMBER, RETIRED, ROLLBACK, STATUS
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import ingested, put, training_row, version_row
from stock_pipeline_tests.harness.kill_loop import DONE, GONE, MODEL, STEP

KILLS, FEW = 200, 40
LEAST_STEPS = 6  # of a change: versions are taken out and put in, a decision added, both told of in the trail, and all of it committed
PROJECT = Path(__file__).resolve().parents[2]
DAYS = sessions(3)


def serving(stores: Stores) -> int:
    """The version that serves, once both tables agree that it is the only one."""
    with stores.shared_reader("ml"):
        versions, decisions = stores.read(MODEL_VERSIONS), stores.read(DECISIONS).sort(NUMBER)
    assert sorted(versions[STATUS]) == [ACTIVE, RETIRED]
    active = versions.filter(pl.col(STATUS) == ACTIVE)
    assert active[ACTIVE_TO].null_count() == 1 and versions[ACTIVE_TO].null_count() == 1
    assert decisions[NUMBER].to_list() == list(range(1, decisions.height + 1)) and set(decisions[DECISION]) <= {ROLLBACK}
    assert decisions.is_empty() or decisions[VERSION][-1] == active[VERSION][0]
    version: int = active[VERSION][0]
    return version


def killed_after(nursery: "subprocess.Popen[str]", lines: int) -> list[str]:
    """What a child said until it was killed, which was right after so many lines."""
    assert nursery.stdin is not None and nursery.stdout is not None
    nursery.stdin.write("\n")
    nursery.stdin.flush()
    heard: list[str] = []
    child = 0
    while not child or len(heard) < lines:
        line = nursery.stdout.readline().strip()
        if line in (STEP, DONE):
            heard.append(line)
        else:
            child = int(line)
    os.kill(child, signal.SIGKILL)
    while (line := nursery.stdout.readline().strip()) != GONE:
        heard.append(line)
    return heard


@pytest.mark.parametrize("kills", [FEW, pytest.param(KILLS, marks=pytest.mark.chaos)])
def test_kills_leave_the_old_version_or_the_new_one(tmp_path: Path, kills: int) -> None:
    stores = ingested(tmp_path, DAYS[-1])
    put(stores, TRAININGS, [training_row(MODEL, f"t{number}", DAYS[0]) for number in (1, 2)], DAYS[0])
    put(stores, MODEL_VERSIONS, [version_row(MODEL, 1, "t1", DAYS[0], DAYS[1]), version_row(MODEL, 2, "t2", DAYS[1])], DAYS[1])
    moments, acknowledging = random.Random(7), 0  # noqa: S311
    command = [sys.executable, "-m", "stock_pipeline_tests.harness.kill_loop", str(tmp_path)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nursery:
        for _ in range(kills):
            before = serving(stores)
            heard = killed_after(nursery, moments.randint(1, 9))
            after, acknowledged = serving(stores), heard.count(DONE)
            # What was acknowledged has happened. Of the change after it nothing has, unless all of its steps had begun.
            as_told = before if acknowledged % 2 == 0 else 3 - before
            left = heard[::-1].index(DONE) if acknowledged else len(heard)
            assert after == as_told or left >= LEAST_STEPS
            acknowledging += acknowledged > 0
        assert nursery.stdin is not None
        nursery.stdin.close()
    assert 0 < acknowledging < kills
