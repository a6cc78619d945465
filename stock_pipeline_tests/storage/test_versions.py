from datetime import date
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, SESSION, SOURCE, SYMBOL, VALUE
from stock_pipeline.storage.versions import merge_versions, notice_restatements
from stock_pipeline_tests.harness.laws import law

NIGHTS = [date(2012, 1, day) for day in range(2, 9)]
COLUMNS: dict[str, Any] = {SYMBOL: pl.String, SESSION: pl.Date, VALUE: pl.Float64, SOURCE: pl.String, KNOWN_FROM: pl.Date}
KEY, VALUES = (SYMBOL, SESSION), (VALUE,)
NOTHING = pl.DataFrame(schema=COLUMNS | {KNOWN_TO: pl.Date})
Key = tuple[str, date]
Told = dict[tuple[Key, date], float | None]  # by key and night, what the capture of that night said

FIGURES = st.none() | st.sampled_from([0.0, 1.0, 2.0])
KEYS = st.tuples(st.sampled_from("AB"), st.sampled_from(NIGHTS[:2]))
CAPTURES = st.dictionaries(st.tuples(KEYS, st.sampled_from(NIGHTS)), FIGURES, min_size=1)


def captures(told: Told) -> pl.DataFrame:
    rows = [(symbol, session, value, "files", night) for ((symbol, session), night), value in told.items()]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def woven(history: pl.DataFrame, told: Told) -> pl.DataFrame:
    """The whole table after a write of those captures: only the keys concerned are replaced."""
    made = merge_versions(history, captures(told), KEY, VALUES)
    others = history.join(made, on=list(KEY), how="anti")
    return pl.concat([others, made]).sort(*KEY, KNOWN_FROM)


def known_on(history: pl.DataFrame, night: date) -> dict[Key, float | None]:
    held = history.filter((pl.col(KNOWN_FROM) <= night) & (pl.col(KNOWN_TO).is_null() | (pl.col(KNOWN_TO) > night)))
    assert held.select(KEY).is_unique().all()
    return {(symbol, session): value for symbol, session, value in held.select(*KEY, VALUE).iter_rows()}


def truth(told: Told, night: date) -> dict[Key, float | None]:
    """The last that had been told of each key by the night."""
    return {key: value for (key, when), value in sorted(told.items(), key=lambda item: item[0][1]) if when <= night}


@law(40)
@given(told=CAPTURES)
def test_every_night_is_known_as_it_was_told(told: Told) -> None:
    history = woven(NOTHING, told)
    for night in NIGHTS:
        assert known_on(history, night) == truth(told, night)


@law(40)
@given(told=CAPTURES, random=st.randoms(use_true_random=False), cuts=st.sets(st.sampled_from(NIGHTS)))
def test_one_by_one_in_batches_shuffled_or_twice_captures_give_the_same_history(told: Told, random: Any, cuts: set[date]) -> None:
    at_once = woven(NOTHING, told)
    shuffled = list(told.items())
    random.shuffle(shuffled)
    assert woven(NOTHING, dict(shuffled)).equals(at_once)

    by_night = sorted(told.items(), key=lambda item: item[0][1])
    one_by_one = NOTHING
    for capture in by_night:
        one_by_one = woven(one_by_one, dict([capture]))
    assert one_by_one.equals(at_once)

    in_batches = NOTHING
    for first, last in pairwise([date.min, *sorted(cuts), date.max]):
        batch = {place: value for place, value in told.items() if first <= place[1] < last}
        in_batches = woven(in_batches, batch)
        assert woven(in_batches, batch).equals(in_batches)
    assert in_batches.equals(at_once)


@law(40)
@given(told=CAPTURES, random=st.randoms(use_true_random=False))
def test_telling_everything_again_mends_whatever_the_order_was_before(told: Told, random: Any) -> None:
    shuffled = list(told.items())
    random.shuffle(shuffled)
    history = NOTHING
    for capture in shuffled:
        history = woven(history, dict([capture]))
    assert woven(history, told).equals(woven(NOTHING, told))


@law(30)
@given(told=CAPTURES, random=st.randoms(use_true_random=False))
def test_captures_that_never_return_to_an_older_value_may_come_in_any_order(told: Told, random: Any) -> None:
    distinct: Told = {place: float(i) for i, place in enumerate(told)}
    shuffled = list(distinct.items())
    random.shuffle(shuffled)
    history = NOTHING
    for capture in shuffled:
        history = woven(history, dict([capture]))
    assert history.equals(woven(NOTHING, distinct))


@law(30)
@given(told=CAPTURES)
def test_versions_follow_one_another_without_gap_overlap_or_repetition(told: Told) -> None:
    for rows in woven(NOTHING, told).partition_by(KEY):
        assert rows[KNOWN_TO].to_list() == [*rows[KNOWN_FROM].to_list()[1:], None]
        assert rows[KNOWN_FROM].is_sorted()
        assert all(one != other for one, other in pairwise(rows[VALUE]))


def test_of_two_versions_known_from_one_night_the_later_told_stays() -> None:
    history = woven(NOTHING, {(("A", NIGHTS[0]), NIGHTS[0]): 1.0})
    assert woven(history, {(("A", NIGHTS[0]), NIGHTS[0]): 2.0}).rows() == [("A", NIGHTS[0], 2.0, "files", NIGHTS[0], None)]


def test_a_version_that_only_another_source_repeats_keeps_the_first_source() -> None:
    history = woven(NOTHING, {(("A", NIGHTS[0]), NIGHTS[0]): 1.0})
    repeated = captures({(("A", NIGHTS[0]), NIGHTS[3]): 1.0}).with_columns(pl.lit("other").alias(SOURCE))
    assert merge_versions(history, repeated, KEY, VALUES).equals(history)


def test_only_the_keys_told_of_are_returned() -> None:
    history = woven(NOTHING, {(("A", NIGHTS[0]), NIGHTS[0]): 1.0, (("B", NIGHTS[0]), NIGHTS[0]): 1.0})
    assert merge_versions(history, captures({(("B", NIGHTS[0]), NIGHTS[2]): 2.0}), KEY, VALUES)[SYMBOL].to_list() == ["B", "B"]
    assert merge_versions(history, captures({}), KEY, VALUES).is_empty()


# What a source without capture dates says night by night: by key, its value from its own session on; nights may be missed.
STATES = st.dictionaries(KEYS, st.lists(FIGURES, min_size=len(NIGHTS), max_size=len(NIGHTS)), min_size=1)


def said_on(states: dict[Key, list[float | None]], night: date) -> Told:
    return {(key, key[1]): values[NIGHTS.index(night)] for key, values in states.items() if key[1] <= night}


def noticed(history: pl.DataFrame, told: Told, night: date) -> pl.DataFrame:
    news = notice_restatements(history, captures(told), KEY, VALUES, night)
    return woven(history, {((row[SYMBOL], row[SESSION]), row[KNOWN_FROM]): row[VALUE] for row in news.iter_rows(named=True)})


@law(30)
@given(states=STATES, missed=st.sets(st.sampled_from(NIGHTS)))
def test_a_source_without_capture_dates_is_known_on_every_night_as_it_was_on_the_last_that_was_asked(
    states: dict[Key, list[float | None]], missed: set[date]
) -> None:
    nights = [night for night in NIGHTS if night not in missed]
    history = NOTHING
    then: dict[date, dict[Key, float | None]] = {}
    for night in nights:
        told = said_on(states, night)
        history = noticed(history, told, night)
        then[night] = {key: value for (key, _), value in told.items()}
        assert noticed(history, told, night).equals(history)
    for night, known in then.items():
        assert known_on(history, night) == known


def test_a_first_value_is_known_from_its_own_night_and_a_changed_one_from_the_night_that_noticed() -> None:
    history = noticed(NOTHING, {(("A", NIGHTS[0]), NIGHTS[0]): 1.0, (("B", NIGHTS[0]), NIGHTS[0]): 5.0}, NIGHTS[3])
    history = noticed(history, {(("A", NIGHTS[0]), NIGHTS[0]): 2.0, (("B", NIGHTS[0]), NIGHTS[0]): 5.0}, NIGHTS[5])
    assert history.rows() == [
        ("A", NIGHTS[0], 1.0, "files", NIGHTS[0], NIGHTS[5]),
        ("A", NIGHTS[0], 2.0, "files", NIGHTS[5], None),
        ("B", NIGHTS[0], 5.0, "files", NIGHTS[0], None),
    ]


def test_what_says_nothing_new_is_left_out() -> None:
    told: Told = {(("A", NIGHTS[0]), NIGHTS[0]): 1.0, (("B", NIGHTS[0]), NIGHTS[0]): None}
    history = woven(NOTHING, told)
    assert notice_restatements(history, captures(told), KEY, VALUES, NIGHTS[5]).is_empty()
    changed = notice_restatements(history, captures({**told, (("B", NIGHTS[0]), NIGHTS[0]): 1.0}), KEY, VALUES, NIGHTS[5])
    assert changed.select(SYMBOL, KNOWN_FROM).rows() == [("B", NIGHTS[5])]
    assert changed.columns == list(COLUMNS)


@pytest.mark.parametrize("tolerance", [0.0, 0.01])
def test_a_value_that_appears_or_vanishes_is_a_restatement(tolerance: float) -> None:
    appears, vanishes, stays, never = (("A", NIGHTS[0]), ("B", NIGHTS[0]), ("A", NIGHTS[1]), ("B", NIGHTS[1]))
    history = woven(NOTHING, {(appears, NIGHTS[1]): None, (vanishes, NIGHTS[1]): 1.0, (stays, NIGHTS[1]): 2.0, (never, NIGHTS[1]): None})
    told: Told = {(appears, NIGHTS[0]): 1.0, (vanishes, NIGHTS[0]): None, (stays, NIGHTS[1]): 2.0, (never, NIGHTS[1]): None}
    news = notice_restatements(history, captures(told), KEY, VALUES, NIGHTS[5], tolerance)
    assert sorted(news.select(*KEY, VALUE, KNOWN_FROM).rows()) == [(*appears, 1.0, NIGHTS[5]), (*vanishes, None, NIGHTS[5])]
    assert merge_versions(history, news, KEY, VALUES).select(SYMBOL, VALUE, KNOWN_FROM, KNOWN_TO).rows() == [
        ("A", None, NIGHTS[1], NIGHTS[5]),
        ("A", 1.0, NIGHTS[5], None),
        ("B", 1.0, NIGHTS[1], NIGHTS[5]),
        ("B", None, NIGHTS[5], None),
    ]


def test_what_repeats_the_version_in_force_is_no_news_although_it_differs_from_an_earlier_one() -> None:
    key = ("A", NIGHTS[0])
    history = woven(NOTHING, {(key, NIGHTS[0]): 1.0, (key, NIGHTS[2]): 2.0})
    assert notice_restatements(history, captures({(key, NIGHTS[0]): 2.0}), KEY, VALUES, NIGHTS[5]).is_empty()


@pytest.mark.parametrize("held", [8.0, -8.0])
@pytest.mark.parametrize(("share", "is_new"), [(0.0, False), (0.25, False), (-0.25, False), (0.26, True), (-0.26, True)])
def test_a_number_within_the_tolerance_is_the_same_and_text_is_not_measured(held: float, share: float, is_new: bool) -> None:
    keys = [("A", NIGHTS[0]), ("B", NIGHTS[0])]
    history = woven(NOTHING, {(keys[0], NIGHTS[0]): held, (keys[1], NIGHTS[0]): held})
    again = captures({(keys[0], NIGHTS[0]): held * (1 + share), (keys[1], NIGHTS[0]): held})
    assert notice_restatements(history, again, KEY, VALUES, NIGHTS[5], 0.25)[SYMBOL].to_list() == (["A"] if is_new else [])
    other_source = again.with_columns(pl.when(pl.col(SYMBOL) == "B").then(pl.lit("other")).otherwise(SOURCE).alias(SOURCE))
    changed = notice_restatements(history, other_source, KEY, (*VALUES, SOURCE), NIGHTS[5], 0.25)[SYMBOL].to_list()
    assert changed == (["A", "B"] if is_new else ["B"])


def test_a_forgotten_capture_fed_late_and_alone_stands_until_those_after_it_are_fed_again() -> None:
    key = ("A", NIGHTS[0])
    late: Told = {(key, NIGHTS[2]): 2.0}
    history = woven(woven(NOTHING, {(key, NIGHTS[0]): 1.0, (key, NIGHTS[4]): 1.0}), late)
    assert known_on(history, NIGHTS[5]) == {key: 2.0}
    assert known_on(woven(history, {(key, NIGHTS[4]): 1.0}), NIGHTS[5]) == {key: 1.0}
