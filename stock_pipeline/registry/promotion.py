"""The rule by which a new version replaces the active one."""

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from stock_pipeline.registry.comparison import Comparison
from stock_pipeline.settings import PromotionSettings


class Decision(NamedTuple):
    """Whether a version passes, and why."""

    passed: bool
    reason: str


def judge(compared: Comparison, best_kept: float | None, rule: PromotionSettings) -> Decision:
    """Whether a version may replace the active one, by its error and by each guard of the settings.

    ``best_kept`` is the lowest error of the versions kept, each as a multiple of the error of predicting 0 on its own sessions; None: no
    version is kept.
    """
    change = _change(compared.mae, compared.champion_mae)
    active = f"{compared.champion_mae:.6f} of the active version"
    against = f"error {compared.mae:.6f} on {compared.sessions} sessions is {_in_words(change)} than {active}"
    if not change <= rule.tolerance:
        return Decision(False, f"{against}, beyond the {rule.tolerance:.0%} allowed")
    refused = next(_refusals(compared, best_kept, rule), None)
    if refused is not None:
        return Decision(False, f"{against}, but {refused}")
    return Decision(True, against if change <= 0 else f"{against}, within the {rule.tolerance:.0%} allowed")


def _refusals(compared: Comparison, best_kept: float | None, rule: PromotionSettings) -> Iterator[str]:
    """The objections of the guards that the settings name; NaN counts as an objection."""
    if rule.beats_baseline and not compared.mae < compared.baseline_mae:
        yield f"predicting 0 for every stock has {compared.baseline_mae:.6f}"
    if rule.not_inferior and compared.p_value is not None and not compared.p_value >= rule.significance:
        yield f"its rank IC {compared.rank_ic:.4f} is significantly lower than {compared.champion_rank_ic:.4f} (p {compared.p_value:.3f})"
    if rule.degradation_guard and best_kept is not None and compared.baseline_mae:
        change = _change(compared.mae / compared.baseline_mae, best_kept)
        if not change <= rule.tolerance:
            yield f"against predicting 0 it is {_in_words(change)} than the best version kept, beyond the {rule.tolerance:.0%} allowed"


def _change(mae: float, other: float) -> float:
    return mae / other - 1 if other else 0.0 if mae == other else inf


def _in_words(change: float) -> str:
    return f"{abs(change):.2%} {'better' if change < 0 else 'worse'}" if change else "no different"
