"""Results of fits that are kept from one training to the next: what they depend on is as it was, so they would be the same.

A result is a file whose name is a hash of all that it depends on and another of its content, so that a damaged file is as good as none.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import polars as pl

from stock_pipeline.core.atomic_files import replacing
from stock_pipeline.core.code_digest import code_digest
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.core.files import naming
from stock_pipeline.datasets.panel import digests_up_to
from stock_pipeline.models.plan import Execute, Plan, ReportProgress, Step

LIBRARIES: Final = ("catboost", "lightgbm", "numpy", "polars", "scipy", "torch", "xgboost", "xgboost-cpu")
SUFFIX: Final = ".arrow"


@dataclass
class KeptResults:
    """The kept results of one model.

    Attributes:
        folder: where they lie; made where it is missing.
        may_read: whether what lies there is used.
        may_write: whether results are put there.
    """

    folder: Path
    may_read: bool = True
    may_write: bool = True
    _files: set[str] = field(default_factory=set, init=False)  # that hold a result of this training

    def keeping(self, execute: Execute, plan: Plan, feature_names: Sequence[str], panel: Path, report_progress: ReportProgress) -> Execute:
        """As ``execute``, but steps that have a kept result are not executed, and the results of the others are kept.

        Args:
            execute: executes steps on the panel.
            plan: of the training.
            feature_names: the features of the panel.
            panel: its folder.
            report_progress: called with a line on how many results were kept, and on each that could not be.
        """

        def execute_the_rest(steps: Sequence[Step]) -> list[Any]:
            names = _names_of(steps, plan, feature_names, panel)
            results: dict[int, Any] = {place: frame for place, name in names.items() if (frame := self._read(name)) is not None}
            if results:
                report_progress(f"{len(results)} of {len(steps)} fits are as an earlier training made them, and are kept")
            rest = [place for place in range(len(steps)) if place not in results]
            for place, result in zip(rest, execute([steps[place] for place in rest]), strict=True):
                results[place] = result
                if self.may_write and place in names:
                    self._write(names[place], result, report_progress)
            return [results[place] for place in range(len(steps))]

        return execute_the_rest

    def forget_the_rest(self) -> None:
        """Remove what holds no result of this training: those of other folds, damaged ones, and what a killed process left."""
        if self.may_write and self.folder.is_dir():
            for file in self.folder.iterdir():
                if file.name not in self._files:
                    file.unlink(missing_ok=True)

    def _read(self, name: str) -> pl.DataFrame | None:
        if self.may_read:
            for file in sorted(self.folder.glob(f"{name}-*{SUFFIX}")):
                with suppress(OSError):
                    content = file.read_bytes()
                    if file.name == _file_name(name, content):
                        self._files.add(file.name)
                        return pl.read_ipc(content)
        return None

    def _write(self, name: str, frame: pl.DataFrame, report_progress: ReportProgress) -> None:
        content = frame.write_ipc(None).getvalue()
        file = self.folder / _file_name(name, content)
        try:
            with naming(file), replacing(file) as unfinished:
                unfinished.write_bytes(content)
            self._files.add(file.name)
        except (OSError, StockPipelineError) as problem:
            # It has been made, which is what counts; the next training makes it once more.
            report_progress(f"the result of a fit is not kept for the next training: {problem}")


def _file_name(name: str, content: bytes) -> str:
    return f"{name}-{hashlib.sha256(content).hexdigest()[:32]}{SUFFIX}"


def _names_of(steps: Sequence[Step], plan: Plan, feature_names: Sequence[str], panel: Path) -> dict[int, str]:
    """For each step that may be kept, by its place, the hash of all that its result depends on."""
    looked_at = {place: step.kept_by for place, step in enumerate(steps) if step.kept_by is not None}
    if not looked_at:
        return {}
    digests = digests_up_to(panel, {last for last, _ in looked_at.values()})
    entry, conditions = plan.entry, plan.conditions_of_a_fit
    common = [
        entry.name,
        *_made_by(entry.make),
        entry.target.name,
        list(entry.target.exposures),
        asdict(conditions),
        list(feature_names),
        _code(),
    ]
    names = {}
    for place, (last, step) in looked_at.items():
        made_with = plan.arguments(step["parameters"])
        text = json.dumps([*common, made_with, step, digests[last]], sort_keys=True, default=str)
        names[place] = hashlib.sha256(text.encode()).hexdigest()[:32]
    return names


def _made_by(make: Callable[..., Any]) -> tuple[str, dict[str, Any]]:
    """The name of what makes an estimator, and what is bound to it. None is made here: a library may take the process down."""
    bound: dict[str, Any] = {}
    while isinstance(make, partial):
        bound, make = {**make.keywords, **bound}, make.func
    return f"{make.__module__}.{make.__qualname__}", bound


@cache
def _code() -> list[str]:
    """The project's code and the versions of the libraries that compute."""
    found = [code_digest()]
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            found.append(f"{library} {version(library)}")
    return found
