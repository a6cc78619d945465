from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.registry.promotion import Candidate, active_on, decide, register
from stock_pipeline.registry.tables import ACTIVE, ACTIVE_FROM, ACTIVE_TO, MODEL_VERSIONS, REJECTED, RETIRED, STATUS
from stock_pipeline_tests.panels import sessions

DAYS = sessions(12)
TOLERANCE = 0.1
errors = st.floats(0, 10, allow_subnormal=False)
tolerances = st.floats(0, 1)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    """Trainings of two models, oldest first; several of one model may fall on one night."""
    days = draw(st.lists(st.integers(0, len(DAYS) - 1), max_size=8).map(sorted))
    made = enumerate(
        zip(days, draw(st.lists(st.tuples(st.sampled_from("ab"), errors), min_size=len(days), max_size=len(days))), strict=True)
    )
    return [Candidate(model, f"t{i}", DAYS[day], error, 0.0) for i, (day, (model, error)) in made]


def candidate(error: float | None, as_of: date = DAYS[0], training_id: str = "t1", model: str = "a") -> Candidate:
    return Candidate(model, training_id, as_of, error, 0.01)


@pytest.mark.parametrize(
    ("error", "active", "promoted", "told"),
    [
        (0.30, None, True, "no version was active"),
        (None, None, True, "no version was active"),
        (None, 0.25, False, "could not be measured"),
        (0.24, 0.25, True, "no worse"),
        (0.25, 0.25, True, "no worse"),
        (0.27, 0.25, True, "8.0% worse than 0.250000, within the 10% allowed"),
        (0.28, 0.25, False, "12.0% worse than 0.250000, beyond the 10% allowed"),
        (0.0, 0.0, True, "no worse"),
        (0.01, 0.0, False, "beyond the 10% allowed"),
        (float("nan"), 0.25, False, "beyond the 10% allowed"),
    ],
)
def test_a_decision_and_its_reason(error: float | None, active: float | None, promoted: bool, told: str) -> None:
    decision = decide(error, active, TOLERANCE)
    assert decision.promoted is promoted
    assert told in decision.reason


@given(errors, errors, errors, tolerances)
def test_a_better_candidate_is_never_refused_where_a_worse_one_is_promoted(
    better: float, worse: float, active: float, tolerance: float
) -> None:
    better, worse = sorted((better, worse))
    assert decide(better, active, tolerance).promoted or not decide(worse, active, tolerance).promoted


@given(errors, errors, tolerances, tolerances)
def test_more_tolerance_never_refuses_more(error: float, active: float, less: float, more: float) -> None:
    less, more = sorted((less, more))
    assert decide(error, active, more).promoted or not decide(error, active, less).promoted


@given(candidates(), tolerances)
def test_versions_count_from_one_and_one_of_each_model_is_active(made: list[Candidate], tolerance: float) -> None:
    versions = register(MODEL_VERSIONS.empty(), made, tolerance)
    assert MODEL_VERSIONS.conform(versions).equals(versions)
    assert sorted(versions["training_id"]) == sorted(one.training_id for one in made)
    for rows in versions.partition_by("model"):
        assert rows["version"].to_list() == list(range(1, rows.height + 1))
        assert rows[STATUS][0] != REJECTED  # the first of a model always serves
        assert rows.filter(pl.col(STATUS) == ACTIVE).height == 1


@given(candidates(), tolerances)
def test_times_of_service_follow_one_another_without_gap_or_overlap(made: list[Candidate], tolerance: float) -> None:
    versions = register(MODEL_VERSIONS.empty(), made, tolerance)
    assert versions.filter(pl.col(STATUS) == REJECTED).select(ACTIVE_FROM, ACTIVE_TO).null_count().sum_horizontal().sum() == 2 * sum(
        versions[STATUS] == REJECTED
    )
    for rows in versions.filter(pl.col(STATUS) != REJECTED).partition_by("model"):
        assert rows[ACTIVE_TO].to_list() == [*rows[ACTIVE_FROM][1:], None]
        assert rows[STATUS].to_list() == [RETIRED] * (rows.height - 1) + [ACTIVE]


@given(candidates(), st.sampled_from(DAYS))
def test_on_any_night_at_most_one_version_of_a_model_serves_and_it_was_known_by_then(made: list[Candidate], night: date) -> None:
    serving = active_on(register(MODEL_VERSIONS.empty(), made, TOLERANCE), night)
    assert serving["model"].is_unique().all()
    assert set(serving["model"]) == {one.model for one in made if one.as_of <= night}
    assert (serving["as_of"] <= night).all()


@given(candidates(), st.integers(0, 8), tolerances)
def test_registering_night_by_night_or_all_at_once_is_the_same(made: list[Candidate], cut: int, tolerance: float) -> None:
    at_once = register(MODEL_VERSIONS.empty(), made, tolerance)
    assert register(register(MODEL_VERSIONS.empty(), made[:cut], tolerance), made[cut:], tolerance).equals(at_once)
    assert register(at_once, [], tolerance).equals(at_once)


def test_a_later_night_does_not_change_which_version_served_before() -> None:
    one = register(MODEL_VERSIONS.empty(), [candidate(0.25, DAYS[2])], TOLERANCE)
    two = register(one, [candidate(0.20, DAYS[5], "t2")], TOLERANCE)
    for night in DAYS[:5]:
        assert active_on(two, night)["training_id"].to_list() == active_on(one, night)["training_id"].to_list()
    assert active_on(two, DAYS[5])["training_id"].to_list() == ["t2"]


def test_a_refused_version_is_kept_with_the_reason() -> None:
    versions = register(MODEL_VERSIONS.empty(), [candidate(0.2), candidate(0.3, DAYS[1], "t2")], TOLERANCE)
    assert versions.select("version", STATUS).rows() == [(1, ACTIVE), (2, REJECTED)]
    assert versions["reason"][1] == "error 0.300000 is 50.0% worse than 0.200000, beyond the 10% allowed"


def test_a_retired_version_does_not_judge_the_next_candidate() -> None:
    """The tolerance is granted against what serves, so that small losses cannot be compared with a better past."""
    made = [candidate(0.200), candidate(0.215, DAYS[1], "t2"), candidate(0.230, DAYS[2], "t3")]
    assert register(MODEL_VERSIONS.empty(), made, TOLERANCE)[STATUS].to_list() == [RETIRED, RETIRED, ACTIVE]


def test_a_version_whose_features_are_not_made_any_more_gives_way_to_a_worse_one() -> None:
    one = register(MODEL_VERSIONS.empty(), [candidate(0.2)], TOLERANCE)
    kept = register(one, [candidate(0.3, DAYS[1], "t2")], TOLERANCE)
    assert kept[STATUS].to_list() == [ACTIVE, REJECTED]
    replaced = register(one, [candidate(0.3, DAYS[1], "t2")], TOLERANCE, outdated=frozenset({"t1"}))
    assert replaced[STATUS].to_list() == [RETIRED, ACTIVE]
    assert replaced["reason"][1] == "the active version learned from features that are not made now"
