"""Walk-forward splits by session: train on the past, test on what follows, and leave a gap that no label crosses.

Splits are made of sessions, never of rows: on a stacked panel a split of rows puts stocks of one session on both sides.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date

import polars as pl

from stock_pipeline.core.columns import AS_OF, FOLD
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.tables import EXPANDING, ROLLING, WALK_FORWARD_SPLITS, WINDOW
from stock_pipeline.labels.catalogue import purge_span, return_reach
from stock_pipeline.settings import DatasetSettings, LabelSettings, Settings


@dataclass(frozen=True)
class Split:
    """One fold: the first and last session of its training range and of its test range, all included. Folds count from 1."""

    fold: int
    train_from: date
    train_to: date
    test_from: date
    test_to: date


def walk_forward(
    sessions: Sequence[date], folds: int, reach: int, embargo: int, min_train: int, train_sessions: int | None = None
) -> list[Split]:
    """Walk-forward splits, whose test ranges follow each other to the last session and whose training ranges come before them.

    Between training and test lie ``reach + embargo`` sessions. The label of the last training session ends ``reach`` sessions
    later, still before the test range (the purge); the embargo leaves out further sessions, because features and returns
    close to each other resemble each other (López de Prado 2018, Advances in Financial Machine Learning, chapter 7). Test
    ranges are equally long; sessions that do not divide evenly lengthen the first training range.

    A label ends after so many of the exchange's sessions. Where some of those have no labels, so many sessions with labels reach
    even further, so the purge never leaves out too little; ``check_split`` judges by the dates themselves.

    Args:
        sessions: the sessions that have labels, in any order, repeats allowed.
        folds: number of splits, at least 1.
        reach: how many sessions after its own a label ends, at least 0.
        embargo: further sessions left out before each test range, at least 0.
        min_train: fewest sessions that the first fold may train on, at least 1.
        train_sessions: train on so many sessions before the gap, a rolling window, or on all that there are where they are fewer;
            at least ``min_train``. None trains every fold from the first session on, an expanding window.

    Raises:
        InputError: a parameter is out of range, or there are too few sessions.
    """
    _check_parameters(folds, reach, embargo, min_train, train_sessions)
    ordered = sorted(set(sessions))
    gap = reach + embargo
    needed = min_train + gap + folds
    if len(ordered) < needed:
        raise InputError(
            f"there are {len(ordered)} sessions with labels, but {folds} walk-forward folds need {needed}: {min_train} to train "
            f"on, a purge of {reach}, an embargo of {embargo} and {folds} to test on; bring in more history or learn from more of it, or "
            "lower datasets.folds or datasets.minimum_train_sessions"
        )
    length = (len(ordered) - min_train - gap) // folds
    first_test = len(ordered) - folds * length
    splits = []
    for fold in range(folds):
        start = first_test + fold * length
        end = start - gap  # of the training range, which it no longer belongs to
        begin = 0 if train_sessions is None else max(0, end - train_sessions)
        splits.append(Split(fold + 1, ordered[begin], ordered[end - 1], ordered[start], ordered[start + length - 1]))
    return splits


def chosen_splits(sessions: Sequence[date], chosen: DatasetSettings, labels: LabelSettings) -> list[Split]:
    """``walk_forward`` of the sessions as the settings have it, the last ``chosen.sessions`` of them; purged by the longest label."""
    last = sorted(set(sessions))[-(chosen.sessions or 0) :]
    reach = purge_span(labels.horizons, labels.volatility_horizon)
    return walk_forward(last, chosen.folds, reach, chosen.embargo, chosen.minimum_train_sessions, chosen.train_sessions)


def check_history(settings: Settings, sessions: Sequence[date]) -> None:
    """Refuse a history that is too short for the splits of the settings, before anything is written.

    ``sessions`` are all that there are, in order; the last of them have no label yet.

    Raises:
        InputError: they are too few.
    """
    chosen_splits(sessions[: -return_reach(settings.labels.horizons[0])], settings.datasets, settings.labels)


def check_split(split: Split, label_ends: Mapping[date, date]) -> None:
    """Refuse a split unless every training label is known before the test range starts; called before every fit.

    Dates are compared, not counted, so it holds whichever sessions have labels. A label that becomes known on the first test
    session itself is refused: whether at its open or its close, the test range's features are of the same session.

    Args:
        label_ends: for each session the one on which the last of its labels is known; at least for every session trained on.

    Raises:
        InputError: the ranges are out of order, the ends of the training labels are not given, or one of them reaches into the test
            range.
    """
    if not split.train_from <= split.train_to < split.test_from <= split.test_to:
        raise InputError(f"the dates of fold {split.fold} are out of order in {split}; make the splits with walk_forward")
    unknown = [day for day in (split.train_from, split.train_to) if day not in label_ends]
    if unknown:
        raise InputError(
            f"fold {split.fold} trains from {split.train_from} to {split.train_to}, but it is not known when the labels of {unknown[0]} "
            "end; make labels and splits again"
        )
    late = [day for day, end in label_ends.items() if split.train_from <= day <= split.train_to and end >= split.test_from]
    if late:
        first = min(late)
        raise InputError(
            f"fold {split.fold} trains up to {split.train_to}, but the labels of {len(late)} of its sessions, from {first} on, are not "
            f"known before its test range: those of {max(late)} on {label_ends[max(late)]}, its test range starts on {split.test_from}; "
            "make the splits with walk_forward and the reach of the labels' longest horizon"
        )


def split_table(
    splits: Sequence[Split], sessions: Sequence[date], as_of: date, reach: int, embargo: int, train_sessions: int | None = None
) -> pl.DataFrame:
    """The splits as rows of WALK_FORWARD_SPLITS, with the number of sessions that each range holds.

    Args:
        splits, sessions, reach, embargo, train_sessions: as given to and returned by ``walk_forward``.
        as_of: the as-of date of the splits: the last session of which data were known.
    """
    ordered = sorted(set(sessions))

    def count(first: date, last: date) -> int:
        return bisect_right(ordered, last) - bisect_left(ordered, first)

    rows = [
        {
            AS_OF: as_of,
            **asdict(split),
            WINDOW: EXPANDING if train_sessions is None else ROLLING,
            "train_sessions": count(split.train_from, split.train_to),
            "test_sessions": count(split.test_from, split.test_to),
            "purge": reach,
            "embargo": embargo,
        }
        for split in splits
    ]
    return WALK_FORWARD_SPLITS.validate(pl.DataFrame(rows, schema=WALK_FORWARD_SPLITS.dtypes))


def splits_from_table(frame: pl.DataFrame) -> list[Split]:
    """The splits that rows of WALK_FORWARD_SPLITS of one ``as_of`` describe, in the order of their folds."""
    columns = [each.name for each in fields(Split)]
    return [Split(**row) for row in frame.sort(FOLD).select(columns).iter_rows(named=True)]


def _check_parameters(folds: int, reach: int, embargo: int, min_train: int, train_sessions: int | None) -> None:
    for name, value, least in (("folds", folds, 1), ("reach", reach, 0), ("embargo", embargo, 0), ("min_train", min_train, 1)):
        if value < least:
            raise InputError(f"{name} of the walk-forward splits is {value}; give at least {least}")
    if train_sessions is not None and train_sessions < min_train:
        raise InputError(
            f"train_sessions of the walk-forward splits is {train_sessions}, but the first fold trains on at least {min_train}; raise "
            "datasets.train_sessions or lower datasets.minimum_train_sessions"
        )
