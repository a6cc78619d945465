"""Our splits and their guard beside another implementation of purging and embargo."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from purgedcv import apply_embargo, purge

from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.splits import Split, check_split
from stock_pipeline_tests.factories.folds import equal_folds
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.laws import law

DAYS = sessions(320)
ONE_DAY = timedelta(days=1)


def rows_between(held: list[date], first: date, last: date) -> NDArray[np.intp]:
    return np.flatnonzero([first <= day <= last for day in held])


def times(days: list[date]) -> NDArray[np.datetime64]:
    return np.array(days, dtype="datetime64[ns]")


def after_purge(held: list[date], ends: list[date], train: NDArray[np.intp], test: NDArray[np.intp], embargo: int) -> set[int]:
    """The training rows that purgedcv keeps. A label is known within its last day, so its interval ends where the next day begins."""
    predicted, evaluated = times(held), times([end + ONE_DAY for end in ends])
    purged = purge(train, test, predicted, evaluated)
    return set(apply_embargo(purged, test, predicted, evaluated, embargo_observations=embargo).tolist())


def refused(split: Split, ends: dict[date, date]) -> bool:
    try:
        check_split(split, ends)
    except InputError:
        return True
    return False


@given(
    held=st.sets(st.integers(0, 299), min_size=60, max_size=250),
    reach=st.integers(0, 12),
    embargo=st.integers(0, 12),
    window=st.none() | st.integers(10, 60),
)
@law(100)
def test_every_row_that_a_split_trains_on_outlives_purging(held: set[int], reach: int, embargo: int, window: int | None) -> None:
    days, ends = [DAYS[at] for at in sorted(held)], [DAYS[at + reach] for at in sorted(held)]
    for split in equal_folds(days, 3, reach, embargo, 10, window):
        kept, test = rows_between(days, split.train_from, split.train_to), rows_between(days, split.test_from, split.test_to)
        others = np.setdiff1d(np.arange(len(days)), test)
        assert set(kept.tolist()) <= after_purge(days, ends, others, test, embargo)


@given(count=st.integers(60, 300), reach=st.integers(0, 12), embargo=st.integers(0, 12))
@law(60)
def test_an_expanding_window_leaves_out_no_more_than_purging_with_the_embargo_as_padding(count: int, reach: int, embargo: int) -> None:
    """With an axis of sessions instead of days, so that the embargo is a length of time."""
    days = DAYS[:count]
    axis = np.datetime64("2000-01-01", "ns") + np.arange(count) * np.timedelta64(1, "D")
    evaluated = axis + np.timedelta64(reach + 1, "D")
    for split in equal_folds(days, 3, reach, embargo, 10):
        test = rows_between(days, split.test_from, split.test_to)
        earlier = np.arange(test[0])
        kept = purge(earlier, test, axis, evaluated, pd.Timedelta(days=embargo))
        assert kept.tolist() == rows_between(days, split.train_from, split.train_to).tolist()


@given(
    held=st.lists(st.tuples(st.integers(0, 299), st.integers(0, 15)), min_size=8, max_size=60, unique_by=lambda pair: pair[0]),
    cuts=st.tuples(*[st.floats(0, 1)] * 4),
)
@law(300)
def test_the_guard_refuses_just_the_splits_of_which_purging_would_take_a_row(
    held: list[tuple[int, int]], cuts: tuple[float, float, float, float]
) -> None:
    days = [DAYS[at] for at, _ in sorted(held)]
    ends = [DAYS[at + reach] for at, reach in sorted(held)]
    last = len(days) - 1
    train_to = int(cuts[0] * (last - 1))
    train_from = int(cuts[1] * train_to)
    test_from = train_to + 1 + int(min(cuts[2] * 0.2, 0.99) * (last - train_to))
    test_to = test_from + int(cuts[3] * (last - test_from))
    split = Split(1, days[train_from], days[train_to], days[test_from], days[test_to])
    train, test = np.arange(train_from, train_to + 1), np.arange(test_from, test_to + 1)
    loses = len(after_purge(days, ends, train, test, 0)) < len(train)
    assert refused(split, dict(zip(days, ends, strict=True))) == loses
