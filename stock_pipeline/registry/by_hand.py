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
from stock_pipeline.registry.actions import PromotionRequest, promote, roll_back, switched
from stock_pipeline.registry.evidence import in_shadow, out_of_fold
from stock_pipeline.registry.lifecycle import version_of
from stock_pipeline.registry.reading import all_versions
from stock_pipeline.registry.registration import Registry
from stock_pipeline.registry.tables import MODEL_SWITCHES, MODEL_VERSIONS, NUMBER, PROMOTIONS, SHADOW, STATUS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Author, Stores, Write

ASSET, INGESTION = (f"{table.stage}/{table.name}" for table in (MODEL_VERSIONS, DAILY_BARS))


def promote_by_hand(stores: Stores, settings: Settings, model: str, version: int, forced: str | None, now: datetime) -> None:
    """Promote a version, by the rule or, with a reason in ``forced``, against it; see ``actions.promote``.

    Raises:
        InputError: there is no such model or version, it is refused, or its artefact is missing or damaged.
    """
    night, held = _opened(stores, model)
    stands = version_of(held.versions, model, version)[STATUS]
    _refuse_damaged(stores, model, version)
    compare = in_shadow(stores) if stands == SHADOW else out_of_fold(stores)
    wanted = PromotionRequest(model, version, night, forced)
    _write(stores, held, promote(held, wanted, settings.registry.promotion, compare), night, now)


def roll_back_by_hand(stores: Stores, model: str, version: int | None, reason: str, now: datetime) -> int:
    """Go back to the version that served before, or to the one given; returns its number. See ``actions.roll_back``.

    Raises:
        InputError: there is no such model or version, or its artefact is missing or damaged.
    """
    night, held = _opened(stores, model)
    after = roll_back(held, model, version, night, reason)
    back = int(after.promotions.join(held.promotions, on=[MODEL, NUMBER], how="anti")[VERSION][0])
    _refuse_damaged(stores, model, back)
    _write(stores, held, after, night, now)
    return back


def switch_by_hand(stores: Stores, model: str, enabled: bool, reason: str, now: datetime) -> None:
    """Switch a model off or on.

    Raises:
        InputError: there is no such model, or it is so already.
    """
    night, _ = _opened(stores, model)
    switches = stores.read(MODEL_SWITCHES)
    write = Write(MODEL_SWITCHES, switched(switches, model, enabled, night, reason), made_from=switches)
    stores.write("ml", _author(stores, now), [write], night)


def refuse_unknown(model: str) -> None:
    """Refuse a name that no model has.

    Raises:
        InputError: with the names that there are.
    """
    names = [*(entry.name for entry in CATALOGUE), STACK]
    if model not in names:
        raise InputError(f"there is no model {model!r}; the models are {', '.join(names)}")


def _opened(stores: Stores, model: str) -> tuple[date, Registry]:
    refuse_unknown(model)
    held = stores.watermark("market", INGESTION) if stores.exist else None
    if held is None:
        raise InputError(f"there is nothing in {stores.home} yet; run `stock-pipeline run` first")
    stores.migrate()
    return held.session, Registry(stores.read(MODEL_VERSIONS), stores.read(PROMOTIONS))


def _refuse_damaged(stores: Stores, model: str, version: int) -> None:
    row = version_of(all_versions(stores), model, version)
    try:
        check_artefact(stores.home / "models" / Path(row["artefact"]), row["sha256"])
    except ArtefactError as error:
        raise InputError(f"version {version} of {model} cannot serve: {error}") from error


def _write(stores: Stores, held: Registry, after: Registry, night: date, now: datetime) -> None:
    writes = (
        Write(MODEL_VERSIONS, after.versions, made_from=held.versions),
        Write(PROMOTIONS, after.promotions, made_from=held.promotions),
    )
    stores.write("ml", _author(stores, now), writes, night)


def _author(stores: Stores, now: datetime) -> Author:
    """A hand writes in the name of the registry's asset, whose tables these are; the run's name tells that it was a hand."""
    held = stores.watermark("ml", ASSET)
    return Author(ASSET, "1" if held is None else held.code_version, f"by-hand-{uuid4().hex[:12]}", now)
