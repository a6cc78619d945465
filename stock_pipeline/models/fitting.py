"""Fits on a range of sessions and scores of another: what folds, trials and the final model have in common."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from stock_pipeline.core.columns import FOLD, FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL, TARGET
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.datasets.splits import Split
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.plan import Plan
from stock_pipeline.models.scoring import scored


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
    places = rows_between(panel.rows, first, last)
    y = panel.rows[TARGET].slice(places.start, places.stop - places.start).to_numpy()
    known = np.isfinite(y)
    if not known.any():
        raise InputError(f"the panel has no labelled row between {first} and {last}; make the splits from the panel's own sessions")
    estimator = plan.make(parameters)
    estimator.fit(panel.samples.take(places).take(known), y[known])
    return estimator


def score(plan: Plan, estimator: Estimator, rows: pl.DataFrame, samples: Samples) -> pl.DataFrame:
    """The model's scores of the samples, neutralised against the exposures.

    Every sample is scored, as on the night itself, when no one knows whose outcome will become known.

    Args:
        plan: for the model's name and its exposures.
        estimator: the model, fitted.
        rows: every row of the panel.
        samples: those to score, of whole sessions.

    Returns:
        model, session, symbol, score, target and forward_return, both null where they are not known, in the order of the samples.
    """
    scores = scored(rows[samples.rows], estimator.predict(samples), plan.entry.target.exposures)
    return scores.select(pl.lit(plan.entry.name).alias(MODEL), SESSION, SYMBOL, SCORE, TARGET, FORWARD_RETURN)


def rows_between(rows: pl.DataFrame, first: date, last: date) -> slice:
    """Where the sessions from ``first`` to ``last`` lie among rows sorted by session.

    Raises:
        InputError: there is none.
    """
    days = rows[SESSION]
    start, stop = int(days.search_sorted(first, side="left")), int(days.search_sorted(last, side="right"))
    if start == stop:
        raise InputError(f"the panel has no row between {first} and {last}; make the splits from the panel's own sessions")
    return slice(start, stop)


def kept_by_ranges(step: str, split: Split, parameters: Mapping[str, Any]) -> tuple[date, Mapping[str, Any]]:
    """``Step.kept_by`` of a step that learns from a split's training range and scores its test range."""
    ranges = {name: day.isoformat() for name, day in asdict(split).items() if name != FOLD}
    return split.test_to, {"step": step, **ranges, "parameters": dict(parameters)}
