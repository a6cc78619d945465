"""A process from which the processes of the fits are forked: it imports a library once, for every fit that needs it.

Each fit has a process of its own, so that one which crashes takes no other along, and its memory goes back to the system. The server
itself only imports and forks: a process that had computed would have threads, and could not be forked safely.
"""

import importlib
import multiprocessing.util
import os
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.models.estimators.threads import sleep_when_idle
from stock_pipeline.models.estimators.torch_training import import_for_fits
from stock_pipeline.models.plan import Plan, ReportProgress, Step

# What imports the library of each of Dagster's kinds that a catalogue entry may name.
IMPORTS: Final[Mapping[str, Callable[[], object]]] = {
    "lightgbm": partial(importlib.import_module, "lightgbm"),
    "xgboost": partial(importlib.import_module, "xgboost"),
    "catboost": partial(importlib.import_module, "catboost"),
    "pytorch": import_for_fits,
}
SECONDS_TO_STOP: Final = 10.0
LEAST_FREE_BYTES: Final = 2**20
OUT_OF_MEMORY: Final = "lower datasets.sessions, or choose a smaller features.set"


class StepFailedError(StockPipelineError):
    """A step raised an error, or its process died; the message says which."""


@dataclass(frozen=True)
class Work:
    """What the steps of a training have in common: its plan, and the panel by its features and its folder."""

    plan: Plan
    feature_names: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class _Ended:
    """The end of a step's process. What it had sent follows, if anything: whether it succeeded, and its result or what went wrong.

    The server passes that on unread: reading frames would start the threads of Polars.
    """

    place: int
    exit_code: int
    has_answered: bool


class FitServer:
    """The server as the process sees it that has started it. It ends with that process, or when it is stopped."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="fit server")
        self._process.start()
        theirs.close()
        # Before multiprocessing waits for it at the end of this process.
        self._at_exit = multiprocessing.util.Finalize(self, _stop, args=(self._process, self._pipe), exitpriority=0)

    def execute(self, steps: Sequence[Step], work: Work, report_progress: ReportProgress) -> list[Any]:
        """The results of the steps in their order; ``work.plan.fits_at_once`` of them run at a time.

        Raises:
            StepFailedError: a step failed; the server is of no further use, as others may be running.
        """
        results, running = dict[int, Any](), dict[int, str]()
        with self._alive():
            self._pipe.send(sys.path)  # by which the rest can be read
            self._pipe.send((list(steps), work, tempfile.gettempdir()))
        while len(results) < len(steps):
            with self._alive():
                told = self._pipe.recv()
            if isinstance(told, _Ended):
                results[told.place] = self._result(told)
                del running[told.place]
            else:
                running |= told
            if running:
                report_progress(f"{len(results)} of {len(steps)} fits done, at work: {', '.join(running.values())}")
        return [results[place] for place in range(len(steps))]

    @contextmanager
    def _alive(self) -> Iterator[None]:
        """Turn the end of the server's pipe into the sentence that it has died."""
        try:
            yield
        except (EOFError, OSError) as error:
            self._process.join()
            raise StepFailedError(f"the process that starts its fits {_end(self._process.exitcode or 0)}") from error

    def _result(self, ended: _Ended) -> Any:
        if not ended.has_answered:
            raise StepFailedError(f"its process {_end(ended.exit_code)}")
        with self._alive():
            succeeded, content = self._pipe.recv()
        if not succeeded:
            raise StepFailedError(content)
        return content

    @property
    def is_alive(self) -> bool:
        """Whether it can serve."""
        return self._process.is_alive()

    def stop(self) -> None:
        """End the server and whatever it has forked."""
        self._at_exit()


_server: FitServer | None = None
_in_use = Lock()


def start() -> None:
    """Start the server of this process where there is none, so that it imports while others work."""
    with _in_use:
        _started()


def stop() -> None:
    """End the server of this process, whose memory then goes back to the system."""
    with _in_use:
        if _server is not None:
            _server.stop()


def execute(steps: Sequence[Step], work: Work, report_progress: ReportProgress) -> list[Any]:
    """Execute steps by the server of this process; see ``FitServer.execute``. A server that failed or was interrupted is ended."""
    with _in_use:
        server = _started()
        try:
            return server.execute(steps, work, report_progress)
        except BaseException:
            server.stop()
            raise


def _started() -> FitServer:
    global _server
    if _server is None or not _server.is_alive:
        _server = FitServer()
    return _server


def _end(code: int) -> str:
    if code == -signal.SIGKILL:
        return f"was killed, as the system does when memory runs out; {OUT_OF_MEMORY}"
    return f"ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _stop(process: BaseProcess, pipe: Connection) -> None:
    pipe.close()  # which the server notices
    process.join(SECONDS_TO_STOP)
    if process.is_alive():
        process.kill()
        process.join()


def _serve(pipe: Connection) -> None:
    """The body of the server: one request after another, until whoever started it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the process that started it too, which then stops this one
    sleep_when_idle()
    importlib.import_module("stock_pipeline.models.training")
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            sys.path[:] = pipe.recv()
            _execute(pipe, *pipe.recv())


def _execute(pipe: Connection, steps: list[Step], work: Work, temporary_files: str) -> None:
    """Fork a process for each step, and pass on the name of each that begins and what it answers.

    Raises:
        EOFError: whoever asked is gone.
    """
    waiting = deque(enumerate(steps))
    running = dict[Any, tuple[int, BaseProcess]]()  # by the pipe that each will answer by
    try:
        while waiting or running:
            while waiting and len(running) < work.plan.fits_at_once:
                place, step = waiting.popleft()
                answers, process = _forked(step, work, temporary_files)
                running[answers] = place, process
                pipe.send({place: step.name(work.plan)})
            for ready in wait([pipe, *running]):
                if ready is pipe:  # nothing is sent meanwhile
                    raise EOFError
                _pass_on(pipe, ready, *running.pop(ready))
    finally:
        for _, process in running.values():
            process.kill()


def import_libraries(kinds: Sequence[str]) -> None:
    """Import what models of these kinds need; where something is missing, the fit that needs it says so."""
    for kind in kinds:
        with suppress(ImportError):
            IMPORTS.get(kind, lambda: None)()


def _forked(step: Step, work: Work, temporary_files: str) -> tuple[Connection, BaseProcess]:
    """A process that executes the step, and the pipe that it will answer by."""
    import_libraries(work.plan.entry.kinds)
    context = get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    name = f"{work.plan.entry.name}, {step.name(work.plan)}"
    process = context.Process(target=_work, args=(step, work, temporary_files, theirs), name=name)
    process.start()
    theirs.close()
    return ours, process


def _pass_on(pipe: Connection, answers: Any, place: int, process: BaseProcess) -> None:
    try:
        content = answers.recv_bytes()
    except (EOFError, OSError):  # the latter in the middle of an answer
        content = None
    answers.close()
    process.join()
    pipe.send(_Ended(place, process.exitcode or 0, content is not None))
    if content is not None:
        pipe.send_bytes(content)


def _work(step: Step, work: Work, temporary_files: str, pipe: Connection) -> None:
    """The body of the process of a step."""
    from threadpoolctl import threadpool_limits

    tempfile.tempdir = temporary_files
    Thread(target=_end_with_parent, daemon=True).start()
    _be_killed_first()
    try:
        with threadpool_limits(work.plan.conditions_of_a_fit.threads):
            pipe.send((True, step(work.plan, Panel.open(work.folder, work.feature_names))))
    except MemoryError:
        pipe.send((False, f"there was not enough memory; {OUT_OF_MEMORY}"))
    except Exception as error:  # whatever a library raises must not stop the others
        pipe.send((False, f"{' '.join(str(error).split()) or type(error).__name__}{_of_a_full_disk(temporary_files)}"))
    finally:
        pipe.close()


def _of_a_full_disk(folder: str) -> str:
    """What to add to a library's own words where the disk of its files is full, which it may not say."""
    full = shutil.disk_usage(folder).free < LEAST_FREE_BYTES
    return f"; the disk of {folder} is full: free space on it, then train again" if full else ""


def _end_with_parent() -> None:
    """End at once when the server is gone, for whatever reason: nothing would use the result."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _be_killed_first() -> None:
    """Let a system that runs out of memory take this process rather than the one that waits for it."""
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        with suppress(OSError):  # where the system does not let us
            score.write_text("500", encoding="ascii")
