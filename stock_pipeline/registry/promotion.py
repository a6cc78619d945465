"""The rule by which a new version replaces the active one."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple

from stock_pipeline.core.serial_dependence import LEAST_SESSIONS
from stock_pipeline.registry.comparison import Comparison, interval
from stock_pipeline.settings import PromotionSettings

# Daily rank ICs of a model and its retraining correlate by more, those of a model and of noise by hardly anything.
MOVES_WITH: Final = 0.5


class Decision(NamedTuple):
    """Whether a version passes, and why."""

    passed: bool
    reason: str


@dataclass(frozen=True)
class BestKept:
    """The best version kept, where it is not the active one, and how the new version compares with it."""

    version: int
    among: int  # so many versions kept it was the best of
    compared: Comparison


def judge(compared: Comparison, best_kept: BestKept | None, rule: PromotionSettings) -> Decision:
    """Whether a version may replace the active one: by the tolerance of its error where that applies, and by each guard of the settings.

    A version need not show that it is better, for a retraining on newer data is wanted for its own sake. It must not be worse beyond
    chance, and it must know something: more than the zero predictor beyond chance, or what the active version knows. The latter shows in
    daily rank ICs that move together, and lets a model whose skill is too small for its sessions be retrained, while noise does not pass.

    Args:
        compared: the version with the active one.
        best_kept: the version with the best one kept; None: there is none but the active one, or the two share no session.
        rule: the settings.
    """
    against = f"{_figures(compared)} of the active version"
    refused = next(_refusals(compared, best_kept, rule), None)
    if refused is not None:
        return Decision(False, f"{against}, but {refused}")
    found = [f"not worse beyond chance (p {compared.p_value:.3f})"] if compared.p_value is not None else []
    if compared.equal_sessions:
        found.insert(0, f"the same scores on {compared.equal_sessions} of them, which tell of no difference")
    knows = next(_evidence(compared, rule), None)
    return Decision(True, ": ".join([against, ", and ".join([*found, *([knows] if knows else [])])]).removesuffix(": "))


def _refusals(compared: Comparison, best_kept: BestKept | None, rule: PromotionSettings) -> Iterator[str]:
    """The objections to a version, the plainest first."""
    if rule.tolerance is not None and (rule.tolerance_for == "all" or compared.judged_by == "loss"):
        change = _change_of_error(compared)
        if not change <= rule.tolerance:
            yield f"its error is {change:.2%} larger, beyond the {rule.tolerance:.0%} allowed"
    if (rule.not_inferior or rule.beats_baseline) and compared.p_value is None:
        yield f"fewer than {LEAST_SESSIONS} sessions have a {_measure(compared)} of both, too few for a test"
    if rule.not_inferior and compared.p_value is not None and compared.p_value < rule.significance:
        yield f"that is worse beyond chance (p {compared.p_value:.3f})"
    if rule.beats_baseline and next(_evidence(compared, rule), None) is None:
        yield (
            f"nothing shows that it knows more than the zero predictor (p {_shown(compared.skill_p_value)}; "
            f"of the active version {_shown(compared.champion_skill_p_value)}), nor what the active version knows "
            f"(correlation {_shown(compared.correlation, 2)})"
        )
    if rule.calibrated and compared.judged_by == "rank_ic":
        yield from _miscalibrated(compared, rule)
    if rule.degradation_guard and best_kept is not None:
        yield from _degraded(best_kept, rule)


def _evidence(compared: Comparison, rule: PromotionSettings) -> Iterator[str]:
    """What shows that a version knows something: its skill, an active version that it beats, or one that it moves with."""
    # Half of it, as of an interval of which one end is looked at: what is taken for skill should be harder to meet by chance.
    level = rule.significance / 2
    if compared.skill_p_value is not None and compared.skill_p_value < level:
        yield f"better than the zero predictor beyond chance (p {compared.skill_p_value:.3f})"
    if compared.p_value is not None and compared.p_value > 1 - level:
        yield "better than the active version beyond chance"
    if compared.equal_sessions >= LEAST_SESSIONS:
        yield "knowing what that version knows, as their equal scores show"
    if compared.correlation is not None and compared.correlation >= MOVES_WITH:
        yield f"moving with it from session to session (correlation {compared.correlation:.2f})"


def _miscalibrated(compared: Comparison, rule: PromotionSettings) -> Iterator[str]:
    """An objection where the slope lies outside of the bounds beyond chance, and that of the active version does not."""
    own = _side(compared.calibration_slope, compared.calibration_slope_error, compared.sessions, rule)
    active = _side(compared.champion_calibration_slope, compared.champion_calibration_slope_error, compared.sessions, rule)
    if own and own != active:
        bound = rule.lowest_slope if own == "below" else rule.highest_slope
        yield f"its calibration slope {compared.calibration_slope:.4g} lies {own} {bound:g} beyond chance"


def _side(slope: float | None, error: float | None, sessions: int, rule: PromotionSettings) -> str | None:
    if slope is None or error is None:
        return None
    low, high = interval(slope, error, sessions, rule.significance)
    return "below" if high < rule.lowest_slope else "above" if low > rule.highest_slope else None


def _degraded(best_kept: BestKept, rule: PromotionSettings) -> Iterator[str]:
    """An objection where the version is worse than the best one kept. The best of many is so by luck, too, so more is asked of the test."""
    compared = best_kept.compared
    if compared.p_value is not None and compared.p_value < rule.significance / best_kept.among:
        figures = f"{_figures(compared)} (p {compared.p_value:.4f})"
        yield f"it is worse beyond chance than version {best_kept.version}, the best of {best_kept.among} kept: {figures}"


def _figures(compared: Comparison) -> str:
    if compared.judged_by == "loss":
        own, other = _shown(compared.mse, 6), _shown(compared.champion_mse, 6)
    else:
        own, other = _shown(compared.rank_ic), _shown(compared.champion_rank_ic)
    return f"{_measure(compared)} {own} on {compared.sessions} sessions against {other}"


def _measure(compared: Comparison) -> str:
    return "loss" if compared.judged_by == "loss" else "rank IC"


def _change_of_error(compared: Comparison) -> float:
    own, other = (compared.mse, compared.champion_mse) if compared.judged_by == "loss" else (compared.mae, compared.champion_mae)
    if own is None or other is None:
        return 0.0
    return own / other - 1 if other else 0.0 if own == other else inf


def _shown(value: float | None, decimals: int = 4) -> str:
    return "unknown" if value is None else f"{value:.{decimals}f}"
