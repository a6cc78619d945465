from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.promotion import BETTER, BETTING_NOISE, EQUAL, NOISE, SKILL, TINY_NOISE, Made, daily_of, shares_promoted
from stock_pipeline.datasets.catalogue import JudgedBy
from stock_pipeline.registry.comparison import Comparison, compare
from stock_pipeline.registry.promotion import BestKept, judge
from stock_pipeline.registry.registration import Candidate, Registry, register
from stock_pipeline.registry.tables import ACTIVE, DECISIONS, MODEL_VERSIONS, RETIRED, STATUS
from stock_pipeline.settings import PromotionSettings
from stock_pipeline_tests.factories.comparisons import comparison
from stock_pipeline_tests.factories.panels import sessions

RULE = PromotionSettings()
GUARDS = dict.fromkeys(("not_inferior", "beats_baseline", "calibrated", "degradation_guard"), False)
OFF = RULE.model_copy(update={"tolerance": None} | GUARDS)
UNPROVEN: dict[str, Any] = {"skill_p_value": 0.2, "correlation": 0.1}  # neither skill of its own nor the active version's
WORSE = BestKept(3, 2, comparison(rank_ic=0.01, champion_rank_ic=0.03, p_value=0.02))

NIGHT = sessions(1)[0]
shares = st.floats(0, 1)


@pytest.mark.parametrize("judged_by", get_args(JudgedBy))
def test_of_200_draws_noise_hardly_ever_passes_an_equal_version_mostly_and_a_better_one_too(judged_by: JudgedBy) -> None:
    found = shares_promoted(judged_by, draws=200, seed=1)
    assert max(found[name] for name in (TINY_NOISE, NOISE, BETTING_NOISE)) <= 0.05
    assert found[EQUAL] >= 0.9
    assert found[BETTER] >= 0.8 and found[f"{BETTER} of another kind"] >= 0.8


@pytest.mark.parametrize(
    ("guard", "figures", "told"),
    [
        ("not_inferior", {"rank_ic": 0.01, "p_value": 0.04}, "rank IC 0.0100 on 250 sessions against 0.0200 of the active version, but"),
        ("not_inferior", {"p_value": 0.04}, "that is worse beyond chance (p 0.040)"),
        ("not_inferior", {"p_value": None}, "fewer than 8 sessions have a rank IC of both"),
        ("beats_baseline", UNPROVEN, "more than the zero predictor (p 0.2000; of the active version 0.0100), nor what the active"),
        ("beats_baseline", UNPROVEN | {"skill_p_value": None, "correlation": None}, "(p unknown; of the active version 0.0100)"),
        ("calibrated", {"calibration_slope": 0.01, "calibration_slope_error": 0.02}, "its calibration slope 0.01 lies below 0.05"),
        ("calibrated", {"calibration_slope": 300.0, "calibration_slope_error": 90.0}, "its calibration slope 300 lies above 20"),
    ],
)
def test_each_guard_refuses_what_passes_without_it(guard: str, figures: dict[str, Any], told: str) -> None:
    refused = judge(comparison(**figures), None, OFF.model_copy(update={guard: True}))
    assert not refused.passed and told in refused.reason
    assert judge(comparison(**figures), None, OFF).passed


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        (UNPROVEN | {"skill_p_value": 0.024}, "better than the zero predictor beyond chance (p 0.024)"),
        (UNPROVEN | {"p_value": 0.976}, "better than the active version beyond chance"),
        (UNPROVEN | {"correlation": 0.5}, "moving with it from session to session (correlation 0.50)"),
    ],
)
def test_a_version_shows_in_one_of_three_ways_that_it_knows_something(figures: dict[str, Any], told: str) -> None:
    decision = judge(comparison(**figures), None, RULE)
    assert decision.passed and decision.reason.endswith(told) and "not worse beyond chance" in decision.reason
    assert not judge(comparison(**UNPROVEN), None, RULE).passed


def test_the_active_version_is_held_to_the_same_bounds_of_calibration() -> None:
    steep = {"calibration_slope": 300.0, "calibration_slope_error": 90.0}
    as_steep = {f"champion_{name}": value for name, value in steep.items()}
    assert judge(comparison(**steep, **as_steep), None, RULE).passed
    assert not judge(comparison(**steep, **as_steep | {"champion_calibration_slope": -300.0}), None, RULE).passed
    # What one cannot tell from a slope within the bounds is none outside of them, and a loss shows a score's size itself.
    assert judge(comparison(**steep | {"calibration_slope_error": 200.0}), None, RULE).passed
    assert judge(comparison(**steep, judged_by="loss"), None, RULE).passed


@pytest.mark.parametrize(
    ("figures", "settings", "passed"),
    [
        ({"judged_by": "loss", "mse": 0.088}, {}, True),
        ({"judged_by": "loss", "mse": 0.0881}, {}, False),
        ({"judged_by": "loss", "mse": 0.0881}, {"tolerance": 0.2}, True),
        ({"judged_by": "loss", "mse": 0.5}, {"tolerance": None}, True),
        ({"judged_by": "loss", "mse": 0.01, "champion_mse": 0.0}, {}, False),
        ({"judged_by": "loss", "mse": None, "champion_mse": None}, {}, True),
        ({"mae": 0.5}, {}, True),
        ({"mae": 0.5}, {"tolerance_for": "all"}, False),
        ({"mae": 0.27}, {"tolerance_for": "all"}, True),
    ],
)
def test_the_tolerance_is_for_errors_that_mean_something_and_can_be_for_all_or_for_none(
    figures: dict[str, Any], settings: dict[str, Any], passed: bool
) -> None:
    decision = judge(comparison(**figures), None, RULE.model_copy(update=settings))
    assert decision.passed is passed
    assert passed or "larger, beyond the 10% allowed" in decision.reason


def test_a_loss_is_told_as_one() -> None:
    told = judge(comparison(judged_by="loss", mse=0.0811), None, RULE).reason
    assert told.startswith("loss 0.081100 on 250 sessions against 0.080000 of the active version: not worse beyond chance (p 0.540)")


def test_the_best_of_many_kept_is_so_by_luck_too() -> None:
    assert not judge(comparison(), WORSE, RULE).passed
    refused = judge(comparison(), WORSE, RULE).reason
    assert "it is worse beyond chance than version 3, the best of 2 kept: rank IC 0.0100 on 250 sessions against 0.0300" in refused
    assert judge(comparison(), BestKept(3, 3, WORSE.compared), RULE).passed
    assert judge(comparison(), WORSE, RULE.model_copy(update={"degradation_guard": False})).passed


@given(shares, shares, shares, st.floats(-1, 1), st.floats(-1, 1))
def test_more_evidence_never_refuses_more(p_value: float, more: float, skill: float, one: float, other: float) -> None:
    def passes(**figures: Any) -> bool:
        return judge(comparison(**figures), None, RULE).passed

    low, high = sorted((p_value, more))
    less, closer = sorted((one, other))
    assert passes(p_value=high, skill_p_value=skill, correlation=one) or not passes(p_value=low, skill_p_value=skill, correlation=one)
    assert passes(p_value=low, skill_p_value=skill, correlation=closer) or not passes(p_value=low, skill_p_value=skill, correlation=less)
    assert passes(p_value=more, skill_p_value=low, correlation=one) or not passes(p_value=more, skill_p_value=high, correlation=one)


def ten_in_a_row(lost: float, rule: PromotionSettings, seed: int) -> list[float]:
    """The skills of the versions that were active, one after another, where each retraining knows so much less than the one before."""
    common, skills = np.random.default_rng(seed).standard_normal((1, 250)), [SKILL - lost * made for made in range(11)]
    daily = [daily_of(Made(skill, correlation=0.95), common, np.random.default_rng(100 * seed + i))[0] for i, skill in enumerate(skills)]

    def compared(own: str, champion: str) -> Comparison | None:
        return compare(daily[int(own)], daily[int(champion)])

    made = [Candidate("a", str(i), NIGHT, 0.25, 0.25, float(rows["rank_ic"].to_numpy().mean())) for i, rows in enumerate(daily)]
    found = register(Registry(MODEL_VERSIONS.empty(), DECISIONS.empty()), made, NIGHT, rule, compared).versions
    return [skills[int(name)] for name in found.filter(pl.col(STATUS).is_in([ACTIVE, RETIRED]))["training_id"]]


def test_ten_retrainings_in_a_row_go_on_where_they_are_equal_and_lose_little_where_each_is_a_bit_worse() -> None:
    equal = [len(ten_in_a_row(0.0, RULE, seed)) - 1 for seed in range(20)]
    assert np.mean(equal) >= 8.5
    rules = (RULE.model_copy(update={"degradation_guard": on}) for on in (False, True))
    unguarded, guarded = (np.mean([SKILL - ten_in_a_row(0.002, rule, seed)[-1] for seed in range(20)]) for rule in rules)
    assert guarded < 0.005 and guarded < unguarded - 0.002
