import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stock_pipeline.core.locks import exclusive

PROJECT = Path(__file__).resolve().parents[2]
HOLDING = """
import sys
from pathlib import Path
from stock_pipeline.core.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


class BusyError(Exception):
    """The lock is held."""


@contextmanager
def held_elsewhere(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock until it is given a line or killed."""
    command = [sys.executable, "-c", HOLDING, str(path)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_one_has_it_after_another(tmp_path: Path) -> None:
    lock = tmp_path / "a" / "folder" / ".lock"
    for _ in range(2):
        with exclusive(lock, BusyError):
            assert lock.exists()


def test_whoever_may_not_wait_is_told_at_once(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / ".lock"), pytest.raises(BusyError), exclusive(tmp_path / ".lock", BusyError):
        pytest.fail("two have it")


def test_the_error_is_made_only_when_it_is_needed(tmp_path: Path) -> None:
    def never() -> Exception:
        pytest.fail("nobody holds the lock")

    with exclusive(tmp_path / ".lock", never):
        pass


def test_it_is_waited_for_as_long_as_was_said(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / ".lock"):
        began = time.monotonic()
        with pytest.raises(BusyError), exclusive(tmp_path / ".lock", BusyError, wait_seconds=0.3):
            pytest.fail("two have it")
        assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("busy", [BusyError, None])
def test_it_is_had_as_soon_as_the_other_lets_it_go(busy: type[BusyError] | None, tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / ".lock") as process:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        with exclusive(tmp_path / ".lock", busy, wait_seconds=30):
            pass


def test_a_process_that_is_killed_loses_it(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / ".lock") as process:
        process.kill()
        process.wait()
        with exclusive(tmp_path / ".lock", BusyError):
            pass


def test_it_is_let_go_where_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), exclusive(tmp_path / ".lock", BusyError):
        raise KeyboardInterrupt
    with exclusive(tmp_path / ".lock", BusyError):
        pass
