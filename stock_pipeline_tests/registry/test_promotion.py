import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.registry.comparison import Comparison
from stock_pipeline.registry.promotion import judge
from stock_pipeline.settings import PromotionSettings

RULE = PromotionSettings(beats_baseline=False, not_inferior=False, degradation_guard=False)
errors = st.floats(0, 10, allow_subnormal=False)
tolerances = st.floats(0, 1)


def compared(mae: float, champion: float, zero: float = 0.3, p_value: float | None = None) -> Comparison:
    return Comparison(30, 900, mae, champion, zero, 0.01, 0.03, None if p_value is None else -2.0, p_value)


@pytest.mark.parametrize(
    ("mae", "active", "passed", "told"),
    [
        (0.24, 0.25, True, "4.00% better than 0.250000"),
        (0.25, 0.25, True, "no different than 0.250000"),
        (0.27, 0.25, True, "8.00% worse than 0.250000 of the active version, within the 10% allowed"),
        (0.28, 0.25, False, "12.00% worse than 0.250000 of the active version, beyond the 10% allowed"),
        (0.0, 0.0, True, "no different"),
        (0.01, 0.0, False, "beyond the 10% allowed"),
        (float("nan"), 0.25, False, "beyond the 10% allowed"),
    ],
)
def test_the_error_may_be_worse_by_the_tolerance(mae: float, active: float, passed: bool, told: str) -> None:
    decision = judge(compared(mae, active), None, RULE)
    assert decision.passed is passed
    assert told in decision.reason


@given(errors, errors, errors, tolerances)
def test_a_better_version_is_never_refused_where_a_worse_one_passes(better: float, worse: float, active: float, tolerance: float) -> None:
    better, worse = sorted((better, worse))
    rule = RULE.model_copy(update={"tolerance": tolerance})
    assert judge(compared(better, active), None, rule).passed or not judge(compared(worse, active), None, rule).passed


@given(errors, errors, tolerances, tolerances)
def test_more_tolerance_never_refuses_more(mae: float, active: float, less: float, more: float) -> None:
    less, more = sorted((less, more))
    strict, lenient = (RULE.model_copy(update={"tolerance": tolerance}) for tolerance in (less, more))
    assert judge(compared(mae, active), None, lenient).passed or not judge(compared(mae, active), None, strict).passed


@pytest.mark.parametrize(
    ("guard", "of_version", "told"),
    [
        ("beats_baseline", compared(0.30, 0.31, zero=0.30), "predicting 0 for every stock has 0.300000"),
        ("not_inferior", compared(0.25, 0.25, p_value=0.04), "its rank IC 0.0100 is significantly lower than 0.0300 (p 0.040)"),
        ("degradation_guard", compared(0.25, 0.25, zero=0.25), "against predicting 0 it is 25.00% worse than the best version kept"),
    ],
)
def test_each_guard_refuses_what_the_error_alone_would_let_pass_unless_it_is_off(guard: str, of_version: Comparison, told: str) -> None:
    refused = judge(of_version, 0.8, RULE.model_copy(update={guard: True}))
    assert not refused.passed
    assert told in refused.reason
    assert judge(of_version, 0.8, RULE).passed


def test_a_guard_without_evidence_refuses_nothing() -> None:
    rule = RULE.model_copy(update={"not_inferior": True, "degradation_guard": True})
    assert judge(compared(0.25, 0.25, p_value=0.06), None, rule).passed
    assert judge(compared(0.25, 0.25), None, rule).passed


def test_small_slips_do_not_add_up() -> None:
    rule, mae, best = RULE.model_copy(update={"degradation_guard": True}), 0.20, 0.20 / 0.3
    for _ in range(10):
        if judge(compared(mae * 1.05, mae), best, rule).passed:
            mae *= 1.05
    assert mae <= 0.20 * 1.1
