"""Training in a subprocess: the pipeline goes on when it crashes, and its memory goes back to the system."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Final

import polars as pl

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.plan import Plan, ReportProgress
from stock_pipeline.models.training import Trained, train

PANEL: Final = "panel.arrow"
MODEL_FOLDER: Final = "model"
PARAMETERS: Final = "parameters.json"
FRAMES: Final = ("out_of_fold", "in_sample", "explained", "trials")
SECONDS_TO_STOP: Final = 10.0


class TrainingFailedError(StockPipelineError):
    """A model could not be trained; the sentence says why."""


@dataclass(frozen=True)
class SavedModel:
    """A trained model that is still only files in a folder, with its parameters and its window."""

    folder: Path
    fitted_with: dict[str, Any]
    window: int

    def save(self, folder: Path) -> None:
        """Copy the files into ``folder``, which exists."""
        for file in sorted(self.folder.iterdir()):
            (folder / file.name).write_bytes(file.read_bytes())


@contextmanager
def train_in_subprocess(plan: Plan, panel: pl.DataFrame, report_progress: ReportProgress) -> Iterator[Trained[SavedModel]]:
    """Train in a subprocess; the model's files are there while the context lasts.

    Arguments as for ``train``; what the plan holds must be importable by name.

    Raises:
        TrainingFailedError: the training raised an error, or its process died.
    """
    with TemporaryDirectory(prefix="stock_pipeline_training_") as name:
        folder = Path(name)
        (folder / MODEL_FOLDER).mkdir()
        panel.write_ipc(folder / PANEL)
        _run(plan, folder, report_progress)
        yield _read(folder)


def _run(plan: Plan, folder: Path, report_progress: ReportProgress) -> None:
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(plan, folder, theirs), name=f"training of {plan.entry.name}")
    process.start()
    theirs.close()
    try:
        problem = _listen(ours, report_progress)
        process.join()
    finally:
        _stop(process)
        ours.close()
    if problem is not None:
        raise TrainingFailedError(f"{plan.entry.name} could not be trained: {problem}")
    if process.exitcode:
        raise TrainingFailedError(f"{plan.entry.name} could not be trained: its process {_end(process.exitcode)}")


def _listen(pipe: Connection, report_progress: ReportProgress) -> str | None:
    """Pass notes on until the process is done, and return the error; None where there was none, or the process died."""
    while True:
        try:
            kind, text = pipe.recv()
        except EOFError:
            return None
        if kind == "failed":
            return str(text)
        report_progress(text)


def _stop(process: Any) -> None:
    if process.is_alive():
        process.terminate()
        process.join(SECONDS_TO_STOP)
    if process.is_alive():
        process.kill()
        process.join()


def _end(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed, as the system does when memory runs out; lower datasets.sessions, or choose a smaller features.set"
    return f"ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _read(folder: Path) -> Trained[SavedModel]:
    known = json.loads((folder / PARAMETERS).read_text(encoding="utf-8"))
    frames = {name: pl.read_ipc(folder / f"{name}.arrow") for name in FRAMES}
    return Trained(SavedModel(folder / MODEL_FOLDER, known["parameters"], known["window"]), **frames)


def _work(plan: Plan, folder: Path, pipe: Connection) -> None:
    """The body of the subprocess."""
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the parent too, which then stops us
    Thread(target=_end_with_parent, daemon=True).start()
    _be_killed_first()
    try:
        with threadpool_limits(plan.conditions.threads):
            trained = train(plan, pl.read_ipc(folder / PANEL), lambda note: pipe.send(("note", note)))
        _write(trained, folder)
    except MemoryError:
        pipe.send(("failed", "there was not enough memory; lower datasets.sessions, or choose a smaller features.set"))
    except Exception as error:  # whatever a library raises must not stop the others
        pipe.send(("failed", " ".join(str(error).split()) or type(error).__name__))
    finally:
        pipe.close()


def _write(trained: Trained[Estimator], folder: Path) -> None:
    trained.model.save(folder / MODEL_FOLDER)
    known = {"parameters": trained.model.parameters(), "window": trained.model.window}
    (folder / PARAMETERS).write_text(json.dumps(known), encoding="utf-8")
    for name in FRAMES:
        getattr(trained, name).write_ipc(folder / f"{name}.arrow")


def _end_with_parent() -> None:
    """End at once when the parent is gone, for whatever reason: nothing would use the result."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _be_killed_first() -> None:
    """Let a system that runs out of memory take this process rather than the one that waits for it."""
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text("500", encoding="ascii")
