"""Walk-forward splits by session: train on the past, test on what follows, and leave a gap that no label crosses.

Splits are made of sessions, never of rows: on a stacked panel a split of rows puts stocks of one session on both sides.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Final

import polars as pl

from stock_pipeline.core.columns import AS_OF, FOLD
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.tables import EXPANDING, ROLLING, WALK_FORWARD_SPLITS, WINDOW
from stock_pipeline.labels.catalogue import labelled_horizons, predicted_horizon, purge_span, return_reach
from stock_pipeline.settings import DatasetSettings, LabelSettings, Settings

FEWEST_TO_TRAIN: Final = 20  # sessions; a fold that trained on fewer would tell nothing of the model
SHORTENED: Final = 3 / 4
INNER_FOLDS: Final = 3


@dataclass(frozen=True)
class Split:
    """One fold: the first and last session of its training range and of its test range, all included. Folds count from 1."""

    fold: int
    train_from: date
    train_to: date
    test_from: date
    test_to: date


@dataclass(frozen=True)
class Lengths:
    """How many sessions the first fold trains on at least, and how many each fold tests."""

    train: int
    test: int


def fold_lengths(available: int, folds: int, gap: int, asked: Lengths) -> Lengths:
    """The lengths asked for, or shorter ones where the sessions available do not hold them.

    Both are shortened in step, by a quarter at a time, until first training range, gap and folds fit. A step keeps its lengths while
    history grows by a third, so that folds stay as they are from night to night.

    Args:
        available: number of sessions that have labels.
        folds: number of folds.
        gap: sessions left out between training and test.
        asked: the lengths that the settings ask for.

    Raises:
        InputError: there are too few sessions even for the shortest.
    """
    least = min(asked.train, FEWEST_TO_TRAIN)
    lengths = asked
    while lengths.train + gap + folds * lengths.test > available:
        if lengths.test == 1 and lengths.train == least:
            raise InputError(
                f"there are {available} sessions with labels, but {folds} walk-forward folds need {least + gap + folds}: {least} to train "
                f"on, {gap} for purge and embargo, and {folds} to test on; bring in more history or learn from more of it, or lower "
                "datasets.folds"
            )
        lengths = Lengths(max(least, int(lengths.train * SHORTENED)), max(1, int(lengths.test * SHORTENED)))
    return lengths


def walk_forward(
    sessions: Sequence[date], folds: int, reach: int, embargo: int, lengths: Lengths, train_sessions: int | None = None
) -> list[Split]:
    """Walk-forward splits, whose test ranges follow each other to the last session and whose training ranges come before them.

    Test ranges are counted from the first session, so that a fold stays as it is while sessions are added at the end: the newest one
    grows until it is whole, then another begins and the oldest is dropped.

    Between training and test lie ``reach + embargo`` sessions. The label of the last training session ends ``reach`` sessions
    later, still before the test range (the purge); the embargo leaves out further sessions, because features and returns
    close to each other resemble each other (López de Prado 2018, Advances in Financial Machine Learning, chapter 7).

    A label ends after so many of the exchange's sessions. Where some of those have no labels, so many sessions with labels reach
    even further, so the purge never leaves out too little; ``check_split`` judges by the dates themselves.

    Args:
        sessions: the sessions that have labels, in any order, repeats allowed.
        folds: number of splits, at least 1: the last so many.
        reach: how many sessions after its own a label ends, at least 0.
        embargo: further sessions left out before each test range, at least 0.
        lengths: of the first training range and of the test ranges; see ``fold_lengths``, by which they are shortened.
        train_sessions: train on so many sessions before the gap, a rolling window, or on all that there are where they are fewer.
            None trains every fold from the first session on, an expanding window.

    Raises:
        InputError: a parameter is out of range, or there are too few sessions.
    """
    _check_parameters(folds, reach, embargo, lengths, train_sessions)
    ordered = sorted(set(sessions))
    gap = reach + embargo
    fitting = fold_lengths(len(ordered), folds, gap, lengths)
    starts = range(fitting.train + gap, len(ordered), fitting.test)[-folds:]
    splits = []
    for fold, start in enumerate(starts, start=1):
        end = start - gap  # of the training range, which it no longer belongs to
        begin = 0 if train_sessions is None else max(0, end - train_sessions)
        last = min(start + fitting.test, len(ordered)) - 1
        splits.append(Split(fold, ordered[begin], ordered[end - 1], ordered[start], ordered[last]))
    return splits


def chosen_splits(sessions: Sequence[date], chosen: DatasetSettings, labels: LabelSettings) -> list[Split]:
    """``walk_forward`` of the sessions as the settings have it, the last ``chosen.sessions`` of them; purged by the longest label."""
    last = sorted(set(sessions))[-(chosen.sessions or 0) :]
    return walk_forward(last, chosen.folds, _reach(labels), chosen.embargo, _asked(chosen), chosen.train_sessions)


def inner_splits(sessions: Sequence[date], outer: Split, chosen: DatasetSettings, labels: LabelSettings) -> list[Split]:
    """Walk-forward splits within a fold's training range, on which parameters are tried before any session of a test is seen.

    They are purged and embargoed as the settings have it, and shortened as ``fold_lengths`` says.

    Args:
        sessions: the sessions that have labels.
        outer: the first fold.
        chosen, labels: the settings.

    Raises:
        InputError: the training range is too short for them.
    """
    within = [session for session in sessions if outer.train_from <= session <= outer.train_to]
    try:
        return walk_forward(within, INNER_FOLDS, _reach(labels), chosen.embargo, _asked(chosen), chosen.train_sessions)
    except InputError as error:
        raise InputError(
            f"models.tuning_trials splits the {len(set(within))} sessions that the first fold trains on into {INNER_FOLDS} folds, for "
            "which they are too few; bring in more history, lower datasets.folds or datasets.fold_sessions, or set models.tuning_trials "
            "to 1"
        ) from error


def shortened(sessions: Sequence[date], chosen: DatasetSettings, labels: LabelSettings) -> str | None:
    """A sentence on how much shorter the folds are than the settings ask for; None where history is long enough."""
    available, asked = len(set(sessions)), _asked(chosen)
    fitting = fold_lengths(min(available, chosen.sessions or available), chosen.folds, _reach(labels) + chosen.embargo, asked)
    if fitting == asked:
        return None
    return (
        f"the {available} sessions with labels are too few for the folds of the settings: each tests {fitting.test} sessions instead of "
        f"{asked.test}, and the first trains on {fitting.train} or more instead of {asked.train}"
    )


def _reach(labels: LabelSettings) -> int:
    return purge_span(labelled_horizons(labels), labels.volatility_horizon)


def _asked(chosen: DatasetSettings) -> Lengths:
    return Lengths(min(chosen.minimum_train_sessions, chosen.train_sessions or chosen.minimum_train_sessions), chosen.fold_sessions)


def check_history(settings: Settings, sessions: Sequence[date]) -> None:
    """Refuse a history that is too short for the splits of the settings, before anything is written.

    ``sessions`` are all that there are, in order; the last of them have no label yet.

    Raises:
        InputError: they are too few.
    """
    chosen_splits(sessions[: -return_reach(predicted_horizon(settings.labels))], settings.datasets, settings.labels)


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


def _check_parameters(folds: int, reach: int, embargo: int, lengths: Lengths, train_sessions: int | None) -> None:
    window = 1 if train_sessions is None else train_sessions
    given = (("folds", folds, 1), ("reach", reach, 0), ("embargo", embargo, 0), ("train_sessions", window, 1))
    for name, value, least in (*given, ("first training range", lengths.train, 1), ("test range", lengths.test, 1)):
        if value < least:
            raise InputError(f"{name} of the walk-forward splits is {value}; give at least {least}")
