"""What a hand may do with versions: promote one, go back to one, switch a model off and on. Pure: rows in, rows out."""

from dataclasses import asdict
from datetime import date
from typing import Any

import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, TRAINING_ID, VERSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.registry import tables
from stock_pipeline.registry.lifecycle import SignOff, active_version, version_of
from stock_pipeline.registry.promotion import judge
from stock_pipeline.registry.registration import Compare, Registry, best_kept
from stock_pipeline.settings import PromotionSettings


def promote(
    registry: Registry, model: str, version: int, night: date, rule: PromotionSettings, compare: Compare, forced: str | None = None
) -> Registry:
    """The registry after a hand has promoted a version on the night of a session: by the rule, or against it for the reason ``forced``.

    ``compare`` is as for ``registration.judge_shadows`` where the version is in shadow, otherwise as for ``registration.register``.

    Raises:
        InputError: there is no such version, it is in service already, rejected or archived, or the rule refuses it.
    """
    row = version_of(registry.versions, model, version)
    _refuse_status(row, forced)
    active = active_version(registry.versions, model)
    figures: dict[str, Any] = {"rival": None if active is None else active[VERSION]}
    if forced is not None:
        ground, reason = tables.FORCED, forced
    elif active is None:
        ground, reason = tables.FIRST, "no version was active"
    else:
        compared = compare(row[TRAINING_ID], active[TRAINING_ID])
        if compared is None:
            raise InputError(
                f"version {version} of {model} shares no session with version {active[VERSION]}, so the two cannot be compared; "
                "promote it all the same with --force and --reason"
            )
        ground = tables.IN_SHADOW if row[tables.STATUS] == tables.SHADOW else tables.HOLDOUT
        if ground == tables.IN_SHADOW and (compared.sessions < rule.shadow_sessions or compared.predictions < rule.shadow_predictions):
            raise InputError(
                f"version {version} of {model} has {compared.predictions} predictions of {compared.sessions} sessions with outcomes in "
                f"shadow, and needs {rule.shadow_predictions} of {rule.shadow_sessions}; wait, or promote it with --force and --reason"
            )
        passed, reason = judge(compared, best_kept(registry.versions, model), rule)
        if not passed:
            raise InputError(f"version {version} of {model} is refused: {reason}; promote it all the same with --force and --reason")
        figures |= asdict(compared)
    return registry.settled(row, tables.ACTIVE, tables.PROMOTED, ground, SignOff(night, tables.HAND, reason), **figures)


def roll_back(registry: Registry, model: str, version: int | None, night: date, reason: str) -> Registry:
    """The registry after the model has gone back to an earlier version: the one that served before, or the one given.

    Raises:
        InputError: the model has no such version, none served before, or it is not one that has served.
    """
    active = active_version(registry.versions, model)
    before = version if version is not None else _served_before(registry.versions, model, active)
    row = version_of(registry.versions, model, before)
    if row[tables.STATUS] != tables.RETIRED:
        raise InputError(
            f"version {before} of {model} is {row[tables.STATUS]}; going back takes a version that has served and is retired, "
            f"see `stock-pipeline models show {model}`"
        )
    rival = None if active is None else active[VERSION]
    return registry.settled(row, tables.ACTIVE, tables.ROLLED_BACK, tables.FORCED, SignOff(night, tables.HAND, reason), rival=rival)


def switched(switches: pl.DataFrame, model: str, enabled: bool, night: date, reason: str) -> pl.DataFrame:
    """The rows of MODEL_SWITCHES after a model has been switched on or off.

    Raises:
        InputError: it is so already.
    """
    if is_enabled(switches, model) == enabled:
        raise InputError(f"{model} is switched {'on' if enabled else 'off'} already; nothing was changed")
    row = {MODEL: model, tables.ENABLED: enabled, AS_OF: night, tables.REASON: reason}
    return tables.MODEL_SWITCHES.with_row(switches, row)


def is_enabled(switches: pl.DataFrame, model: str) -> bool:
    """Whether the model's predictions are made."""
    return switches.filter((pl.col(MODEL) == model) & ~pl.col(tables.ENABLED)).is_empty()


def _refuse_status(row: dict[str, Any], forced: str | None) -> None:
    named = f"version {row[VERSION]} of {row[MODEL]}"
    if row[tables.STATUS] == tables.ACTIVE:
        raise InputError(f"{named} is in service already; nothing was changed")
    if row[tables.STATUS] == tables.ARCHIVED:
        raise InputError(f"{named} is archived, its artefact is not in place; choose another, or train the model again")
    if row[tables.STATUS] == tables.REJECTED and forced is None:
        raise InputError(f"{named} was rejected: {row[tables.REASON]}; promote it all the same with --force and --reason")
    if row[tables.STATUS] == tables.RETIRED and forced is None:
        raise InputError(f"{named} has served and is retired; go back to it with `stock-pipeline models rollback {row[MODEL]}`")


def _served_before(versions: pl.DataFrame, model: str, active: dict[str, Any] | None) -> int:
    """The version that was retired last."""
    served = versions.filter((pl.col(MODEL) == model) & (pl.col(tables.STATUS) == tables.RETIRED))
    if active is not None:
        served = served.filter(pl.col(VERSION) < active[VERSION])
    if served.is_empty():
        raise InputError(f"{model} has no earlier version that has served, so there is none to go back to")
    return int(served.sort(tables.ACTIVE_TO, VERSION)[VERSION][-1])
