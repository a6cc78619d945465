import os
import subprocess
import sys
import time

import pytest

from stock_pipeline.core.processes import is_alive, process_name, was_alive_at


def test_a_process_is_alive_until_it_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        name = process_name(child.pid)
        assert is_alive(name)
        child.kill()
    assert not is_alive(name)
    with pytest.raises(ProcessLookupError):
        process_name(child.pid)


def test_a_zombie_counts_as_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = process_name(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not yet waited for
    assert not is_alive(name)
    child.communicate()


def test_a_number_that_another_process_has_now_does_not_count() -> None:
    number, _, started = process_name(os.getpid()).partition(":")
    assert is_alive(f"{number}:{started}")
    assert not is_alive(f"{number}:{started[:-1]}x")
    assert is_alive(number)  # where the system does not tell the start


def test_a_process_that_started_after_the_moment_is_another() -> None:
    assert was_alive_at(os.getpid(), time.time())
    assert not was_alive_at(os.getpid(), time.time() - 1e6)
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert not was_alive_at(child.pid, time.time())
