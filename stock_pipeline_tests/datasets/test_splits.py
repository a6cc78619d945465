from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.splits import (
    FEWEST_TO_TRAIN,
    INNER_FOLDS,
    Lengths,
    Split,
    check_split,
    chosen_splits,
    fold_lengths,
    inner_splits,
    shortened,
    split_table,
    splits_from_table,
    walk_forward,
)
from stock_pipeline.settings import DatasetSettings, LabelSettings
from stock_pipeline_tests.harness.laws import law

DAYS = [date(2020, 1, 1) + timedelta(days=i) for i in range(500)]


def ends(reach: int) -> dict[date, date]:
    """When the label of each day is known, where every day is a session."""
    return dict(zip(DAYS, DAYS[reach:], strict=False))


def test_the_ranges_of_a_small_case_are_as_counted_by_hand() -> None:
    splits = walk_forward(DAYS[:20], folds=2, reach=2, embargo=1, lengths=Lengths(11, 3))
    assert splits == [
        Split(1, DAYS[0], DAYS[10], DAYS[14], DAYS[16]),
        Split(2, DAYS[0], DAYS[13], DAYS[17], DAYS[19]),
    ]


def test_a_rolling_window_begins_so_many_sessions_before_its_end() -> None:
    splits = walk_forward(DAYS[:20], folds=2, reach=2, embargo=1, lengths=Lengths(11, 3), train_sessions=12)
    assert splits == [
        Split(1, DAYS[0], DAYS[10], DAYS[14], DAYS[16]),  # there are but 11
        Split(2, DAYS[2], DAYS[13], DAYS[17], DAYS[19]),
    ]


def test_the_newest_fold_grows_until_it_is_whole_and_then_the_oldest_is_dropped() -> None:
    nights = {count: walk_forward(DAYS[:count], folds=2, reach=2, embargo=1, lengths=Lengths(11, 3)) for count in range(20, 24)}
    tested = {count: [(split.fold, split.test_from, split.test_to) for split in splits] for count, splits in nights.items()}
    assert tested == {
        20: [(1, DAYS[14], DAYS[16]), (2, DAYS[17], DAYS[19])],
        21: [(1, DAYS[17], DAYS[19]), (2, DAYS[20], DAYS[20])],
        22: [(1, DAYS[17], DAYS[19]), (2, DAYS[20], DAYS[21])],
        23: [(1, DAYS[17], DAYS[19]), (2, DAYS[20], DAYS[22])],
    }
    assert nights[20][1].train_to == nights[21][0].train_to == DAYS[13]


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        (1021, (504, 126)),
        (1020, (378, 94)),
        (250, (119, 29)),  # of a year: a first training range of half of it
        (40, (20, 2)),
        (33, (20, 1)),
    ],
)
def test_on_a_short_history_folds_are_shortened_in_step(available: int, expected: tuple[int, int]) -> None:
    assert fold_lengths(available, 4, 13 if available > 100 else 9, Lengths(504, 126)) == Lengths(*expected)


@given(
    count=st.integers(20, 400),
    folds=st.integers(1, 6),
    reach=st.integers(0, 12),
    embargo=st.integers(0, 12),
    asked=st.builds(Lengths, st.integers(1, 60), st.integers(1, 40)),
    window=st.none() | st.integers(1, 160),
    shuffled=st.randoms(use_true_random=False),
)
@law(200)
def test_splits_keep_the_future_out(
    count: int, folds: int, reach: int, embargo: int, asked: Lengths, window: int | None, shuffled: object
) -> None:
    sessions = DAYS[:count] * 2
    shuffled.shuffle(sessions)  # type: ignore[attr-defined]
    least = min(asked.train, FEWEST_TO_TRAIN)
    if count < least + reach + embargo + folds:
        with pytest.raises(InputError):
            walk_forward(sessions, folds, reach, embargo, asked, window)
        return
    splits = walk_forward(sessions, folds, reach, embargo, asked, window)
    assert [split.fold for split in splits] == list(range(1, folds + 1))
    assert splits[-1].test_to == DAYS[count - 1]
    *whole, newest = [DAYS.index(split.test_to) - DAYS.index(split.test_from) + 1 for split in splits]
    assert len(set(whole)) <= 1 and 1 <= newest <= min([*whole, asked.test])
    for split in splits:
        first_train, last_train, first_test = (DAYS.index(day) for day in (split.train_from, split.train_to, split.test_from))
        available = last_train + 1
        assert last_train - first_train + 1 == (available if window is None else min(window, available))
        assert available >= least
        assert last_train + reach < first_test
        assert first_test - last_train - 1 == reach + embargo
        check_split(split, ends(reach))
    for earlier, later in pairwise(splits):
        assert DAYS.index(later.test_from) == DAYS.index(earlier.test_to) + 1


@given(count=st.integers(60, 400), more=st.integers(1, 60))
@law(100)
def test_folds_stay_as_they_are_while_sessions_are_added_and_lengths_are_kept(count: int, more: int) -> None:
    asked, gap = Lengths(60, 20), 5
    before, after = (walk_forward(DAYS[:held], 4, 3, 2, asked) for held in (count, count + more))
    if fold_lengths(count, 4, gap, asked) == fold_lengths(count + more, 4, gap, asked):
        kept = {split.test_from: split for split in before[:-1]}
        for split in after:
            if split.test_from in kept:
                assert replace(split, fold=0) == replace(kept[split.test_from], fold=0)


@given(
    held=st.sets(st.integers(0, 299), min_size=60, max_size=250),
    reach=st.integers(0, 12),
    embargo=st.integers(0, 12),
    window=st.none() | st.integers(10, 60),
)
@law(100)
def test_sessions_without_labels_let_no_label_reach_into_a_test(held: set[int], reach: int, embargo: int, window: int | None) -> None:
    """A label ends so many of the exchange's sessions later, whichever of those have labels themselves."""
    for split in walk_forward([DAYS[position] for position in held], 3, reach, embargo, Lengths(10, 12), window):
        check_split(split, ends(reach))
        assert DAYS.index(split.test_from) - DAYS.index(split.train_to) > reach + embargo


def test_too_few_sessions_says_how_many_there_are_and_are_needed() -> None:
    with pytest.raises(InputError, match=r"there are 30 sessions .* 4 walk-forward folds need 31: 20 to train on, 7 for .*bring in more"):
        walk_forward(DAYS[:30], folds=4, reach=2, embargo=5, lengths=Lengths(100, 20))
    assert len(walk_forward(DAYS[:31], folds=4, reach=2, embargo=5, lengths=Lengths(100, 20))) == 4


@pytest.mark.parametrize(("name", "value"), [("folds", 0), ("reach", -1), ("embargo", -1), ("train_sessions", 0)])
def test_a_parameter_out_of_range_is_named(name: str, value: int) -> None:
    parameters = {"folds": 2, "reach": 2, "embargo": 1} | {name: value}
    with pytest.raises(InputError, match=f"^{name} .* is {value}"):
        walk_forward(DAYS, lengths=Lengths(10, 5), **parameters)


@pytest.mark.parametrize(("lengths", "what"), [(Lengths(0, 5), "first training range"), (Lengths(5, 0), "test range")])
def test_a_length_out_of_range_is_named(lengths: Lengths, what: str) -> None:
    with pytest.raises(InputError, match=f"^{what} .* is 0"):
        walk_forward(DAYS, 2, 2, 1, lengths)


def test_the_guard_refuses_a_label_that_ends_on_the_first_test_session() -> None:
    split = Split(3, DAYS[0], DAYS[50], DAYS[53], DAYS[60])
    check_split(split, ends(2))
    with pytest.raises(InputError) as caught:
        check_split(split, ends(4))
    assert str(caught.value) == (
        "fold 3 trains up to 2020-02-20, but the labels of 2 of its sessions, from 2020-02-19 on, are not known before its test range: "
        "those of 2020-02-20 on 2020-02-24, its test range starts on 2020-02-23; make the splits with walk_forward and the reach of the "
        "labels' longest horizon"
    )


def test_the_settings_choose_the_splits_and_the_longest_label_purges_them() -> None:
    chosen, asked = DatasetSettings(folds=2, embargo=4, minimum_train_sessions=60, fold_sessions=50), Lengths(60, 50)
    of_returns, of_volatility = LabelSettings(horizons=(1, 5), volatility_horizon=3), LabelSettings(horizons=(1,), volatility_horizon=9)
    assert chosen_splits(DAYS[:200], chosen, of_returns) == walk_forward(DAYS[:200], 2, 6, 4, asked)
    assert chosen_splits(DAYS[:200], chosen, of_volatility) == walk_forward(DAYS[:200], 2, 9, 4, asked)


@pytest.mark.parametrize(("sessions", "first"), [(None, 0), (500, 0), (150, 50), (200, 0)])
def test_of_the_sessions_the_last_so_many_are_split(sessions: int | None, first: int) -> None:
    chosen = DatasetSettings(folds=2, embargo=4, minimum_train_sessions=60, fold_sessions=30, sessions=sessions, train_sessions=70)
    splits = chosen_splits([*reversed(DAYS[:200]), *DAYS[:50]], chosen, LabelSettings(horizons=(1,), volatility_horizon=5))
    assert splits == walk_forward(DAYS[first:200], 2, 5, 4, Lengths(60, 30), 70)


def test_a_window_shorter_than_the_first_training_range_is_all_that_is_asked_for() -> None:
    chosen = DatasetSettings(folds=2, embargo=4, minimum_train_sessions=90, fold_sessions=30, train_sessions=40)
    splits = chosen_splits(DAYS[:120], chosen, LabelSettings(horizons=(1,), volatility_horizon=5))
    assert splits == walk_forward(DAYS[:120], 2, 5, 4, Lengths(40, 30), 40)


def test_shorter_folds_than_asked_for_are_told() -> None:
    chosen, labels = DatasetSettings(folds=4), LabelSettings(horizons=(1, 5))
    assert shortened(DAYS[:250], chosen, labels) == (
        "the 250 sessions with labels are too few for the folds of the settings: each tests 29 sessions instead of 126, and the first "
        "trains on 119 or more instead of 504"
    )
    assert shortened(DAYS[:250], DatasetSettings(folds=4, minimum_train_sessions=119, fold_sessions=29), labels) is None


def test_inner_folds_lie_within_the_first_training_range_and_are_purged() -> None:
    chosen, labels = DatasetSettings(folds=2, embargo=4, minimum_train_sessions=200, fold_sessions=50), LabelSettings(horizons=(1, 5))
    outer = chosen_splits(DAYS, chosen, labels)[0]
    inner = inner_splits(DAYS, outer, chosen, labels)
    assert len(inner) == INNER_FOLDS and inner[-1].test_to == outer.train_to and inner[0].train_from == outer.train_from
    for split in inner:
        check_split(split, ends(6))
    with pytest.raises(InputError, match=r"splits the 21 sessions that the first fold trains on into 3 folds, .*set models.tuning_trials"):
        inner_splits(DAYS, replace(outer, train_to=DAYS[20]), chosen, labels)


@given(early=st.integers(0, 49), late=st.integers(0, 20))
@law(60)
def test_the_guard_refuses_every_planted_overlap(early: int, late: int) -> None:
    split = Split(1, DAYS[10], DAYS[50], DAYS[54], DAYS[60])
    planted = ends(3) | {DAYS[early]: DAYS[54 + late]}
    if early < 10:  # it is not trained on
        check_split(split, planted)
        return
    with pytest.raises(InputError, match=f"from {DAYS[early]} on, are not known before its test range"):
        check_split(split, planted)


def test_the_guard_compares_dates_and_does_not_count_the_sessions_that_have_labels() -> None:
    every_third = {day: end for day, end in ends(2).items() if DAYS.index(day) % 3 == 0}
    split = Split(1, DAYS[0], DAYS[30], DAYS[33], DAYS[60])
    check_split(split, every_third)
    with pytest.raises(InputError, match="those of 2020-01-31 on 2020-02-03"):
        check_split(split, every_third | {DAYS[30]: DAYS[33]})


@pytest.mark.parametrize("position", [0, 50])
def test_the_guard_refuses_what_it_is_not_told_the_ends_of(position: int) -> None:
    told = {day: end for day, end in ends(2).items() if day != DAYS[position]}
    with pytest.raises(InputError, match=f"not known when the labels of {DAYS[position]} end; make labels and splits again"):
        check_split(Split(1, DAYS[0], DAYS[50], DAYS[53], DAYS[60]), told)


def test_the_guard_refuses_ranges_out_of_order() -> None:
    split = walk_forward(DAYS, 1, 1, 1, Lengths(100, 40))[0]
    for wrong in (replace(split, test_to=split.train_to), replace(split, train_from=split.test_from)):
        with pytest.raises(InputError, match="out of order"):
            check_split(wrong, ends(1))


@pytest.mark.parametrize(("train_sessions", "window", "counts"), [(None, "expanding", [136, 252, 368]), (150, "rolling", [136, 150, 150])])
def test_the_table_counts_sessions_and_gives_the_splits_back(train_sessions: int | None, window: str, counts: list[int]) -> None:
    chosen = DAYS[:491]
    splits = walk_forward(chosen, 3, 2, 5, Lengths(136, 116), train_sessions)
    table = split_table(splits, chosen, chosen[-1], reach=2, embargo=5, train_sessions=train_sessions)
    assert table["test_sessions"].to_list() == [116, 116, 116]
    assert table["train_sessions"].to_list() == counts
    assert table["window"].to_list() == [window] * 3
    assert table["purge"].to_list() == [2, 2, 2]
    assert splits_from_table(table.reverse()) == splits
