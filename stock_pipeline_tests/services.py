"""Dagster's web server, daemon and code server as real processes on loopback, for tests that need them alive."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import polars as pl

from stock_pipeline.market_data.sources.sample import SampleSource

T = TypeVar("T")

PROJECT = Path(__file__).resolve().parents[1]
LOOPBACK = "127.0.0.1"
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "stock_pipeline"}
START_SECONDS, STOP_SECONDS = 90, 60
POLL_SECONDS = 0.25

_direct = build_opener(ProxyHandler({}))  # a proxy of the machine must not come between us and loopback
_pause = threading.Event()  # never set: waiting on it is a pause that a poll may take


def until(condition: Callable[[], T], seconds: float, what: str) -> T:
    """The first true value of ``condition``, asked again and again for at most ``seconds``.

    Raises:
        AssertionError: it never came true; the message says ``what`` was waited for.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        _pause.wait(POLL_SECONDS)
    raise AssertionError(f"waited {seconds:g} s in vain for {what}")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def write_bars(folder: Path, sessions: Iterable[date], symbols: int) -> Path:
    """A CSV file in ``folder`` with the sample's bars of the sessions, of the symbols that have the most of them."""
    bars = SampleSource().fetch().bars
    chosen = bars.group_by("symbol").len().sort("len", "symbol", descending=[True, False])["symbol"].head(symbols)
    kept = bars.filter(pl.col("session").is_in(list(sessions)) & pl.col("symbol").is_in(chosen.implode()))
    path = folder / f"bars_{kept['session'].max()}.csv"
    kept.select("symbol", "session", "open", "high", "low", "close", "volume").sort("session", "symbol").write_csv(path)
    return path


def sample_sessions() -> list[date]:
    """The sessions of the embedded sample, first to last."""
    days: list[date] = SampleSource().fetch().bars["session"].unique().sort().to_list()
    return days


@dataclass(frozen=True)
class Dagster:
    """`dagster dev` at work, as this test's own process group."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where the web server listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The ``data`` of a GraphQL answer.

        Raises:
            AssertionError: the answer holds errors.
        """
        body = json.dumps({"query": query, "variables": dict(variables or {})}).encode()
        request = Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310  (our own loopback)
        with _direct.open(request, timeout=30) as answer:
            content: dict[str, Any] = json.load(answer)
        assert "errors" not in content, content["errors"]
        data: dict[str, Any] = content["data"]
        return data

    def has_loaded(self) -> bool:
        """Whether the web server answers and the code location is loaded.

        Raises:
            AssertionError: Dagster has ended, or the code location cannot be loaded.
        """
        assert self.process.poll() is None, f"dagster dev ended with {self.process.returncode}:\n{self.tail()}"
        try:
            entries = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        except (URLError, ConnectionError, TimeoutError):
            return False
        loaded = [entry["locationOrLoadError"] for entry in entries]
        failed = [found["message"] for found in loaded if found is not None and found["__typename"] == "PythonError"]
        assert not failed, failed
        return bool(loaded) and None not in loaded

    def tail(self) -> str:
        """The end of what Dagster wrote."""
        return self.log.read_text(errors="replace")[-4000:]

    def members(self) -> bool:
        """Whether any process of the group is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def stop(self) -> None:
        """Ask the group to end, as Ctrl-C does, and wait until every process of it has.

        Raises:
            AssertionError: a process outlived the deadline; it is killed all the same.
        """
        try:
            if self.members():
                os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(STOP_SECONDS)
            until(lambda: not self.members(), STOP_SECONDS, "the children of dagster dev to end")
        finally:
            if self.members():
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)


@contextmanager
def dagster_dev(environment: Mapping[str, str], log: Path) -> Iterator[Dagster]:
    """The web server, the daemon and the code server, loaded and answering; all of them ended on leaving.

    ``environment`` is added to this process's own; it names STOCK_PIPELINE_HOME and DAGSTER_HOME.
    """
    port = free_port()
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", LOOPBACK, "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, env={**os.environ, **environment}, stdout=output, stderr=output, start_new_session=True
        )
    dagster = Dagster(process, port, log)
    try:
        until(dagster.has_loaded, START_SECONDS, "dagster dev to load the code location")
        yield dagster
    finally:
        dagster.stop()


LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
  __typename ... on PythonError { message } } } } } }"""
