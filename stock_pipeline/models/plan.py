"""The plan of a training, all that it depends on besides the panel, and the steps that it is made of."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol

from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.splits import Split
from stock_pipeline.models.catalogue import ModelEntry
from stock_pipeline.models.estimators.estimator import Conditions, Estimator

ReportProgress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How a model is trained, besides the panel.

    Attributes:
        entry: the model.
        splits: what ``walk_forward`` made of the panel's sessions.
        label_ends: for each session the one on which the last of its labels is known; every split is checked against it before anything
            is fitted.
        conditions: seed and device, and the threads of the whole training.
        trials: how many sets of parameters are tried; 1 takes the model's own.
        inner_splits: the folds within the first split's training range on which they are tried.
    """

    entry: ModelEntry
    splits: tuple[Split, ...]
    label_ends: Mapping[date, date]
    conditions: Conditions
    trials: int = 1
    inner_splits: tuple[Split, ...] = ()

    @property
    def fits_at_once(self) -> int:
        """How many fits run side by side: on one thread each where there are enough, for a fit on two is at most 1.8 times as fast."""
        return 1 if self.conditions.device == "cuda" else min(self.conditions.threads, len(self.splits) + 1)

    @property
    def conditions_of_a_fit(self) -> Conditions:
        """The conditions of one fit, which has its share of the threads."""
        return replace(self.conditions, threads=self.conditions.threads // self.fits_at_once)

    @property
    def gap_sessions(self) -> int:
        """How many sessions the splits leave out between training and test: purge and embargo, which hold inside a fit as well."""
        sessions = sorted(self.label_ends)
        return min(bisect_left(sessions, split.test_from) - bisect_right(sessions, split.train_to) for split in self.splits)

    def make(self, parameters: Mapping[str, Any]) -> Estimator:
        """An unfitted estimator of these parameters, for one fit; those left out take their defaults."""
        return self.entry.make(self.conditions_of_a_fit, **self.arguments(parameters))

    def arguments(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What the estimator of these parameters is made with, besides conditions and defaults."""
        gap = {"gap_sessions": self.gap_sessions} if self.entry.holds_sessions_back else {}
        return {**gap, **parameters}


class Step(Protocol):
    """A part of a training that needs no other part of it. It can be sent to another process, and so can its result."""

    @property
    def kept_by(self) -> tuple[date, Mapping[str, Any]] | None:
        """The last session that it looks at and what it does, parameters among it, by which its result, a frame, is kept; None: not kept.

        See ``kept_results``.
        """
        ...

    def name(self, plan: Plan) -> str:
        """What it is, for users."""
        ...

    def __call__(self, plan: Plan, panel: Panel) -> Any:
        """The result of the step."""
        ...


Execute = Callable[[Sequence[Step]], list[Any]]  # returns the results of steps in their order


def in_sequence(plan: Plan, panel: Panel) -> Execute:
    """Execute steps in this process, one after another."""
    return lambda steps: [step(plan, panel) for step in steps]
