from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import AS_OF, MODEL, TRAINING_ID, VERSION
from stock_pipeline.registry.comparison import Comparison
from stock_pipeline.registry.registration import (
    Candidate,
    Compare,
    Registry,
    archive_versions,
    judge_shadows,
    kept_versions,
    register,
    versions_to_archive,
)
from stock_pipeline.registry.tables import (
    ACTIVE,
    ACTIVE_FROM,
    ACTIVE_TO,
    ARCHIVAL,
    ARCHIVED,
    AWAITING_APPROVAL,
    CANDIDATE,
    DECISION,
    DECISIONS,
    FIRST_VERSION,
    HOLDOUT,
    IN_SHADOW,
    MODEL_VERSIONS,
    NUMBER,
    PROMOTION,
    REASON,
    REJECTED,
    REJECTION,
    RETIRED,
    SHADOW,
    SHADOWING,
    STATUS,
    TIED_SCORES,
    UNUSABLE,
)
from stock_pipeline.settings import PromotionSettings
from stock_pipeline_tests.factories.comparisons import comparison
from stock_pipeline_tests.factories.panels import sessions

DAYS = sessions(12)
RULE = PromotionSettings(tolerance_for="all", degradation_guard=False)  # so that versions pass or not by their absolute error
IN_SHADOWS = RULE.model_copy(update={"mode": "shadow", "shadow_sessions": 20, "shadow_predictions": 100})
NOTHING = Registry(MODEL_VERSIONS.empty(), DECISIONS.empty())
errors = st.floats(0.01, 10)


def candidate(mae: float, training_id: str, as_of: date = DAYS[0], model: str = "a") -> Candidate:
    return Candidate(model, training_id, as_of, mae, 0.5, 0.01)


def by_error(made: list[Candidate], sessions_shared: int = 20, predictions: int = 400) -> Compare:
    """Trainings compared by the errors that their candidates were made with."""
    errors_of = {one.training_id: one.mae for one in made}

    def compare(own: str, champion: str) -> Comparison | None:
        mine, other = errors_of[own], errors_of[champion]
        if mine is None or other is None or not sessions_shared:
            return None
        return comparison(sessions=sessions_shared, predictions=predictions, mae=mine, champion_mae=other)

    return compare


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    """Trainings of two models, oldest first; several of one model may fall on one night."""
    days = draw(st.lists(st.integers(0, len(DAYS) - 1), max_size=8).map(sorted))
    made = draw(st.lists(st.tuples(st.sampled_from("ab"), errors), min_size=len(days), max_size=len(days)))
    return [candidate(mae, f"t{i}", DAYS[day], model) for i, (day, (model, mae)) in enumerate(zip(days, made, strict=True))]


def registered(made: list[Candidate], rule: PromotionSettings = RULE, night: date = DAYS[11]) -> Registry:
    return register(NOTHING, made, night, rule, by_error(made))


def story(registry: Registry) -> list[tuple[int, int, str, str]]:
    return registry.decisions.select(NUMBER, VERSION, DECISION, "decision_basis").rows()


@given(candidates())
def test_versions_count_from_one_and_one_of_each_model_serves(made: list[Candidate]) -> None:
    found = registered(made)
    for schema, frame in ((MODEL_VERSIONS, found.versions), (DECISIONS, found.decisions)):
        assert schema.validate(frame).equals(frame)
    assert sorted(found.versions[TRAINING_ID]) == sorted(one.training_id for one in made)
    for rows in found.versions.partition_by(MODEL):
        assert rows[VERSION].to_list() == list(range(1, rows.height + 1))
        assert rows[STATUS][0] != REJECTED  # the first of a model always serves
        assert rows.filter(pl.col(STATUS) == ACTIVE).height == 1


@given(candidates())
def test_the_decisions_tell_all_that_the_versions_are(made: list[Candidate]) -> None:
    """Who reads the decisions alone knows every status."""
    found = registered(made)
    for rows in found.decisions.partition_by(MODEL):
        assert rows[NUMBER].to_list() == list(range(1, rows.height + 1))
        promoted = rows.filter(pl.col(DECISION) == PROMOTION)[VERSION].to_list()
        told = dict.fromkeys(promoted, RETIRED) | {promoted[-1]: ACTIVE}
        told |= dict.fromkeys(rows.filter(pl.col(DECISION) == REJECTION)[VERSION], REJECTED)
        assert dict(found.versions.filter(pl.col(MODEL) == rows[MODEL][0]).select(VERSION, STATUS).iter_rows()) == told


@given(candidates(), st.integers(0, 8))
def test_registering_in_two_parts_is_registering_at_once(made: list[Candidate], cut: int) -> None:
    compare = by_error(made)
    first = register(NOTHING, made[:cut], DAYS[11], RULE, compare)
    both = register(first, made[cut:], DAYS[11], RULE, compare)
    at_once = registered(made)
    assert both.versions.equals(at_once.versions) and both.decisions.equals(at_once.decisions)


def test_a_refused_version_is_kept_and_told_with_its_figures() -> None:
    found = registered([candidate(0.2, "t1"), candidate(0.3, "t2")])
    assert found.versions.select(VERSION, STATUS).rows() == [(1, ACTIVE), (2, REJECTED)]
    assert story(found) == [(1, 1, PROMOTION, FIRST_VERSION), (2, 2, REJECTION, HOLDOUT)]
    row = found.decisions.row(1, named=True)
    assert (row["champion"], row["sessions"], row["predictions"], row["mae"], row["champion_mae"]) == (1, 20, 400, 0.3, 0.2)
    assert "its error is 50.00% larger" in row[REASON] and row[AS_OF] == DAYS[11]
    figures = ("judged_by", "calibration_slope", "champion_calibration_slope", "skill_p_value", "champion_skill_p_value", "correlation")
    assert tuple(row[name] for name in figures) == ("rank_ic", 0.8, 0.9, 0.01, 0.01, 0.9)


def test_what_cannot_be_compared_is_refused() -> None:
    made = [candidate(0.2, "t1"), candidate(0.1, "t2")]
    found = register(NOTHING, made, DAYS[3], RULE, by_error(made, sessions_shared=0))
    assert found.versions[STATUS].to_list() == [ACTIVE, REJECTED]
    assert "shares no session with version 1" in found.decisions[REASON][1]


def test_a_version_that_cannot_serve_gives_way_to_any() -> None:
    made = [candidate(0.2, "t1"), candidate(0.9, "t2")]
    found = register(NOTHING, made, DAYS[3], RULE, by_error(made), {"t1": "it is damaged"})
    assert story(found)[1] == (2, 2, PROMOTION, UNUSABLE)
    assert found.versions[STATUS].to_list() == [RETIRED, ACTIVE]
    assert found.decisions[REASON][1] == "version 1 cannot predict: it is damaged"


@pytest.mark.parametrize("rule", [RULE, IN_SHADOWS], ids=["holdout", "shadow"])
def test_a_version_that_tells_no_stocks_apart_is_refused_even_where_none_is_active(rule: PromotionSettings) -> None:
    tied = [replace(candidate(0.1, name), tells_stocks_apart=False) for name in ("t1", "t3")]
    made = [tied[0], candidate(0.2, "t2"), tied[1]]
    found = register(NOTHING, made, DAYS[3], rule, by_error(made), unusable={"t2": "it is damaged"})
    assert found.versions[STATUS].to_list() == [REJECTED, ACTIVE, REJECTED]
    assert story(found) == [(1, 1, REJECTION, TIED_SCORES), (2, 2, PROMOTION, FIRST_VERSION), (3, 3, REJECTION, TIED_SCORES)]
    assert "tell no stocks apart" in found.decisions[REASON][0] and DECISIONS.validate(found.decisions).height == 3


def test_without_automatic_promotion_a_version_that_passes_waits_for_a_person() -> None:
    rule = RULE.model_copy(update={"automatic": False})
    found = registered([candidate(0.2, "t1"), candidate(0.1, "t2"), candidate(0.9, "t3")], rule)
    assert found.versions[STATUS].to_list() == [ACTIVE, CANDIDATE, REJECTED]
    assert [row[2] for row in story(found)] == [PROMOTION, AWAITING_APPROVAL, REJECTION]


def test_in_shadow_mode_a_version_waits_for_outcomes_and_is_then_decided_on() -> None:
    made = [candidate(0.2, "t1"), candidate(0.1, "t2"), candidate(0.9, "t3")]
    waiting = registered(made, IN_SHADOWS)
    assert waiting.versions[STATUS].to_list() == [ACTIVE, SHADOW, SHADOW]
    assert [row[2] for row in story(waiting)] == [PROMOTION, SHADOWING, SHADOWING]
    early: list[Compare] = [by_error(made, 19, 400), by_error(made, 20, 99), by_error(made, 0)]
    early.append(lambda _own, _champion: comparison(judged_by="loss", mse=None))  # results of an earlier release, yet to be measured again
    for compare in early:
        assert judge_shadows(waiting, DAYS[11], IN_SHADOWS, compare, compare).versions.equals(waiting.versions)
    found = judge_shadows(waiting, DAYS[11], IN_SHADOWS, by_error(made, 20, 100), by_error(made, 20, 100))
    assert found.versions[STATUS].to_list() == [RETIRED, ACTIVE, REJECTED]
    assert story(found)[3:] == [(4, 2, PROMOTION, IN_SHADOW), (5, 3, REJECTION, IN_SHADOW)]
    assert found.decisions["champion"].to_list()[3:] == [1, 2]  # the third is compared with the one that serves by then


def test_a_shadow_that_passes_is_held_once_where_promotion_is_manual() -> None:
    made = [candidate(0.2, "t1"), candidate(0.1, "t2")]
    rule = IN_SHADOWS.model_copy(update={"automatic": False})
    once = judge_shadows(registered(made, rule), DAYS[11], rule, by_error(made), by_error(made))
    again = judge_shadows(once, DAYS[11], rule, by_error(made), by_error(made))
    assert story(again)[2:] == [(3, 2, AWAITING_APPROVAL, IN_SHADOW)]
    assert again.versions[STATUS].to_list() == [ACTIVE, SHADOW]


def test_a_shadow_whose_champion_is_gone_serves() -> None:
    waiting = registered([candidate(0.2, "t1"), candidate(0.1, "t2")], IN_SHADOWS)
    alone = Registry(waiting.versions.filter(pl.col(VERSION) == 2), waiting.decisions)
    assert judge_shadows(alone, DAYS[11], IN_SHADOWS, by_error([]), by_error([])).versions[STATUS].to_list() == [ACTIVE]


@pytest.mark.parametrize(
    ("statuses", "best"),
    [((ACTIVE, RETIRED, REJECTED), [2, 1]), ((RETIRED, REJECTED, RETIRED), [3, 1]), ((REJECTED, ARCHIVED, SHADOW), [])],
)
def test_the_best_version_kept_has_been_active_and_is_not_archived(statuses: tuple[str, ...], best: list[int]) -> None:
    rows = registered([candidate(0.4, "t1"), candidate(0.2, "t2"), candidate(0.3, "t3")]).versions
    ranked = rows.with_columns(pl.Series(STATUS, statuses), pl.Series("rank_ic", [0.01, 0.02, 0.03]))
    assert kept_versions(ranked, "a", "rank_ic")[VERSION].to_list() == best
    by_loss = kept_versions(ranked.with_columns(pl.Series("rank_ic", [0.3, 0.2, 0.1])), "a", "loss")
    assert by_loss[VERSION].to_list() == best


def test_a_version_is_compared_with_the_best_one_kept_where_that_is_not_the_active_one() -> None:
    made = [candidate(0.2, "t1"), candidate(0.2, "t2"), candidate(0.2, "t3")]
    asked = list[tuple[str, str]]()

    def compare(own: str, champion: str) -> Comparison | None:
        asked.append((own, champion))
        return comparison(p_value=0.01 if champion == "t1" and own == "t3" else 0.5)

    rule = RULE.model_copy(update={"degradation_guard": True})
    made = [replace(one, rank_ic=rank_ic) for one, rank_ic in zip(made, (0.03, 0.02, 0.02), strict=True)]
    found = register(NOTHING, made, DAYS[11], rule, compare)
    assert asked == [("t2", "t1"), ("t3", "t2"), ("t3", "t1")]
    assert found.versions[STATUS].to_list() == [RETIRED, ACTIVE, REJECTED]
    assert "worse beyond chance than version 1, the best of 2 kept" in found.decisions[REASON][2]


def test_versions_are_archived_by_count_and_by_age_but_never_those_that_are_needed() -> None:
    made = [candidate(0.5 - 0.01 * place, f"t{place}", DAYS[place]) for place in range(6)]
    found = Registry(*(getattr(registered(made), name) for name in ("versions", "decisions")))
    statuses = [RETIRED, SHADOW, RETIRED, REJECTED, RETIRED, ACTIVE]
    days = [DAYS[place] for place in range(6)]
    versions = found.versions.with_columns(pl.Series(STATUS, statuses), pl.Series("changed_on", days))
    age = (DAYS[11] - DAYS[2]).days
    assert versions_to_archive(versions, DAYS[11], kept=30, days=age)[VERSION].to_list() == [1]
    assert versions_to_archive(versions, DAYS[11], kept=3, days=999)[VERSION].to_list() == [1, 3]
    assert versions_to_archive(versions, DAYS[11], kept=1, days=1)[VERSION].to_list() == [1, 3, 4, 5]
    kept = Registry(versions, found.decisions)
    after = archive_versions(kept, versions_to_archive(versions, DAYS[11], 3, 999), DAYS[11])
    assert after.versions[STATUS].to_list() == [ARCHIVED, SHADOW, ARCHIVED, REJECTED, RETIRED, ACTIVE]
    assert [row[1:3] for row in story(after)[-2:]] == [(1, ARCHIVAL), (3, ARCHIVAL)]
    assert after.versions.select(ACTIVE_FROM, ACTIVE_TO).equals(versions.select(ACTIVE_FROM, ACTIVE_TO))
