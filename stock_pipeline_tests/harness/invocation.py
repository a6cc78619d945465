"""Calling stock-pipeline as users do, in a process of its own, or inside the test's where a second process would only cost time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from stock_pipeline.command_line.main import main
from stock_pipeline_tests.harness.plain_settings import plain_environment

TIMEOUT_SECONDS = 900  # a whole catalogue trained on a machine that is busy with other things; an idle one needs a third of it


def invoke(home: Path, *arguments: str, **variables: str) -> Result:
    """The command inside this process, with ``variables`` set in the environment and nothing else that changes settings."""
    unset: dict[str, str | None] = dict.fromkeys(set(os.environ) - set(plain_environment()))
    return CliRunner().invoke(main, arguments, env={**unset, "STOCK_PIPELINE_HOME": str(home), **variables})


def command(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, in the folder that holds ``home``."""
    environment = plain_environment() | {"STOCK_PIPELINE_HOME": str(home), "OMP_WAIT_POLICY": "PASSIVE"} | variables
    return subprocess.run(
        [sys.executable, "-m", "stock_pipeline.command_line.main", *arguments],
        cwd=home.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def shown(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What a command with --json printed."""
    assert ended.returncode == 0, ended.stderr
    content: dict[str, Any] = json.loads(ended.stdout)
    return content
