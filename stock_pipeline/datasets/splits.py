"""Walk-forward splits by session: train on the past, test on what follows, and leave a gap that no label crosses.

Splits are made of sessions, never of rows: on a stacked panel a split of rows puts stocks of one session on both sides.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from stock_pipeline.core.columns import AS_OF, FOLD
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS


@dataclass(frozen=True)
class Split:
    """One fold: the first and last session of its training range and of its test range, all included. Folds count from 1."""

    fold: int
    train_from: date
    train_to: date
    test_from: date
    test_to: date


def walk_forward(sessions: Sequence[date], folds: int, reach: int, embargo: int, min_train: int) -> list[Split]:
    """Expanding walk-forward splits: every fold trains from the first session on, the test ranges follow each other to the last.

    Between training and test lie ``reach + embargo`` sessions. The label of the last training session ends ``reach`` sessions
    later, still before the test range (the purge); the embargo leaves out further sessions, because features and returns
    close to each other resemble each other (López de Prado 2018, Advances in Financial Machine Learning, chapter 7). Test
    ranges are equally long; sessions that do not divide evenly lengthen the first training range.

    Args:
        sessions: the sessions that have labels, in any order, repeats allowed.
        folds: number of splits, at least 1.
        reach: how many sessions after its own a label ends, at least 0.
        embargo: further sessions left out before each test range, at least 0.
        min_train: fewest sessions that the first fold may train on, at least 1.

    Raises:
        InputError: a parameter is out of range, or there are too few sessions.
    """
    _check_parameters(folds, reach, embargo, min_train)
    ordered = sorted(set(sessions))
    gap = reach + embargo
    needed = min_train + gap + folds
    if len(ordered) < needed:
        raise InputError(
            f"there are {len(ordered)} sessions with labels, but {folds} walk-forward folds need {needed}: {min_train} to train "
            f"on, a purge of {reach}, an embargo of {embargo} and {folds} to test on; bring in more history, or lower datasets.folds or "
            "datasets.minimum_train_sessions"
        )
    length = (len(ordered) - min_train - gap) // folds
    first_test = len(ordered) - folds * length
    starts = [first_test + fold * length for fold in range(folds)]
    return [
        Split(fold, ordered[0], ordered[start - gap - 1], ordered[start], ordered[start + length - 1])
        for fold, start in enumerate(starts, 1)
    ]


def check_split(split: Split, sessions: Sequence[date], reach: int) -> None:
    """Passes where every training label ends before the test range starts; the guard in front of every fit.

    Args:
        split: the split to judge.
        sessions: the sessions that have labels, as ``walk_forward`` was given them.
        reach: how many sessions after its own a label ends.

    Raises:
        InputError: the ranges are out of order, or a training label reaches into the test range.
    """
    if not split.train_from <= split.train_to < split.test_from <= split.test_to:
        raise InputError(f"the dates of fold {split.fold} are out of order in {split}; make the splits with walk_forward")
    ordered = sorted(set(sessions))
    last_train = bisect_right(ordered, split.train_to) - 1
    first_test = bisect_left(ordered, split.test_from)
    if last_train + reach >= first_test:
        raise InputError(
            f"fold {split.fold} trains up to {split.train_to} on labels that end {reach} sessions later, inside its test range "
            f"from {split.test_from}; leave at least {reach} sessions between them"
        )


def split_table(splits: Sequence[Split], sessions: Sequence[date], as_of: date, reach: int, embargo: int) -> pl.DataFrame:
    """The splits as rows of WALK_FORWARD_SPLITS, with the number of sessions that each range holds.

    Args:
        splits, sessions, reach, embargo: as given to and returned by ``walk_forward``.
        as_of: the session whose night's knowledge the splits rest on.
    """
    ordered = sorted(set(sessions))

    def count(first: date, last: date) -> int:
        return bisect_right(ordered, last) - bisect_left(ordered, first)

    rows = [
        {
            AS_OF: as_of,
            FOLD: split.fold,
            "train_from": split.train_from,
            "train_to": split.train_to,
            "test_from": split.test_from,
            "test_to": split.test_to,
            "train_sessions": count(split.train_from, split.train_to),
            "test_sessions": count(split.test_from, split.test_to),
            "purge": reach,
            "embargo": embargo,
        }
        for split in splits
    ]
    return WALK_FORWARD_SPLITS.conform(pl.DataFrame(rows, schema=WALK_FORWARD_SPLITS.dtypes))


def splits_from_table(frame: pl.DataFrame) -> list[Split]:
    """The splits that rows of WALK_FORWARD_SPLITS of one ``as_of`` describe, in the order of their folds."""
    columns = (FOLD, "train_from", "train_to", "test_from", "test_to")
    return [Split(*row) for row in frame.sort(FOLD).select(columns).iter_rows()]


def _check_parameters(folds: int, reach: int, embargo: int, min_train: int) -> None:
    for name, value, least in (("folds", folds, 1), ("reach", reach, 0), ("embargo", embargo, 0), ("min_train", min_train, 1)):
        if value < least:
            raise InputError(f"{name} of the walk-forward splits is {value}; give at least {least}")
