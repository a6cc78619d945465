from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.splits import Split, check_split, split_table, splits_from_table, walk_forward

DAYS = [date(2020, 1, 1) + timedelta(days=i) for i in range(400)]


def test_the_ranges_of_a_small_case_are_as_counted_by_hand() -> None:
    splits = walk_forward(DAYS[:20], folds=2, reach=2, embargo=1, min_train=10)
    assert splits == [
        Split(1, DAYS[0], DAYS[10], DAYS[14], DAYS[16]),
        Split(2, DAYS[0], DAYS[13], DAYS[17], DAYS[19]),
    ]


@given(
    count=st.integers(20, 400),
    folds=st.integers(1, 6),
    reach=st.integers(0, 12),
    embargo=st.integers(0, 12),
    min_train=st.integers(1, 60),
    shuffled=st.randoms(use_true_random=False),
)
def test_splits_keep_the_future_out(count: int, folds: int, reach: int, embargo: int, min_train: int, shuffled: object) -> None:
    sessions = DAYS[:count] * 2
    shuffled.shuffle(sessions)  # type: ignore[attr-defined]
    if count < min_train + reach + embargo + folds:
        with pytest.raises(InputError):
            walk_forward(sessions, folds, reach, embargo, min_train)
        return
    splits = walk_forward(sessions, folds, reach, embargo, min_train)
    assert [split.fold for split in splits] == list(range(1, folds + 1))
    assert {split.train_from for split in splits} == {DAYS[0]}
    assert splits[-1].test_to == DAYS[count - 1]
    lengths = {DAYS.index(split.test_to) - DAYS.index(split.test_from) for split in splits}
    assert len(lengths) == 1
    for split in splits:
        last_train, first_test = DAYS.index(split.train_to), DAYS.index(split.test_from)
        assert last_train + 1 >= min_train
        assert last_train + reach < first_test
        assert first_test - last_train - 1 == reach + embargo
        check_split(split, sessions, reach)
    for earlier, later in pairwise(splits):
        assert DAYS.index(later.test_from) == DAYS.index(earlier.test_to) + 1


def test_too_few_sessions_says_how_many_there_are_and_are_needed() -> None:
    with pytest.raises(InputError, match=r"there are 30 sessions .* 4 walk-forward folds need 111.*bring in more history"):
        walk_forward(DAYS[:30], folds=4, reach=2, embargo=5, min_train=100)


@pytest.mark.parametrize(("name", "value"), [("folds", 0), ("reach", -1), ("embargo", -1), ("min_train", 0)])
def test_a_parameter_out_of_range_is_named(name: str, value: int) -> None:
    parameters = {"folds": 2, "reach": 2, "embargo": 1, "min_train": 10} | {name: value}
    with pytest.raises(InputError, match=f"^{name} .* is {value}"):
        walk_forward(DAYS, **parameters)


def test_the_guard_refuses_a_label_that_ends_on_the_first_test_session() -> None:
    split = Split(3, DAYS[0], DAYS[50], DAYS[53], DAYS[60])
    check_split(split, DAYS, reach=2)
    with pytest.raises(InputError, match="fold 3 trains up to 2020-02-20"):
        check_split(split, DAYS, reach=3)


def test_the_guard_counts_sessions_not_days() -> None:
    every_third = DAYS[::3]
    with pytest.raises(InputError, match="inside its test range"):
        check_split(Split(1, every_third[0], every_third[10], every_third[12], every_third[20]), every_third, reach=2)


def test_the_guard_refuses_ranges_out_of_order() -> None:
    split = walk_forward(DAYS, 1, 1, 1, 100)[0]
    with pytest.raises(InputError, match="out of order"):
        check_split(replace(split, test_to=split.train_to), DAYS, reach=1)


def test_the_table_counts_sessions_and_gives_the_splits_back() -> None:
    splits = walk_forward(DAYS, folds=3, reach=2, embargo=5, min_train=100)
    table = split_table(splits, DAYS, DAYS[-1], reach=2, embargo=5)
    assert table["test_sessions"].to_list() == [97, 97, 97]
    assert table["train_sessions"].to_list() == [102, 199, 296]
    assert table["purge"].to_list() == [2, 2, 2]
    assert splits_from_table(table.reverse()) == splits
