"""Training: out-of-fold scores on sessions that a model never saw, and the final model, fitted on all of them.

A training is made of steps that do not depend on each other (fits on other rows or with other parameters), so that they may run side by
side, each in a process of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from stock_pipeline.core.columns import FOLD, FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL, TARGET
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.datasets.splits import Split, check_split
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.explanations import explain_sample
from stock_pipeline.models.plan import Execute, Plan
from stock_pipeline.models.scoring import scored
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
        out_of_fold: model, fold, session, symbol, score, target and forward_return of the test sessions, sorted by session and symbol.
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

    def name(self, plan: Plan) -> str:
        """Which fold it is."""
        return f"fold {self.split.fold} of {len(plan.splits)}"

    def __call__(self, plan: Plan, panel: Panel) -> tuple[pl.DataFrame, pl.DataFrame]:
        """``out_of_fold`` and ``in_sample`` of ``Trained``, of this fold.

        Raises:
            InputError: a range holds no row with a target.
        """
        split = self.split
        estimator = fit(plan, panel, self.parameters, split.train_from, split.train_to)
        learned = panel.samples.take(_places(panel.rows, split.train_from, split.train_to))
        tested = panel.samples.take(_places(panel.rows, split.test_from, split.test_to))
        tests, seen = (_scored(plan, estimator, panel.rows, samples, split.fold) for samples in (tested, _some_sessions(learned)))
        return tests, seen


@dataclass(frozen=True)
class FinalFit:
    """Fit the final model, save it into ``folder``, which exists, and explain a sample of history by it."""

    folder: Path
    parameters: Mapping[str, Any]

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
        explained = explain_sample(estimator, panel.rows, panel.samples.take(labelled.to_numpy()), plan.conditions.seed)
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
    tests, in_sample = zip(*reversed(folds), strict=True)
    return Trained(model, pl.concat(tests), pl.concat(in_sample), explained, trials)


def fit(plan: Plan, panel: Panel, parameters: Mapping[str, Any], first: date, last: date) -> Estimator:
    """The model fitted on the rows with a target of the sessions from ``first`` to ``last``.

    Args:
        plan: how to train.
        panel: the rows with their target, null where it is not known.
        parameters: of the model, by name; those left out take their defaults.
        first: the first session to learn from.
        last: the last session to learn from.

    Raises:
        InputError: there is no such row.
    """
    places = _places(panel.rows, first, last)
    y = panel.rows[TARGET].slice(places.start, places.stop - places.start).to_numpy()
    known = np.isfinite(y)
    if not known.any():
        raise InputError(f"the panel has no labelled row between {first} and {last}; make the splits from the panel's own sessions")
    estimator = plan.entry.make(plan.conditions_of_a_fit, **parameters)
    estimator.fit(panel.samples.take(places).take(known), y[known])
    return estimator


def _scored(plan: Plan, estimator: Estimator, rows: pl.DataFrame, samples: Samples, fold: int) -> pl.DataFrame:
    """The model's scores of the samples with a target, beside their outcomes."""
    scores = scored(rows[samples.rows], estimator.predict(samples), plan.entry.target.exposures)
    chosen = (pl.lit(plan.entry.name).alias(MODEL), pl.lit(fold, pl.Int32).alias(FOLD), SESSION, SYMBOL, SCORE, TARGET, FORWARD_RETURN)
    return scores.select(chosen).drop_nulls([TARGET, FORWARD_RETURN])


def _some_sessions(samples: Samples) -> Samples:
    """The samples of at most SESSIONS_SEEN whole sessions, spread evenly."""
    there = np.unique(samples.sessions)
    chosen = there[np.linspace(0, len(there) - 1, min(SESSIONS_SEEN, len(there))).round().astype(np.int64)]
    return samples.take(np.isin(samples.sessions, chosen))


def _places(rows: pl.DataFrame, first: date, last: date) -> slice:
    """Where the sessions from ``first`` to ``last`` lie among rows sorted by session."""
    days = rows[SESSION]
    start, stop = int(days.search_sorted(first, side="left")), int(days.search_sorted(last, side="right"))
    if start == stop:
        raise InputError(f"the panel has no row between {first} and {last}; make the splits from the panel's own sessions")
    return slice(start, stop)
