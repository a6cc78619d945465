"""What a person does to the registry, carried out: read, decided, and written in one transaction with its audit rows.

``now`` is the moment (UTC) for the audit trail; decisions bear the last session that was ingested.
"""

from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Final

from stock_pipeline.core.columns import MODEL, VERSION
from stock_pipeline.core.errors import ArtefactError, InputError
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.models.reading import check_artefact
from stock_pipeline.registry import ledger
from stock_pipeline.registry.actions import promote, roll_back, switched
from stock_pipeline.registry.evidence import in_shadow, out_of_fold
from stock_pipeline.registry.lifecycle import version_of
from stock_pipeline.registry.reading import all_versions
from stock_pipeline.registry.tables import NUMBER, SHADOW, STATUS, TABLES
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores

NAMES: Final = (*(entry.name for entry in CATALOGUE), STACK)  # of all models, the stack last


def promote_by_hand(stores: Stores, settings: Settings, model: str, version: int, forced: str | None, now: datetime) -> None:
    """Promote a version, by the rule or, with a reason in ``forced``, against it; see ``actions.promote``.

    Raises:
        InputError: there is no such model or version, it is refused, or its artefact is missing or damaged.
    """
    night = _session(stores, model)
    stored = ledger.stored_registry(stores)
    stands = version_of(stored.registry.versions, model, version)[STATUS]
    _refuse_damaged(stores, model, version)
    compare = in_shadow(stores) if stands == SHADOW else out_of_fold(stores)
    after = promote(stored.registry, model, version, night, settings.registry.promotion, compare, forced)
    ledger.decide_by_hand(stores, stored, after, now)


def roll_back_by_hand(stores: Stores, model: str, version: int | None, reason: str, now: datetime) -> int:
    """Go back to the version that served before, or to the one given; returns its number. See ``actions.roll_back``.

    Raises:
        InputError: there is no such model or version, or its artefact is missing or damaged.
    """
    night = _session(stores, model)
    stored = ledger.stored_registry(stores)
    after = roll_back(stored.registry, model, version, night, reason)
    back = int(after.promotions.join(stored.registry.promotions, on=[MODEL, NUMBER], how="anti")[VERSION][0])
    _refuse_damaged(stores, model, back)
    ledger.decide_by_hand(stores, stored, after, now)
    return back


def switch_by_hand(stores: Stores, model: str, enabled: bool, reason: str, now: datetime) -> None:
    """Switch a model off or on.

    Raises:
        InputError: there is no such model, or it is so already.
    """
    change = partial(switched, model=model, enabled=enabled, night=_session(stores, model), reason=reason)
    ledger.switch_by_hand(stores, change, now)


def refuse_unknown(model: str) -> None:
    """Refuse a name that no model has.

    Raises:
        InputError: with the names that there are.
    """
    if model not in NAMES:
        raise InputError(f"there is no model {model!r}; the models are {', '.join(NAMES)}")


def _session(stores: Stores, model: str) -> date:
    """The session that a decision about the model bears."""
    refuse_unknown(model)
    session = ledger.session_reached(stores)
    stores.prepare(TABLES)
    return session


def _refuse_damaged(stores: Stores, model: str, version: int) -> None:
    row = version_of(all_versions(stores), model, version)
    try:
        check_artefact(stores.layout.models / Path(row["artefact"]), row["sha256"])
    except ArtefactError as error:
        raise InputError(f"version {version} of {model} cannot serve: {error}") from error
