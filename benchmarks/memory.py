"""Peak resident memory of this process between two moments, as Linux counts it.

The kernel keeps one high-water mark per process. Writing 5 to ``clear_refs`` lowers it to what is resident now, so that the mark
read later belongs to what ran in between (Linux, proc_pid_clear_refs(5)).
"""

from pathlib import Path

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
