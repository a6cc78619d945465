"""Dagster's web server, daemon and code server as real processes on loopback, for tests that need them alive."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import polars as pl

from stock_pipeline.market_data.sources.sample import SampleSource
from stock_pipeline.orchestration.instance import prepare_dagster_home
from stock_pipeline.storage import Stores
from stock_pipeline_tests.harness.default_stages import STAGES
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.plain_settings import plain_environment, plain_settings

T = TypeVar("T")

PROJECT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "stock_pipeline"}
SYMBOLS, SESSIONS = 30, 130
TRAINED = ("spline_ridge", "lightgbm")  # all of the catalogue is test_end_to_end.py's to train
START_SECONDS, STOP_SECONDS = 180, 60
POLL_SECONDS = 0.5

_direct = build_opener(ProxyHandler({}))  # a proxy of the machine must not come between us and loopback
_pause = threading.Event()  # never set: waiting on it is a pause that a poll may take


def behind(stores: Stores, session: date) -> set[str]:
    """The nightly assets that have not come to the session, or whose last execution was cut short."""
    nightly = {stage.name for stage in STAGES if stage.cadence == "nightly"} - {"registry/mlflow_mirror"}  # which is off in the workplace
    watermarks = stores.watermarks()
    return {name for name in nightly if watermarks.get(name, date.min) < session} | (stores.cut_short() & nightly)


def until(condition: Callable[[], T | None], seconds: float, what: str) -> T:
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


@dataclass(frozen=True)
class Workplace:
    """A folder with ``bars/`` for the source files, the data directory ``data/``, and settings of its own."""

    root: Path

    @property
    def home(self) -> Path:
        """The data directory."""
        return self.root / "data"

    @property
    def variables(self) -> dict[str, str]:
        """The settings as environment variables, so that every process started here has them."""
        return {
            "STOCK_PIPELINE_HOME": str(self.home),
            "STOCK_PIPELINE_SETTINGS": str(self.root / "settings.yaml"),
            "STOCK_PIPELINE_SOURCE__NAME": "files",
            "STOCK_PIPELINE_SOURCE__PATH": str(self.root / "bars" / "*.csv"),
            "STOCK_PIPELINE_AUTOMATION__INTERVAL_SECONDS": "5",
            "STOCK_PIPELINE_MODELS__NAMES": json.dumps(TRAINED),
            "STOCK_PIPELINE_REGISTRY__MIRROR_TO_MLFLOW": "false",
            "STOCK_PIPELINE_REGISTRY__RETRAINING__ON_DRIFT": "false",
        }

    def make(self) -> None:
        """Make the folder, with bars and without stores."""
        (self.root / "bars").mkdir(parents=True)
        (self.root / "settings.yaml").write_text("{}\n")
        self.bring_bars(sample_sessions()[:SESSIONS])

    def copy_to(self, root: Path) -> "Workplace":
        """A workplace like this one that may be changed."""
        shutil.copytree(self.root, root)
        return Workplace(root)

    def bring_bars(self, sessions: Sequence[date]) -> None:
        """One more CSV file with the sample's bars of those sessions."""
        kept = _sample_bars().filter(pl.col("session").is_in(sessions))
        columns = ("symbol", "session", "open", "high", "low", "close", "volume")
        kept.select(columns).write_csv(self.root / "bars" / f"up_to_{sessions[-1]}.csv")

    def instance_home(self) -> Path:
        """The folder of the Dagster instance, prepared."""
        with patch.dict(os.environ, plain_environment(), clear=True):
            return prepare_dagster_home(plain_settings(self.home))


@cache
def _sample_bars() -> pl.DataFrame:
    """The bars of the SYMBOLS symbols of the embedded sample that have the most of them."""
    bars = next(SampleSource().fetch(None)).data.bars.sort("session", "symbol")
    fullest = bars.group_by("symbol").len().sort("len", "symbol", descending=[True, False])["symbol"].head(SYMBOLS)
    return bars.filter(pl.col("symbol").is_in(fullest.implode()))


def sample_sessions() -> list[date]:
    """The sessions of the embedded sample, first to last."""
    days: list[date] = _sample_bars()["session"].unique().sort().to_list()
    return days


@cache
def workplace_that_has_run(folder: Path) -> Workplace:
    """A workplace under ``folder`` in which the full pipeline has run once; made once for all tests, which work in copies of it."""
    workplace = Workplace(folder / "workplace_that_has_run")
    workplace.make()
    ended = invoke(workplace.home, "run", **workplace.variables)
    assert ended.exit_code == 0, ended.output
    return workplace


@dataclass(frozen=True)
class Dagster:
    """`stock-pipeline ui` at work, in a process group of its own."""

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

    def status(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> int:
        """The HTTP status of a request with these headers; POST where it has a body."""
        request = Request(f"{self.url}{path}", body, {"Content-Type": "application/json", **headers})  # noqa: S310  (our own loopback)
        try:
            with _direct.open(request, timeout=30) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code

    def has_loaded(self) -> bool:
        """Whether the web server answers and the code location is loaded.

        Raises:
            AssertionError: Dagster has ended, or the code location cannot be loaded.
        """
        assert self.process.poll() is None, f"stock-pipeline ui ended with {self.process.returncode}:\n{self.tail()}"
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

    def is_alive(self) -> bool:
        """Whether any process of the group is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def stop(self) -> None:
        """Ask the group to end, as Ctrl-C does, and wait until every process of it has.

        Raises:
            AssertionError: a child outlived the deadline; it is killed all the same.
            subprocess.TimeoutExpired: `stock-pipeline ui` itself did.
        """
        try:
            if self.is_alive():
                os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(STOP_SECONDS)
            until(lambda: not self.is_alive(), STOP_SECONDS, "the children of stock-pipeline ui to end")
        finally:
            if self.is_alive():
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)


@contextmanager
def web_ui_and_daemon(workplace: Workplace) -> Iterator[Dagster]:
    """The web server, the daemon and the code server, loaded and answering; all of them ended on leaving."""
    port, log = free_port(), workplace.root / "dagster.log"
    environment = plain_environment() | workplace.variables
    command = [sys.executable, "-m", "stock_pipeline.command_line.main", "ui", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=output, stderr=output, start_new_session=True)
    dagster = Dagster(process, port, log)
    try:
        until(dagster.has_loaded, START_SECONDS, "stock-pipeline ui to load the code location")
        yield dagster
    finally:
        dagster.stop()


def processes_that_name(folder: Path) -> list[int]:
    """The processes with ``folder`` in their environment; none where the machine has no /proc."""
    name = os.fsencode(folder)
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if name in _content(path)]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has ended meanwhile, or is another user's
        return b""


LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
  __typename ... on PythonError { message } } } } } }"""
