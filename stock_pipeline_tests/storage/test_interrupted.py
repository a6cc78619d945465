"""A query that a signal interrupts leaves the store open to whoever comes next, in this process too."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stock_pipeline.core.interruption import interruptible
from stock_pipeline.storage.database import Database
from stock_pipeline_tests.harness.dagster_services import PROJECT

SECONDS = 60
# DuckDB would wait for ever in a native loop, so that it takes another process to see it.
SCRIPT = """
import os, signal, sys, threading
from pathlib import Path
from stock_pipeline.storage.database import Database
database = Database(Path(sys.argv[1]), "ml")
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    with database.reader() as connection:
        while True:
            connection.execute("CREATE OR REPLACE TEMP TABLE sorted AS SELECT range AS i, random() AS r FROM range(3000000) ORDER BY r")
except (KeyboardInterrupt, RuntimeError):
    pass
with database.writer() as connection:
    print(connection.execute("SELECT count(*) FROM t").fetchall()[0][0])
"""


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "ml.duckdb", "ml")
    with database.writer() as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS i FROM range(3)")
    return database


def test_after_an_interrupted_query_the_store_opens_again(database: Database) -> None:
    command = [sys.executable, "-c", SCRIPT, str(database.path)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (ended.stdout.strip(), ended.returncode) == ("3", 0), ended.stderr


def test_a_transaction_is_committed_before_the_interrupt_is_raised(database: Database) -> None:
    with interruptible(), pytest.raises(KeyboardInterrupt), database.writer() as connection:
        sender = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))
        sender.start()
        sender.join()
        connection.execute("INSERT INTO t SELECT range FROM range(1000000)")
    with database.reader() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(1_000_003,)]
