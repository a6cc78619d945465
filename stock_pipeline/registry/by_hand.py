"""What a hand does to the registry, carried out: read, decided, and written in one transaction with its audit rows.

``now`` is the moment (UTC) for the audit trail; decisions bear the last session that was ingested.
"""

from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

from stock_pipeline.core.columns import MODEL, VERSION
from stock_pipeline.core.errors import ArtefactError, InputError
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.models.artefacts import check_artefact
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.registry.actions import promote, roll_back, switched
from stock_pipeline.registry.evidence import in_shadow, out_of_fold
from stock_pipeline.registry.lifecycle import version_of
from stock_pipeline.registry.reading import HeldRegistry, all_versions, held_registry
from stock_pipeline.registry.tables import HAND, MODEL_SWITCHES, NUMBER, SHADOW, STATUS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Author, Stores, upsert

INGESTION = f"{DAILY_BARS.stage}/{DAILY_BARS.name}"


def promote_by_hand(stores: Stores, settings: Settings, model: str, version: int, forced: str | None, now: datetime) -> None:
    """Promote a version, by the rule or, with a reason in ``forced``, against it; see ``actions.promote``.

    Raises:
        InputError: there is no such model or version, it is refused, or its artefact is missing or damaged.
    """
    night, stored = _opened(stores, model)
    held = stored.registry
    stands = version_of(held.versions, model, version)[STATUS]
    _refuse_damaged(stores, model, version)
    compare = in_shadow(stores) if stands == SHADOW else out_of_fold(stores)
    after = promote(held, model, version, night, settings.registry.promotion, compare, forced)
    stores.write("ml", _by_hand(now), stored.writes(after), watermark=None)


def roll_back_by_hand(stores: Stores, model: str, version: int | None, reason: str, now: datetime) -> int:
    """Go back to the version that served before, or to the one given; returns its number. See ``actions.roll_back``.

    Raises:
        InputError: there is no such model or version, or its artefact is missing or damaged.
    """
    night, stored = _opened(stores, model)
    held = stored.registry
    after = roll_back(held, model, version, night, reason)
    back = int(after.promotions.join(held.promotions, on=[MODEL, NUMBER], how="anti")[VERSION][0])
    _refuse_damaged(stores, model, back)
    stores.write("ml", _by_hand(now), stored.writes(after), watermark=None)
    return back


def switch_by_hand(stores: Stores, model: str, enabled: bool, reason: str, now: datetime) -> None:
    """Switch a model off or on.

    Raises:
        InputError: there is no such model, or it is so already.
    """
    night, _ = _opened(stores, model)
    switches = stores.read_versioned(MODEL_SWITCHES)
    write = upsert(MODEL_SWITCHES, switched(switches.frame, model, enabled, night, reason), expected_version=switches.version)
    stores.write("ml", _by_hand(now), [write], watermark=None)


def refuse_unknown(model: str) -> None:
    """Refuse a name that no model has.

    Raises:
        InputError: with the names that there are.
    """
    names = [*(entry.name for entry in CATALOGUE), STACK]
    if model not in names:
        raise InputError(f"there is no model {model!r}; the models are {', '.join(names)}")


def _opened(stores: Stores, model: str) -> tuple[date, HeldRegistry]:
    refuse_unknown(model)
    held = stores.watermark("market", INGESTION) if stores.exist else None
    if held is None:
        raise InputError(f"there is nothing in {stores.home} yet; run `stock-pipeline run` first")
    stores.migrate()
    return held.session, held_registry(stores)


def _refuse_damaged(stores: Stores, model: str, version: int) -> None:
    row = version_of(all_versions(stores), model, version)
    try:
        check_artefact(stores.home / "models" / Path(row["artefact"]), row["sha256"])
    except ArtefactError as error:
        raise InputError(f"version {version} of {model} cannot serve: {error}") from error


def _by_hand(now: datetime) -> Author:
    return Author.of_person(HAND, f"by-hand-{uuid4().hex[:12]}", now)
