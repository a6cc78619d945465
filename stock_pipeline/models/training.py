"""Training: a model scored on sessions that it never saw, and the model that goes into service, fitted on all of them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import FOLD, FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.splits import Split, check_split
from stock_pipeline.datasets.training_panel import TARGET, matrix
from stock_pipeline.models.catalogue import ModelEntry
from stock_pipeline.models.estimators.estimator import Estimator

OnFold = Callable[[Split, pl.DataFrame], None]


def train_out_of_fold(
    entry: ModelEntry,
    panel: pl.DataFrame,
    splits: Sequence[Split],
    feature_names: Sequence[str],
    *,
    label_ends: Mapping[date, date],
    seed: int,
    threads: int,
    on_fold: OnFold | None = None,
) -> pl.DataFrame:
    """The scores that the model gives each fold's test sessions after training on the sessions before them.

    Args:
        entry: the model.
        panel: what ``training_panel`` returns, its features ranked within their session.
        splits: what ``walk_forward`` made of the panel's sessions.
        feature_names: the features to learn from.
        label_ends: for each session the one on which the last of its labels is known; every split is checked against it before
            anything is fitted.
        seed: random seed of the model.
        threads: threads for the model.
        on_fold: called after each fold with its split and its rows of the result.

    Returns:
        model, fold, session, symbol, score, target and forward_return, one row for each test row of the
        panel, sorted by session and symbol.

    Raises:
        InputError: a split lets training labels reach into its test range, or a range holds no row of the panel.
    """
    ordered = panel.sort(SESSION, SYMBOL)
    for split in splits:
        check_split(split, label_ends)
    x, y = matrix(ordered, feature_names), ordered[TARGET].to_numpy()
    parts = []
    for split in splits:
        train, test = _rows(ordered, split.train_from, split.train_to), _rows(ordered, split.test_from, split.test_to)
        model = entry.make(seed, threads)
        model.fit(x[train], y[train], feature_names)
        part = ordered[test].select(
            pl.lit(entry.name).alias(MODEL),
            pl.lit(split.fold, pl.Int32).alias(FOLD),
            SESSION,
            SYMBOL,
            pl.Series(SCORE, model.predict(x[test])),
            TARGET,
            FORWARD_RETURN,
        )
        parts.append(part)
        if on_fold is not None:
            on_fold(split, part)
    return pl.concat(parts)


def fit_final(entry: ModelEntry, panel: pl.DataFrame, feature_names: Sequence[str], *, seed: int, threads: int) -> Estimator:
    """The model fitted on every row of ``panel`` (as for ``train_out_of_fold``).

    Raises:
        InputError: the panel has no row.
    """
    if panel.is_empty():
        raise InputError(f"there is no labelled row to train {entry.name} on; bring in more history or widen the training window")
    ordered = panel.sort(SESSION, SYMBOL)
    model = entry.make(seed, threads)
    model.fit(matrix(ordered, feature_names), ordered[TARGET].to_numpy(), feature_names)
    return model


def _rows(ordered: pl.DataFrame, first: date, last: date) -> slice:
    """Where the sessions from ``first`` to ``last`` lie in a frame sorted by session: slices share memory, filters copy."""
    days = ordered[SESSION]
    start, stop = int(days.search_sorted(first, side="left")), int(days.search_sorted(last, side="right"))
    if start == stop:
        raise InputError(f"the panel has no labelled row between {first} and {last}; make the splits from the panel's own sessions")
    return slice(start, stop)
