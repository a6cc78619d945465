"""Training in processes of its own: the pipeline goes on when a library crashes, and their memory goes back to the system."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.models import fit_server
from stock_pipeline.models.kept_results import KeptResults
from stock_pipeline.models.plan import Plan, ReportProgress, Step
from stock_pipeline.models.training import Trained, train


class TrainingFailedError(StockPipelineError):
    """A model could not be trained; the sentence says why."""


@contextmanager
def train_in_subprocesses(
    plan: Plan, feature_names: Sequence[str], folder: Path, report_progress: ReportProgress, kept: KeptResults | None = None
) -> Iterator[Trained]:
    """Train, each fit in a process of its own; the model's files are there while the context lasts.

    Args:
        plan: as for ``train``; what it holds must be importable by name.
        feature_names: the features of the panel.
        folder: the panel's.
        report_progress: called with a note as each step begins.
        kept: the results of earlier trainings that need not be made again; None makes every one.

    Raises:
        TrainingFailedError: the training raised an error, or one of its processes died.
    """
    work = fit_server.Work(plan, tuple(feature_names), folder)

    def execute(steps: Sequence[Step]) -> list[Any]:
        try:
            return fit_server.execute(steps, work, report_progress)
        except fit_server.StepFailedError as error:
            raise TrainingFailedError(f"{plan.entry.name} could not be trained: {error}") from error

    with TemporaryDirectory(prefix="stock_pipeline_training_") as model:
        keeping = execute if kept is None else kept.keeping(execute, plan, feature_names, folder, report_progress)
        yield train(plan, Path(model), keeping)
