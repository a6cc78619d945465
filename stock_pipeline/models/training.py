"""Training: out-of-fold scores on sessions that a model never saw, and the final model, fitted on all of them.

A training is made of steps that do not depend on each other (fits on other rows or with other parameters), so that they may run side by
side, each in a process of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from stock_pipeline.core.columns import FOLD, MODEL, SESSION, TARGET
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.datasets.splits import Split, check_split
from stock_pipeline.models.explanations import explain_sample
from stock_pipeline.models.fitting import fit, kept_by_ranges, rows_between, score
from stock_pipeline.models.metrics import PART, TEST, TRAIN
from stock_pipeline.models.plan import Execute, Plan
from stock_pipeline.models.trials import choose_parameters

# Enough sessions to tell how well a model knows what it learned from; scoring all of them would cost as much as the training.
SESSIONS_SEEN: Final = 60


@dataclass(frozen=True)
class SavedModel:
    """A fitted model as files in a folder, with its parameters and its window."""

    folder: Path
    fitted_with: dict[str, Any]
    window: int

    def save(self, folder: Path) -> None:
        """Copy the files into ``folder``, which exists."""
        for file in sorted(self.folder.iterdir()):
            (folder / file.name).write_bytes(file.read_bytes())


@dataclass(frozen=True)
class Trained:
    """The results of a training.

    Attributes:
        model: the final model, fitted on every row with a target.
        out_of_fold: model, fold, session, symbol, score, target and forward_return of every stock of the test sessions, the last two
            null where they are not known, sorted by session and symbol.
        in_sample: the same of some sessions that each fold's model learned from.
        explained: session, symbol, feature, contribution and value of a sample of history; no row where the model has none.
        trials: trial, parameters (JSON), rank_ic and chosen, where more than one set was tried.
    """

    model: SavedModel
    out_of_fold: pl.DataFrame
    in_sample: pl.DataFrame
    explained: pl.DataFrame
    trials: pl.DataFrame


@dataclass(frozen=True)
class FoldFit:
    """Train on a fold's training range, and score its test range and some of the sessions learned from."""

    split: Split
    parameters: Mapping[str, Any]

    @property
    def kept_by(self) -> tuple[date, Mapping[str, Any]]:
        """The ranges and the parameters; not the number of the fold, which falls when an older one is dropped."""
        return kept_by_ranges("fold", self.split, self.parameters)

    def name(self, plan: Plan) -> str:
        """Which fold it is."""
        return f"fold {self.split.fold} of {len(plan.splits)}"

    def __call__(self, plan: Plan, panel: Panel) -> pl.DataFrame:
        """``out_of_fold`` and ``in_sample`` of ``Trained``, of this fold, without its number; ``part`` tells them apart.

        Raises:
            InputError: a range holds no row with a target.
        """
        split = self.split
        estimator = fit(plan, panel, self.parameters, split.train_from, split.train_to)
        learned = panel.samples.take(rows_between(panel.rows, split.train_from, split.train_to))
        tested = panel.samples.take(rows_between(panel.rows, split.test_from, split.test_to))
        parts = {TEST: tested, TRAIN: _some_sessions(learned)}
        return pl.concat(
            score(plan, estimator, panel.rows, samples).select(pl.lit(part).alias(PART), pl.all()) for part, samples in parts.items()
        )


@dataclass(frozen=True)
class FinalFit:
    """Fit the final model, save it into ``folder``, which exists, and explain a sample of history by it."""

    folder: Path
    parameters: Mapping[str, Any]

    @property
    def kept_by(self) -> None:
        """It learns from the last session on, so that no training has made it before."""

    def name(self, plan: Plan) -> str:  # noqa: ARG002
        """Say that it is the last model."""
        return "final fit"

    def __call__(self, plan: Plan, panel: Panel) -> tuple[SavedModel, pl.DataFrame]:
        """``model`` and ``explained`` of ``Trained``.

        Raises:
            InputError: the panel has no row with a target.
        """
        labelled = panel.rows[TARGET].is_not_null()
        if not labelled.any():
            raise InputError(f"there is no labelled row to train {plan.entry.name} on; bring in more history or widen the training window")
        sessions = panel.rows[SESSION]
        estimator = fit(plan, panel, self.parameters, sessions[0], sessions[-1])
        learned = panel.samples.take(labelled.to_numpy())
        explained = explain_sample(estimator, panel.rows, learned, plan.entry.target.exposures, plan.conditions.seed)
        estimator.save(self.folder)
        return SavedModel(self.folder, estimator.parameters(), estimator.window), explained


def train(plan: Plan, folder: Path, execute: Execute) -> Trained:
    """Choose parameters, score them out of fold, and fit the final model.

    Args:
        plan: how to train.
        folder: where the final model is saved; it exists.
        execute: executes steps on the panel that ``datasets.reading.write_training_panel`` wrote; see ``plan.in_sequence``.

    Raises:
        InputError: the panel has no row with a target, a split lets training labels reach into its test range, or a range holds no
            row of the panel.
    """
    for split in plan.splits:
        check_split(split, plan.label_ends)
    parameters, trials = choose_parameters(plan, execute)
    # The longest fits first, so that none is waited for alone at the end.
    (model, explained), *folds = execute([FinalFit(folder, parameters), *(FoldFit(split, parameters) for split in reversed(plan.splits))])
    return Trained(model, *of_all_folds(reversed(folds), plan.splits), explained, trials)


def of_all_folds(results: Iterable[pl.DataFrame], splits: Sequence[Split]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``out_of_fold`` and ``in_sample`` of ``Trained`` from what the ``FoldFit`` of each split returns."""
    number = zip(results, splits, strict=True)
    rows = pl.concat(part.select(PART, MODEL, pl.lit(split.fold, pl.Int32).alias(FOLD), pl.exclude(PART, MODEL)) for part, split in number)
    tests, in_sample = (rows.filter(pl.col(PART) == part).drop(PART) for part in (TEST, TRAIN))
    return tests, in_sample


def _some_sessions(samples: Samples) -> Samples:
    """The samples of at most SESSIONS_SEEN whole sessions, spread evenly."""
    there = np.unique(samples.sessions)
    chosen = there[np.linspace(0, len(there) - 1, min(SESSIONS_SEEN, len(there))).round().astype(np.int64)]
    return samples.take(np.isin(samples.sessions, chosen))
