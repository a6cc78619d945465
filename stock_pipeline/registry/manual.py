"""Manual decisions on the registry, each written in one transaction with its audit rows.

``now`` is the moment (UTC) for the audit trail; decisions are dated by the last session ingested.
"""

from dataclasses import asdict
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, TRAINING_ID, VERSION
from stock_pipeline.core.errors import ArtefactError, InputError
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.models.reading import check_artefact
from stock_pipeline.registry import ledger, tables
from stock_pipeline.registry.comparison_data import in_shadow, out_of_fold
from stock_pipeline.registry.lifecycle import SignOff, active_version, version_of
from stock_pipeline.registry.reading import all_versions
from stock_pipeline.registry.registration import Compare, Registry, verdict
from stock_pipeline.settings import PromotionSettings, Settings
from stock_pipeline.storage import Stores

NAMES: Final = (*(entry.name for entry in CATALOGUE), STACK)  # of all models, the stack last


def promote_version(stores: Stores, settings: Settings, model: str, version: int, forced: str | None, now: datetime) -> None:
    """Promote a version, by the rule or by force; see ``promote``.

    Args:
        stores: both stores.
        settings: for the promotion rule.
        model: name of the model.
        version: number of the version.
        forced: the reason to promote against the rule; None: the rule decides.
        now: the moment, UTC.

    Raises:
        InputError: there is no such model or version, it is the stack's, it does not pass, or its artefact is missing or damaged.
    """
    _refuse_stack(model)
    night = _session(stores, model)
    stored = ledger.stored_registry(stores)
    stands = version_of(stored.registry.versions, model, version)[tables.STATUS]
    _refuse_damaged(stores, model, version)
    holdout = out_of_fold(stores)
    compare = in_shadow(stores) if stands == tables.SHADOW else holdout
    after = promote(stored.registry, model, version, night, settings.registry.promotion, compare, holdout, forced)
    ledger.write_manual_decision(stores, stored, after, now)


def roll_back_version(stores: Stores, model: str, version: int | None, reason: str, now: datetime) -> int:
    """Go back to an earlier version, and return its number; see ``roll_back``.

    Args:
        stores: both stores.
        model: name of the model.
        version: number of the version; None: the one that was active before.
        reason: for the record.
        now: the moment, UTC.

    Raises:
        InputError: there is no such model or version, it is the stack's, or its artefact is missing or damaged.
    """
    _refuse_stack(model)
    night = _session(stores, model)
    stored = ledger.stored_registry(stores)
    after = roll_back(stored.registry, model, version, night, reason)
    back = int(after.decisions.join(stored.registry.decisions, on=[MODEL, tables.NUMBER], how="anti")[VERSION][0])
    _refuse_damaged(stores, model, back)
    ledger.write_manual_decision(stores, stored, after, now)
    return back


def set_enabled(stores: Stores, model: str, enabled: bool, reason: str, now: datetime) -> None:
    """Switch a model off or on.

    Args:
        stores: both stores.
        model: name of the model.
        enabled: whether it is enabled.
        reason: for the record.
        now: the moment, UTC.

    Raises:
        InputError: there is no such model, or it is enabled or disabled already.
    """
    change = partial(with_enablement, model=model, enabled=enabled, night=_session(stores, model), reason=reason)
    ledger.set_enabled(stores, change, now)


def refuse_unknown(model: str) -> None:
    """Refuse the name of an unknown model.

    Raises:
        InputError: there is no such model; the sentence lists the models.
    """
    if model not in NAMES:
        raise InputError(f"there is no model {model!r}; the models are {', '.join(NAMES)}")


def _refuse_stack(model: str) -> None:
    if model == STACK:
        raise InputError(
            "the stack follows the active versions of its models, so none of its own versions is chosen; promote or roll back a version of "
            "one of them, or disable that model"
        )


def _session(stores: Stores, model: str) -> date:
    """The session by which a decision about the model is dated."""
    refuse_unknown(model)
    session = ledger.session_reached(stores)
    stores.prepare(tables.TABLES)
    return session


def _refuse_damaged(stores: Stores, model: str, version: int) -> None:
    row = version_of(all_versions(stores), model, version)
    try:
        check_artefact(stores.layout.models / Path(row["artefact"]), row["sha256"])
    except ArtefactError as error:
        raise InputError(f"version {version} of {model} cannot be active: {error}") from error


def promote(
    registry: Registry,
    model: str,
    version: int,
    night: date,
    rule: PromotionSettings,
    compare: Compare,
    compare_kept: Compare,
    forced: str | None = None,
) -> Registry:
    """The registry after a person has promoted a version, by the rule or by force.

    Args:
        registry: before the decision.
        model: name of the model.
        version: number of the version.
        night: session by which the decision is dated.
        rule: the promotion rule.
        compare: of a shadow version as for ``registration.judge_shadows``, else as for ``registration.register``.
        compare_kept: as for ``registration.judge_shadows``.
        forced: the reason to promote against the rule; None: the rule decides.

    Raises:
        InputError: there is no such version, it is active already, rejected or archived, or it does not pass the rule.
    """
    row = version_of(registry.versions, model, version)
    _refuse_status(row, forced)
    active = active_version(registry.versions, model)
    figures: dict[str, Any] = {"champion": None if active is None else active[VERSION]}
    if forced is not None:
        decision_basis, reason = tables.OVERRIDE, forced
    elif active is None:
        decision_basis, reason = tables.FIRST_VERSION, "no version was active"
    else:
        compared = compare(row[TRAINING_ID], active[TRAINING_ID])
        if compared is None:
            raise InputError(
                f"version {version} of {model} shares no session with version {active[VERSION]}, so the two cannot be compared; "
                "promote it anyway with --force and --reason"
            )
        decision_basis = tables.IN_SHADOW if row[tables.STATUS] == tables.SHADOW else tables.HOLDOUT
        if decision_basis == tables.IN_SHADOW and (
            compared.sessions < rule.shadow_sessions or compared.predictions < rule.shadow_predictions
        ):
            raise InputError(
                f"version {version} of {model} has {compared.predictions} predictions of {compared.sessions} sessions with outcomes in "
                f"shadow, and needs {rule.shadow_predictions} of {rule.shadow_sessions}; wait, or promote it with --force and --reason"
            )
        passed, reason = verdict(registry.versions, row, compared, compare_kept, rule)
        if not passed:
            raise InputError(f"version {version} of {model} does not pass: {reason}; promote it anyway with --force and --reason")
        figures |= asdict(compared)
    return registry.apply_decision(row, tables.ACTIVE, tables.PROMOTION, decision_basis, SignOff(night, tables.PERSON, reason), **figures)


def roll_back(registry: Registry, model: str, version: int | None, night: date, reason: str) -> Registry:
    """The registry after the model has gone back to an earlier version.

    Args:
        registry: before the decision.
        model: name of the model.
        version: number of the version; None: the one that was active before.
        night: session by which the decision is dated.
        reason: for the record.

    Raises:
        InputError: the model has no such version, none was active before, or it is not a retired one.
    """
    active = active_version(registry.versions, model)
    before = version if version is not None else _active_before(registry.versions, model, active)
    row = version_of(registry.versions, model, before)
    if row[tables.STATUS] != tables.RETIRED:
        raise InputError(
            f"version {before} of {model} is {row[tables.STATUS]}; only a retired version can be rolled back to, "
            f"see `stock-pipeline models show {model}`"
        )
    champion = None if active is None else active[VERSION]
    return registry.apply_decision(
        row, tables.ACTIVE, tables.ROLLBACK, tables.OVERRIDE, SignOff(night, tables.PERSON, reason), champion=champion
    )


def with_enablement(enablement: pl.DataFrame, model: str, enabled: bool, night: date, reason: str) -> pl.DataFrame:
    """The rows of MODEL_ENABLEMENT after a model has been enabled or off.

    Args:
        enablement: rows of MODEL_ENABLEMENT.
        model: name of the model.
        enabled: whether it is enabled.
        night: session by which the change is dated.
        reason: for the record.

    Raises:
        InputError: it is enabled or disabled already.
    """
    if is_enabled(enablement, model) == enabled:
        raise InputError(f"{model} is {'enabled' if enabled else 'disabled'} already; nothing was changed")
    row = {MODEL: model, tables.ENABLED: enabled, AS_OF: night, tables.REASON: reason}
    return tables.MODEL_ENABLEMENT.with_row(enablement, row)


def is_enabled(enablement: pl.DataFrame, model: str) -> bool:
    """Whether the model's predictions are made."""
    return enablement.filter((pl.col(MODEL) == model) & ~pl.col(tables.ENABLED)).is_empty()


def _refuse_status(row: dict[str, Any], forced: str | None) -> None:
    named = f"version {row[VERSION]} of {row[MODEL]}"
    if row[tables.STATUS] == tables.ACTIVE:
        raise InputError(f"{named} is active already; nothing was changed")
    if row[tables.STATUS] == tables.ARCHIVED:
        raise InputError(f"{named} is archived, so its artefact is not in place; choose another, or train the model again")
    if row[tables.STATUS] == tables.REJECTED and forced is None:
        raise InputError(f"{named} was rejected: {row[tables.REASON]}; promote it anyway with --force and --reason")
    if row[tables.STATUS] == tables.RETIRED and forced is None:
        raise InputError(f"{named} was active before and is retired; go back to it with `stock-pipeline models rollback {row[MODEL]}`")


def _active_before(versions: pl.DataFrame, model: str, active: dict[str, Any] | None) -> int:
    """The version that was retired last."""
    retired = versions.filter((pl.col(MODEL) == model) & (pl.col(tables.STATUS) == tables.RETIRED))
    if active is not None:
        retired = retired.filter(pl.col(VERSION) < active[VERSION])
    if retired.is_empty():
        raise InputError(f"{model} has no earlier version that was active, so there is none to go back to")
    return int(retired.sort(tables.ACTIVE_TO, VERSION)[VERSION][-1])
