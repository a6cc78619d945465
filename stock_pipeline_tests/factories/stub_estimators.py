"""Estimators that are no models: each does one odd thing. At module level, so that another process can import them."""

import importlib
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.catalogue import ModelEntry
from stock_pipeline.models.estimators.estimator import Conditions

FILE: Final = "stub.txt"


class Stub:
    """Says each sample's first feature two sessions before, times ``weight``; it learns nothing."""

    window: Final = 3

    def __init__(self, conditions: Conditions, *, weight: float = 1.0) -> None:
        self.conditions = conditions
        self.weight = weight
        self.feature_names: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        return {"weight": self.weight}

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        self.feature_names = samples.names
        assert len(samples) == len(y)

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        return self.weight * samples.windows(3)[:, 0, 0].astype(np.float64)

    def explain(self, samples: Samples) -> NDArray[np.float64] | None:
        del samples
        return None

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(f"{self.weight}")

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(Conditions(1, 1), weight=float((folder / FILE).read_text()))


class Raises(Stub):
    def fit(self, samples: Samples, y: NDArray[np.float64]) -> NoReturn:  # noqa: ARG002
        raise RuntimeError("the library\n  has had enough")


class RaisesWithoutWords(Stub):
    def fit(self, samples: Samples, y: NDArray[np.float64]) -> NoReturn:  # noqa: ARG002
        raise KeyError


class RunsOutOfMemory(Stub):
    def fit(self, samples: Samples, y: NDArray[np.float64]) -> NoReturn:  # noqa: ARG002
        raise MemoryError


class IsKilled(Stub):
    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:  # noqa: ARG002
        os.kill(os.getpid(), signal.SIGKILL)


class Aborts(Stub):
    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:  # noqa: ARG002
        os.abort()


class NeedsALibrary(Stub):
    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:  # noqa: ARG002
        importlib.import_module("no_library")


class NamesItsServer(Stub):
    """Its parameters name the process that its own was forked from."""

    def parameters(self) -> dict[str, Any]:
        return {"server": os.getppid()}


class Exits(Stub):
    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:  # noqa: ARG002
        os._exit(3)


def entry_of(kind: type[Stub], **changes: Any) -> ModelEntry:
    """A catalogue entry of a stub."""
    return replace(ModelEntry(name="stub", make=kind, load=kind.load, description="A stub.", kinds=("numpy",)), **changes)
