"""Training: out-of-fold scores on sessions that a model never saw, and the final model, fitted on all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Generic, TypeVar

import numpy as np
import polars as pl

from stock_pipeline.core.columns import FOLD, FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL, TARGET
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.datasets.splits import check_split
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.explanations import explain_sample
from stock_pipeline.models.plan import Plan, ReportProgress
from stock_pipeline.models.scoring import scored
from stock_pipeline.models.trials import choose_parameters

# Enough sessions to tell how well a model knows what it learned from; scoring all of them would cost as much as the training.
SESSIONS_SEEN: Final = 60


Model = TypeVar("Model")


@dataclass(frozen=True)
class Trained(Generic[Model]):
    """The results of a training.

    Attributes:
        model: the final model, fitted on every row with a target, as an estimator or as its files.
        out_of_fold: model, fold, session, symbol, score, target and forward_return of the test sessions, sorted by session and symbol.
        in_sample: the same of some sessions that each fold's model learned from.
        explained: session, symbol, feature, contribution and value of a sample of history; no row where the model has none.
        trials: trial, parameters (JSON), rank_ic and chosen, where more than one set was tried.
    """

    model: Model
    out_of_fold: pl.DataFrame
    in_sample: pl.DataFrame
    explained: pl.DataFrame
    trials: pl.DataFrame


def train(plan: Plan, panel: pl.DataFrame, report_progress: ReportProgress = lambda _note: None) -> Trained[Estimator]:
    """Choose parameters, score them out of fold, and fit the final model.

    Args:
        plan: how to train.
        panel: what ``datasets.reading.read_training_panel`` returns.
        report_progress: called with a note as each step begins.

    Raises:
        InputError: the panel has no row with a target, a split lets training labels reach into its test range, or a range holds no
            row of the panel.
    """
    ordered = panel.sort(SESSION, SYMBOL)
    if ordered[TARGET].count() == 0:
        raise InputError(f"there is no labelled row to train {plan.entry.name} on; bring in more history or widen the training window")
    samples = Samples.of(ordered, plan.feature_names)
    parameters, trials = choose_parameters(plan, ordered, samples, report_progress)
    tests, in_sample = score_folds(plan, ordered, samples, parameters, report_progress)
    report_progress("final fit")
    estimator = fit(plan, ordered, samples, parameters, ordered[SESSION][0], ordered[SESSION][-1])
    report_progress("explanations")
    explained = explain_sample(estimator, ordered, samples.take(ordered[TARGET].is_not_null().to_numpy()), plan.conditions.seed)
    return Trained(estimator, tests, in_sample, explained, trials)


def score_folds(
    plan: Plan, ordered: pl.DataFrame, samples: Samples, parameters: Mapping[str, Any], report_progress: ReportProgress = lambda _note: None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train on each fold's training range and score its test range: ``out_of_fold`` and ``in_sample`` of ``Trained``.

    Args:
        plan: how to train.
        ordered: the panel with its target (null where not known), sorted by session and symbol.
        samples: every row of ``ordered``.
        parameters: of the model, by name; those left out take their defaults.
        report_progress: called with a note as each fold begins.

    Raises:
        InputError: a split lets training labels reach into its test range, or a range holds no row with a target.
    """
    for split in plan.splits:
        check_split(split, plan.label_ends)
    tests, in_sample = list[pl.DataFrame](), list[pl.DataFrame]()
    for split in plan.splits:
        report_progress(f"fold {split.fold} of {len(plan.splits)}")
        estimator = fit(plan, ordered, samples, parameters, split.train_from, split.train_to)
        learned = samples.take(_places(ordered, split.train_from, split.train_to))
        tested = samples.take(_places(ordered, split.test_from, split.test_to))
        tests.append(_out_of(plan, estimator, ordered, tested, split.fold))
        in_sample.append(_out_of(plan, estimator, ordered, _some_sessions(learned), split.fold))
    return pl.concat(tests), pl.concat(in_sample)


def fit(plan: Plan, ordered: pl.DataFrame, samples: Samples, parameters: Mapping[str, Any], first: date, last: date) -> Estimator:
    """The model fitted on the rows with a target of the sessions from ``first`` to ``last``.

    Args:
        plan, ordered, samples, parameters: as for ``score_folds``.
        first: the first session to learn from.
        last: the last session to learn from.

    Raises:
        InputError: there is no such row.
    """
    places = _places(ordered, first, last)
    y = ordered[TARGET].slice(places.start, places.stop - places.start).to_numpy()
    known = np.isfinite(y)
    if not known.any():
        raise InputError(f"the panel has no labelled row between {first} and {last}; make the splits from the panel's own sessions")
    estimator = plan.entry.make(plan.conditions, **parameters)
    estimator.fit(samples.take(places).take(known), y[known])
    return estimator


def _out_of(plan: Plan, estimator: Estimator, ordered: pl.DataFrame, samples: Samples, fold: int) -> pl.DataFrame:
    """The model's scores of the samples with a target, beside their outcomes."""
    scores = scored(ordered[samples.rows], estimator.predict(samples), plan.entry.target.exposures)
    chosen = (pl.lit(plan.entry.name).alias(MODEL), pl.lit(fold, pl.Int32).alias(FOLD), SESSION, SYMBOL, SCORE, TARGET, FORWARD_RETURN)
    return scores.select(chosen).drop_nulls([TARGET, FORWARD_RETURN])


def _some_sessions(samples: Samples) -> Samples:
    """The samples of at most SESSIONS_SEEN whole sessions, spread evenly."""
    there = np.unique(samples.sessions)
    chosen = there[np.linspace(0, len(there) - 1, min(SESSIONS_SEEN, len(there))).round().astype(np.int64)]
    return samples.take(np.isin(samples.sessions, chosen))


def _places(ordered: pl.DataFrame, first: date, last: date) -> slice:
    """Where the sessions from ``first`` to ``last`` lie in a frame sorted by session."""
    days = ordered[SESSION]
    start, stop = int(days.search_sorted(first, side="left")), int(days.search_sorted(last, side="right"))
    if start == stop:
        raise InputError(f"the panel has no row between {first} and {last}; make the splits from the panel's own sessions")
    return slice(start, stop)
