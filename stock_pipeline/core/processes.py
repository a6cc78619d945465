"""Processes by a name that no other process of this machine has: the number, and the moments at which machine and process started."""

import os
from pathlib import Path
from typing import Final

GONE: Final = "gone"
SLACK_SECONDS: Final = 5.0  # between the start of a process as the system has it and a clock read later


def process_name(pid: int) -> str:
    """The name of a living process, as in "4711:0f3c91aa-88123"; where the system does not tell its start, its number alone.

    Raises:
        ProcessLookupError: there is no such process.
    """
    os.kill(pid, 0)
    started = _started(pid)
    return str(pid) if started is None else f"{pid}:{started}"


def is_alive(name: str) -> bool:
    """Whether the process of that name is still there; a number that another process has been given since does not count."""
    pid, _, started = name.partition(":")
    if not _exists(int(pid)):
        return False
    now = _started(int(pid))
    return now != GONE and (not started or now in (None, started))


def was_alive_at(pid: int, moment: float) -> bool:
    """Whether the process that had this number at a moment (seconds since 1970) is still there."""
    if not _exists(pid):
        return False
    started = _started(pid)
    if started is None:
        return True
    return started != GONE and _seconds_since_1970(started) <= moment + SLACK_SECONDS


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is there, and another user's
        return True
    return True


def _started(pid: int) -> str | None:
    """The start of the machine and that of the process, from Linux's /proc; "gone" where it has ended; None on other systems."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    except OSError:
        return None
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return GONE
    state, ticks = (status.rpartition(")")[2].split()[place] for place in (0, 19))
    return GONE if state == "Z" else f"{boot}-{ticks}"


def _seconds_since_1970(started: str) -> float:
    booted = next(line.split()[1] for line in Path("/proc/stat").read_text(encoding="ascii").splitlines() if line.startswith("btime"))
    return float(booted) + int(started.partition("-")[2]) / os.sysconf("SC_CLK_TCK")
