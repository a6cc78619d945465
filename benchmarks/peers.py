"""Environments of their own for the peers that we are measured beside, made once and kept in the project's folder."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.cold_process import PROJECT_FOLDER, STANDARD_ERROR, BenchmarkError

PEERS_FOLDER: Final = PROJECT_FOLDER / ".peers"


def python_of(name: str, requirement: str) -> Path:
    """The Python of the peer's environment, which is made if it is not there.

    Raises:
        BenchmarkError: it could not be made, as without a network.
    """
    folder = PEERS_FOLDER / name
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists() or done.read_text() != requirement:
        print(f"Installing {requirement} into {folder} (some minutes, once)", file=sys.stderr, flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], requirement)
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement], requirement)
        done.write_text(requirement)
    return python


def _run(command: list[str], requirement: str) -> None:
    if subprocess.run(command, stdout=STANDARD_ERROR, check=False).returncode:
        raise BenchmarkError(f"{requirement} could not be installed; what pip said is above")
