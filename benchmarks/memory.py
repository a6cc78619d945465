"""Memory as Linux counts it: the peak of this process between two moments, and that of a process with all that it has started.

The kernel keeps one high-water mark per process. Writing 5 to ``clear_refs`` lowers it to what is resident now, so that the mark
read later belongs to what ran in between (Linux, proc_pid_clear_refs(5)).
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import Popen, TimeoutExpired

PROC = Path("/proc/self")
RESET_PEAK = "5"


def reset_peak(proc: Path = PROC) -> bool:
    """Lower the high-water mark to what is resident now; False where the system cannot do that."""
    clear_refs = proc / "clear_refs"
    if not clear_refs.exists():
        return False
    try:
        clear_refs.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def peak_bytes(proc: Path = PROC) -> int | None:
    """The high-water mark in bytes, or None where the system does not tell."""
    try:
        status = (proc / "status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def wait_and_watch(process: "Popen[bytes]", seconds: float = 0.25) -> int:
    """Wait for a process; returns the most bytes of ``tree_bytes``, looked at every so many seconds."""
    highest = 0
    while True:
        with suppress(TimeoutExpired):
            process.wait(seconds)
            return highest
        highest = max(highest, tree_bytes(process.pid))


def tree_bytes(process: int) -> int:
    """The bytes that a process and all that it has started hold together; 0 where the system does not tell.

    A page that several of them share is counted once: each is charged with its part (the proportional set size), as is any other process
    that shares it. What has been left to the system's first process is not found.
    """
    return sum(_proportional_bytes(each) for each in _with_descendants(process))


def _with_descendants(process: int) -> Iterator[int]:
    children = defaultdict[int, list[int]](list)
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):  # no process, or one that has ended meanwhile
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            children[int(after_name[1])].append(int(folder.name))
    found = [process]
    for each in found:
        yield each
        found += children[each]


def _proportional_bytes(process: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
