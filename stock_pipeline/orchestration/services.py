"""The web server and the daemon as child processes, which end together."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.orchestration.instance import VARIABLE, prepare_dagster_home
from stock_pipeline.settings import Settings

LOOPBACK: Final = "127.0.0.1"
SECONDS_TO_END: Final = 45.0  # for runs at work to be stopped


def serve(settings: Settings, port: int) -> None:
    """Serve the web UI on loopback, and run the daemon with every schedule and sensor, until this process is interrupted.

    Raises:
        StockPipelineError: one of them ended by itself; the other was ended.
    """
    environment = {**os.environ, VARIABLE: str(prepare_dagster_home(settings))}
    with as_file(files("stock_pipeline.orchestration").joinpath("workspace.yaml")) as workspace:
        commands = {
            "the web server": ["-m", "stock_pipeline.orchestration.web_server", "--host", LOOPBACK, "--port", str(port)],
            "the daemon": ["-m", "dagster._daemon", "run"],
        }
        with _children(commands, workspace, environment) as children:
            _wait_for_first(children)


def _wait_for_first(children: Mapping[str, "subprocess.Popen[bytes]"]) -> None:
    with ThreadPoolExecutor(len(children), thread_name_prefix="wait") as pool:
        waiting = {pool.submit(child.wait): name for name, child in children.items()}
        try:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        finally:
            _end(children.values())
    ended = waiting[next(iter(done))]
    raise StockPipelineError(f"{ended} ended by itself with exit code {children[ended].returncode}; see what it wrote above")


@contextmanager
def _children(
    commands: Mapping[str, Sequence[str]], workspace: Path, environment: Mapping[str, str]
) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            children[name] = subprocess.Popen(  # noqa: S603  (our own commands)
                [sys.executable, *command, "--workspace", str(workspace)], env=dict(environment), stdin=subprocess.DEVNULL
            )
        yield children
    finally:
        _end(children.values())


def _end(children: Iterable["subprocess.Popen[bytes]"]) -> None:
    """Ask the children to end, and kill those that do not."""
    asked = [child for child in children if child.poll() is None]
    for child in asked:
        child.send_signal(signal.SIGINT)
    for child in asked:
        try:
            child.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
