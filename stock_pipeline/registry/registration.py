"""Registration of new trainings as versions, and decisions on shadow versions, with their figures. Pure: rows in, rows out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import polars as pl

from stock_pipeline.core.columns import AS_OF, BASELINE_MAE, MAE, MODEL, RANK_IC, TRAINING_ID, VERSION
from stock_pipeline.datasets.catalogue import JudgedBy
from stock_pipeline.registry import tables
from stock_pipeline.registry.comparison import Comparison
from stock_pipeline.registry.lifecycle import SignOff, active_version, apply_transition
from stock_pipeline.registry.promotion import BestKept, Decision, judge
from stock_pipeline.settings import PromotionSettings

# Compares two trainings, a version's and the active one's, on the sessions that they share; None where they share none.
Compare = Callable[[str, str], Comparison | None]


@dataclass(frozen=True)
class Candidate:
    """A training that has no version yet, with its out-of-fold metrics."""

    model: str
    training_id: str
    as_of: date
    mae: float | None
    baseline_mae: float | None
    rank_ic: float | None
    tells_stocks_apart: bool = True  # whether its scores differ among the stocks of nearly every session


@dataclass(frozen=True)
class Registry:
    """The registry's two tables: the versions, and the decisions about them."""

    versions: pl.DataFrame
    decisions: pl.DataFrame

    def of_models(self, chosen: pl.Expr) -> "Registry":
        """The registry's rows of the models for which ``chosen`` holds."""
        return Registry(self.versions.filter(chosen), self.decisions.filter(chosen))

    def record_decision(
        self, version: Mapping[str, Any], decision: str, decision_basis: str, signed: SignOff, **figures: Any
    ) -> "Registry":
        """The registry with one more decision on record; statuses stay as they are.

        Args:
            version: row of MODEL_VERSIONS.
            decision: one of ``tables.DECISION_KINDS``.
            decision_basis: one of ``tables.DECISION_BASES``.
            signed: who decided, on which night, and why.
            figures: columns of DECISIONS with the figures of the decision.
        """
        of_model = self.decisions.filter(pl.col(MODEL) == version[MODEL])
        number = int(of_model[tables.NUMBER].max() or 0) + 1  # type: ignore[arg-type]
        row = dict.fromkeys(tables.DECISIONS.column_names) | {
            MODEL: version[MODEL],
            tables.NUMBER: number,
            AS_OF: signed.night,
            VERSION: version[VERSION],
            tables.DECISION: decision,
            "decision_basis": decision_basis,
            tables.BY: signed.by,
            tables.REASON: signed.reason,
            **figures,
        }
        return Registry(self.versions, tables.DECISIONS.with_row(self.decisions, row))

    def apply_decision(
        self, version: Mapping[str, Any], status: str, decision: str, decision_basis: str, signed: SignOff, **figures: Any
    ) -> "Registry":
        """The registry after a decision that gives the version a status; see ``lifecycle.apply_transition``.

        Args:
            version: row of MODEL_VERSIONS.
            status: its new status.
            decision: one of ``tables.DECISION_KINDS``.
            decision_basis: one of ``tables.DECISION_BASES``.
            signed: who decided, on which night, and why.
            figures: columns of DECISIONS with the figures of the decision.
        """
        after = Registry(apply_transition(self.versions, version[MODEL], version[VERSION], status, signed), self.decisions)
        return after.record_decision(version, decision, decision_basis, signed, **figures)


def register(
    registry: Registry,
    candidates: list[Candidate],
    night: date,
    rule: PromotionSettings,
    compare: Compare,
    unusable: Mapping[str, str] = MappingProxyType({}),
) -> Registry:
    """The registry after each candidate, in the order given, has become a version and been decided on.

    Args:
        registry: before the candidates.
        candidates: trainings without a version, oldest first.
        night: session by which the decisions are dated.
        rule: the promotion rule.
        compare: compares the candidate's training with the active one, on the same sessions out of fold.
        unusable: trainings that cannot predict, and why; an active version of one is replaced without comparison.
    """
    for candidate in candidates:
        version = _new_version(registry.versions, candidate)
        registry = Registry(tables.MODEL_VERSIONS.with_row(registry.versions, version), registry.decisions)
        active = active_version(registry.versions, candidate.model)
        if not candidate.tells_stocks_apart:
            registry = _reject_tied(registry, version, night)
        elif active is None:
            registry = _activate(registry, version, tables.FIRST_VERSION, SignOff(night, tables.AUTOMATION, "no version was active"))
        elif active[TRAINING_ID] in unusable:
            reason = f"version {active[VERSION]} cannot predict: {unusable[active[TRAINING_ID]]}"
            registry = _activate(registry, version, tables.UNUSABLE, SignOff(night, tables.AUTOMATION, reason), champion=active[VERSION])
        elif rule.mode == "shadow":
            reason = f"it predicts beside version {active[VERSION]} until {rule.shadow_sessions} sessions and "
            reason += f"{rule.shadow_predictions} predictions have outcomes"
            signed = SignOff(night, tables.AUTOMATION, reason)
            registry = registry.apply_decision(version, tables.SHADOW, tables.SHADOWING, tables.IN_SHADOW, signed, champion=active[VERSION])
        else:
            compared = compare(candidate.training_id, active[TRAINING_ID])
            registry = _judge_version(registry, version, active, compared, compare, tables.HOLDOUT, night, rule)
    return registry


def follow_members(registry: Registry, candidate: Candidate, night: date, reason: str) -> Registry:
    """The registry after a training of the stack has become its active version.

    It is compared with no other: what it weighs are active versions, each of which has been decided on.

    Args:
        registry: before the stack.
        candidate: the training; one that has a version already changes nothing.
        night: session by which the decision is dated.
        reason: what it follows, for people.
    """
    if candidate.training_id in registry.versions[TRAINING_ID]:
        return registry
    active = active_version(registry.versions, candidate.model)
    version = _new_version(registry.versions, candidate)
    registry = Registry(tables.MODEL_VERSIONS.with_row(registry.versions, version), registry.decisions)
    champion = None if active is None else active[VERSION]
    return _activate(registry, version, tables.MEMBERS, SignOff(night, tables.AUTOMATION, reason), champion=champion)


def judge_shadows(registry: Registry, night: date, rule: PromotionSettings, compare: Compare, compare_kept: Compare) -> Registry:
    """The registry after a decision on every shadow version that has enough outcomes, oldest first.

    Args:
        registry: before the decisions.
        night: session by which the decisions are dated.
        rule: the promotion rule.
        compare: compares the shadow version's training with the active one, on the nights that both predicted.
        compare_kept: compares it with one that need not have predicted lately, as for ``register``.
    """
    for version in registry.versions.filter(pl.col(tables.STATUS) == tables.SHADOW).sort(MODEL, VERSION).iter_rows(named=True):
        active = active_version(registry.versions, version[MODEL])
        if active is None:
            registry = _activate(registry, version, tables.FIRST_VERSION, SignOff(night, tables.AUTOMATION, "no version was active"))
            continue
        compared = compare(version[TRAINING_ID], active[TRAINING_ID])
        if compared is not None and _has_enough_outcomes(compared, rule):
            registry = _judge_version(registry, version, active, compared, compare_kept, tables.IN_SHADOW, night, rule)
    return registry


def _has_enough_outcomes(compared: Comparison, rule: PromotionSettings) -> bool:
    # Results of an earlier release have no loss until performance, later in the night, has measured them again.
    is_measured = compared.judged_by != "loss" or compared.mse is not None
    return is_measured and compared.sessions >= rule.shadow_sessions and compared.predictions >= rule.shadow_predictions


def verdict(
    versions: pl.DataFrame, version: Mapping[str, Any], compared: Comparison, compare: Compare, rule: PromotionSettings
) -> Decision:
    """Whether a version may replace the active one; see ``promotion.judge``.

    Args:
        versions: rows of MODEL_VERSIONS.
        version: the row of the version.
        compared: the version with the active one.
        compare: compares it with the best version kept, out of fold.
        rule: the promotion rule.
    """
    kept = kept_versions(versions, version[MODEL], compared.judged_by)
    best = None if kept.is_empty() else kept.row(0, named=True)
    if best is None or best[tables.STATUS] == tables.ACTIVE or best[VERSION] == version[VERSION]:
        return judge(compared, None, rule)
    with_best = compare(version[TRAINING_ID], best[TRAINING_ID])
    return judge(compared, None if with_best is None else BestKept(best[VERSION], kept.height, with_best), rule)


def kept_versions(versions: pl.DataFrame, model: str, judged_by: JudgedBy) -> pl.DataFrame:
    """The model's active and retired versions, the best of them by the figures of its own sessions first."""
    kept = versions.filter((pl.col(MODEL) == model) & pl.col(tables.STATUS).is_in([tables.ACTIVE, tables.RETIRED]))
    merit = -pl.col(MAE) / pl.col(BASELINE_MAE) if judged_by == "loss" else pl.col(RANK_IC)
    return kept.sort(merit, VERSION, descending=[True, True], nulls_last=True)


def _new_version(versions: pl.DataFrame, candidate: Candidate) -> dict[str, Any]:
    last = versions.filter(pl.col(MODEL) == candidate.model)[VERSION].max()
    return {
        MODEL: candidate.model,
        VERSION: int(last or 0) + 1,  # type: ignore[arg-type]
        TRAINING_ID: candidate.training_id,
        AS_OF: candidate.as_of,
        tables.STATUS: tables.CANDIDATE,
        tables.ACTIVE_FROM: None,
        tables.ACTIVE_TO: None,
        MAE: candidate.mae,
        BASELINE_MAE: candidate.baseline_mae,
        RANK_IC: candidate.rank_ic,
        "changed_on": candidate.as_of,
        tables.BY: tables.AUTOMATION,
        tables.REASON: "it awaits a decision",
    }


def _activate(registry: Registry, version: Mapping[str, Any], decision_basis: str, signed: SignOff, **figures: Any) -> Registry:
    own = {name: version[name] for name in (MAE, BASELINE_MAE, RANK_IC)}
    return registry.apply_decision(version, tables.ACTIVE, tables.PROMOTION, decision_basis, signed, **own, **figures)


def _reject_tied(registry: Registry, version: Mapping[str, Any], night: date) -> Registry:
    """Refuse a version that is no better than none, even where none is active: under tied scores every stock is as good as any other."""
    signed = SignOff(night, tables.AUTOMATION, "its scores out of fold tell no stocks apart: on too many sessions all of them tie")
    return registry.apply_decision(version, tables.REJECTED, tables.REJECTION, tables.TIED_SCORES, signed)


def _judge_version(
    registry: Registry,
    version: Mapping[str, Any],
    active: Mapping[str, Any],
    compared: Comparison | None,
    compare_kept: Compare,
    decision_basis: str,
    night: date,
    rule: PromotionSettings,
) -> Registry:
    if compared is None:
        passed, reason = False, f"it shares no session with version {active[VERSION]}, so the two cannot be compared"
    else:
        passed, reason = verdict(registry.versions, version, compared, compare_kept, rule)
    figures = {"champion": active[VERSION], **({} if compared is None else asdict(compared))}
    if passed and not rule.automatic:
        waits = SignOff(night, tables.AUTOMATION, f"it would be promoted, and waits for a person: {reason}")
        # Recorded once: a shadow version is judged every night.
        recorded = registry.decisions.filter(
            (pl.col(MODEL) == version[MODEL])
            & (pl.col(VERSION) == version[VERSION])
            & (pl.col(tables.DECISION) == tables.AWAITING_APPROVAL)
        )
        return (
            registry if recorded.height else registry.record_decision(version, tables.AWAITING_APPROVAL, decision_basis, waits, **figures)
        )
    status, outcome = (tables.ACTIVE, tables.PROMOTION) if passed else (tables.REJECTED, tables.REJECTION)
    return registry.apply_decision(version, status, outcome, decision_basis, SignOff(night, tables.AUTOMATION, reason), **figures)


def versions_to_archive(versions: pl.DataFrame, night: date, kept: int, days: int) -> pl.DataFrame:
    """The retired and rejected versions to archive: those too old, or beyond the number kept of their model.

    Active and shadow versions and candidates count among those kept and stay, whatever their age.

    Args:
        versions: rows of MODEL_VERSIONS.
        night: session from which age is counted.
        kept: number of the last versions per model that stay in place.
        days: calendar days after retirement or rejection beyond which a version is archived.
    """
    newest = pl.col(VERSION).rank("ordinal", descending=True).over(MODEL)
    aged = (pl.lit(night) - pl.col("changed_on")).dt.total_days() > days
    ended = pl.col(tables.STATUS).is_in([tables.RETIRED, tables.REJECTED])
    return versions.filter(ended & (aged | (newest > kept)))


def archive_versions(registry: Registry, gone: pl.DataFrame, night: date) -> Registry:
    """The registry after the artefacts of ``gone``, rows of MODEL_VERSIONS, have been put into the archive."""
    for version in gone.iter_rows(named=True):
        signed = SignOff(night, tables.AUTOMATION, f"it was {version[tables.STATUS]} on {version['changed_on']}")
        registry = registry.apply_decision(version, tables.ARCHIVED, tables.ARCHIVAL, tables.RETENTION, signed)
    return registry
