from datetime import date
from itertools import product

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import MODEL, VERSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.registry.lifecycle import SignOff, active_on, active_version, apply_transition, version_of
from stock_pipeline.registry.tables import (
    ACTIVE,
    ACTIVE_FROM,
    ACTIVE_TO,
    ARCHIVED,
    CANDIDATE,
    MODEL_VERSIONS,
    PERSON,
    REASON,
    REJECTED,
    RETIRED,
    SHADOW,
    STATUS,
    STATUSES,
)
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import version_row

DAYS = sessions(12)


def versions(*statuses: str, model: str = "a") -> pl.DataFrame:
    """Versions 1, 2, ... of a model that stand so."""
    rows = []
    for number, status in enumerate(statuses, 1):
        served = status in (ACTIVE, RETIRED, ARCHIVED)
        times = {ACTIVE_FROM: DAYS[0] if served else None, ACTIVE_TO: DAYS[1] if served and status != ACTIVE else None}
        rows.append(version_row(model, number, f"{model}{number}", DAYS[0]) | {STATUS: status} | times)
    return pl.DataFrame(rows, schema=MODEL_VERSIONS.dtypes)


def to(frame: pl.DataFrame, version: int, status: str, day: date = DAYS[5]) -> pl.DataFrame:
    return apply_transition(frame, "a", version, status, SignOff(day, PERSON, "because"))


# Written out once more, so that a change of the table in the code is seen.
ALLOWED = {
    (CANDIDATE, SHADOW),
    (CANDIDATE, ACTIVE),
    (CANDIDATE, REJECTED),
    (SHADOW, ACTIVE),
    (SHADOW, REJECTED),
    (ACTIVE, RETIRED),
    (RETIRED, ACTIVE),
    (RETIRED, ARCHIVED),
    (REJECTED, ACTIVE),
    (REJECTED, ARCHIVED),
}


@pytest.mark.parametrize(("before", "after"), list(product(STATUSES, STATUSES)))
def test_a_status_follows_another_as_written_in_one_place_and_in_no_other_way(before: str, after: str) -> None:
    frame = pl.concat([versions(before, before), versions(before, model="b")])
    if (before, after) in ALLOWED:
        assert to(frame, 1, after)[STATUS].to_list() == [after, before if (before, after) != (ACTIVE, RETIRED) else ACTIVE, before]
    else:
        with pytest.raises(InputError, match=f"version 1 of a is {before}, so it cannot become {after}"):
            to(frame, 1, after)


def test_what_moves_says_when_by_whom_and_why() -> None:
    row = version_of(to(versions(CANDIDATE), 1, SHADOW), "a", 1)
    assert (row["changed_on"], row["by"], row[REASON], row[ACTIVE_FROM]) == (DAYS[5], PERSON, "because", None)


def test_one_that_comes_into_service_retires_the_one_that_was() -> None:
    found = to(pl.concat([versions(ACTIVE, SHADOW), versions(ACTIVE, model="b")]), 2, ACTIVE)
    assert found.select(MODEL, VERSION, STATUS, ACTIVE_FROM, ACTIVE_TO).rows() == [
        ("a", 1, RETIRED, DAYS[0], DAYS[5]),
        ("a", 2, ACTIVE, DAYS[5], None),
        ("b", 1, ACTIVE, DAYS[0], None),
    ]
    assert version_of(found, "a", 1)[REASON] == "version 2 took its place"


def test_one_that_comes_back_the_same_night_has_never_been_away() -> None:
    there_and_back = to(to(versions(ACTIVE, SHADOW), 2, ACTIVE), 1, ACTIVE)
    for day in DAYS:
        assert active_on(there_and_back, day)[VERSION].to_list() == [1]


def test_one_that_comes_back_later_serves_from_then_on() -> None:
    later = to(to(versions(ACTIVE, SHADOW), 2, ACTIVE, DAYS[3]), 1, ACTIVE, DAYS[6])
    assert [active_on(later, day)[VERSION].to_list() for day in (DAYS[4], DAYS[6], DAYS[9])] == [[2], [1], [1]]


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(STATUSES)), max_size=25))
def test_whatever_is_asked_at_most_one_serves_and_the_table_stays_sound(wishes: list[tuple[int, str]]) -> None:
    frame = versions(CANDIDATE, CANDIDATE, CANDIDATE, CANDIDATE)
    for place, (version, status) in enumerate(wishes):
        try:
            frame = to(frame, version, status, DAYS[place % 12])
        except InputError:
            continue
        assert frame.height == 4 and MODEL_VERSIONS.validate(frame).equals(frame)
        serving = frame.filter(pl.col(STATUS) == ACTIVE)
        assert serving.height <= 1 and serving[ACTIVE_TO].null_count() == serving.height
        assert frame.filter(pl.col(STATUS) == RETIRED)[ACTIVE_TO].null_count() == 0


def test_a_version_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InputError, match="a has no version 7; its versions are 1, 2"):
        version_of(versions(ACTIVE, REJECTED), "a", 7)
    with pytest.raises(InputError, match="b has no version 1; its versions are none"):
        version_of(versions(ACTIVE), "b", 1)
    with pytest.raises(InputError, match="a has no version 7; its versions are 1, 2, 3"):
        version_of(versions(ACTIVE, REJECTED, RETIRED).reverse(), "a", 7)


def test_the_active_version_is_one_of_the_model_itself() -> None:
    both = pl.concat([versions(RETIRED, ACTIVE), versions(ACTIVE, model="b"), versions(REJECTED, model="c")])
    found = {model: active_version(both, model) for model in "abc"}
    assert {model: row and (row[MODEL], row[VERSION]) for model, row in found.items()} == {"a": ("a", 2), "b": ("b", 1), "c": None}


@pytest.mark.parametrize(("before", "after"), sorted(pair for pair in ALLOWED if ACTIVE not in pair))
def test_the_time_of_service_stays_as_it_was_where_none_begins_or_ends(before: str, after: str) -> None:
    frame = versions(before)
    assert to(frame, 1, after).select(ACTIVE_FROM, ACTIVE_TO).equals(frame.select(ACTIVE_FROM, ACTIVE_TO))
