"""One watched run of the whole journey: checked beforehand, shown while it works, and summed up at the end."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date

import polars as pl

from stock_pipeline.backtest.tables import SUMMARY
from stock_pipeline.command_line.retraining import Training
from stock_pipeline.command_line.tables import (
    RunWatcher,
    show_backtest,
    show_drift,
    show_made,
    show_models,
    show_suggestions,
    show_web_ui,
)
from stock_pipeline.core.columns import AS_OF, SESSION, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.datasets.splits import chosen_splits
from stock_pipeline.definitions import STAGE_ASSETS, WHOLE_JOURNEY, build_definitions
from stock_pipeline.drift.tables import FEATURE_DRIFT
from stock_pipeline.labels.compute import return_reach
from stock_pipeline.market_data.catalogue import source_entry
from stock_pipeline.market_data.coverage import coverage_among
from stock_pipeline.market_data.gathering import NOTHING_HELD, chosen_sources, gather, members_told, refuse_mixing
from stock_pipeline.market_data.ingestion import Ingested
from stock_pipeline.market_data.reading import sessions_of
from stock_pipeline.market_data.tables import DAILY_BARS, SYMBOL_HISTORY, UNIVERSE_MEMBERS
from stock_pipeline.models.catalogue import STACK, parse_models
from stock_pipeline.orchestration.asset_factory import INGESTION_ASSET
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.orchestration.in_process import runner
from stock_pipeline.orchestration.progress import Event
from stock_pipeline.orchestration.stage import Key
from stock_pipeline.portfolio.profiles import PROFILES
from stock_pipeline.portfolio.reading import latest_suggestions
from stock_pipeline.registry.jobs import session_reached
from stock_pipeline.registry.status import model_status
from stock_pipeline.settings import Settings, load_settings
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline.storage.reading import Selection

TOP = 10


def run_journey(
    source: str | None,
    path: str | None,
    as_of: date | None,
    models: tuple[str, ...] | None,
    train: bool = True,
    listener: Callable[[Event], None] | None = None,
) -> bool:
    """Run every asset in order and show what was made; returns whether each of them was.

    Where a model could not be trained, the others are, and what was made without it is shown all the same.

    Without ``train`` models and stack are left as they are, and the versions in service predict. ``listener`` is told of every asset that
    begins and ends, before it is shown.

    Raises:
        InputError: something asked for cannot be had; nothing has been written.
    """
    settings = _with_models(load_settings(), models)
    stores = open_stores(settings.home, settings.lock_wait_seconds)
    _check(settings, stores, source, path, as_of)
    scope = {"source": source, "path": path, "as_of": None if as_of is None else as_of.isoformat()}
    keys = [key for key in _keys(settings) if train or key[0] != "models"]
    began = time.perf_counter()
    with RunWatcher(len([asset for asset in STAGE_ASSETS if asset.keys[0] in keys])) as watcher:
        given = {name: value for name, value in scope.items() if value is not None}
        succeeded = runner(build_definitions, WHOLE_JOURNEY)(settings, given, _in_turn(listener, watcher), keys)
    show_made(watcher.ended, watcher.stopped, time.perf_counter() - began)
    if succeeded:
        _show_results(stores)
    return succeeded and all(event.error is None for event in watcher.ended)


def run_training(models: tuple[str, ...] | None, choices: Mapping[str, int], dry_run: bool) -> bool:
    """Train models anew on what is stored, then the stack and the registry, and show how they stand; returns whether all went well.

    Args:
        models: which; all when None.
        choices: what differs from the settings for this training: sessions, folds, trials.
        dry_run: train and score the models, but write nothing, and leave the stack and the registry alone.

    Raises:
        InputError: a model is not known, or nothing has been ingested yet.
    """
    settings = load_settings()
    training = Training(settings, models, choices, dry_run)
    stores = open_stores(settings.home, settings.lock_wait_seconds)
    session_reached(stores)
    training.carry_out(runner(build_definitions, WHOLE_JOURNEY))
    training.show(stores)
    return training.went_well


def _in_turn(first: Callable[[Event], None] | None, second: Callable[[Event], None]) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        if first is not None:
            first(event)
        second(event)

    return tell


def _with_models(settings: Settings, names: tuple[str, ...] | None) -> Settings:
    chosen = names if names is not None else settings.models.names
    if chosen is not None and not chosen:
        raise InputError("--models is empty; name at least one model or leave it out")
    if chosen is None:
        return settings
    known = tuple(entry.name for entry in parse_models(chosen))
    return settings.model_copy(update={"models": settings.models.model_copy(update={"names": known})})


def _check(settings: Settings, stores: Stores, source: str | None, path: str | None, as_of: date | None) -> None:
    """Try everything that the user may have got wrong before anything is written."""
    chosen = chosen_sources(settings, source, path)
    named = ", ".join(found.name for found in chosen)
    if path is not None and not any(source_entry(found.name).takes_path for found in chosen):
        raise InputError(f"--path {path!r} was given, but source {named} reads no files of yours; give --source files with it")
    refuse_mixing(stores, chosen, settings)
    # A live source is asked once, by the run itself: asking takes minutes, and services count requests.
    if all(found.is_archive for found in chosen):
        gathered = gather(chosen, settings, NOTHING_HELD, as_of, utc_now().replace(tzinfo=UTC))
        if gathered is not None:
            _check_history(settings, stores, gathered)
            _check_coverage(settings, stores, gathered)
    held = stores.watermark("market", INGESTION_ASSET) if stores.exist else None
    if as_of is not None and held is not None and as_of < held.session:
        raise InputError(
            f"--as-of {as_of} lies before {held.session}, which {stores.home} has reached already; "
            f"to work as of an earlier session choose another directory with STOCK_PIPELINE_HOME"
        )


def _check_history(settings: Settings, stores: Stores, gathered: Ingested) -> None:
    """The last sessions have no label yet, and the others must be enough for the walk-forward splits."""
    held = sessions_of(stores, gathered.as_of) if stores.exist else []
    sessions = sorted({*held, *gathered.bars[SESSION]})
    chosen, labels = settings.datasets, settings.labels
    chosen_splits(sessions[: -return_reach(labels.horizons[0])], chosen, labels)


def _check_coverage(settings: Settings, stores: Stores, gathered: Ingested) -> None:
    """Files of which one goes on for longer than the others would bring the store to a session on which nothing can be made."""
    bars, members, history = gathered.bars.select(SYMBOL, SESSION), members_told(settings), SYMBOL_HISTORY.empty()
    if stores.exist:
        held = stores.read(DAILY_BARS, Selection(columns=(SYMBOL, SESSION), last=gathered.as_of, known_on=gathered.as_of))
        bars, history = pl.concat([bars, held]).unique(), stores.read(SYMBOL_HISTORY)
    covered = coverage_among(bars, settings.source.symbols, UNIVERSE_MEMBERS.empty() if members is None else members, history)
    required = settings.quality.minimum_coverage
    if covered.share >= required:
        return
    ends = bars.filter(pl.col(SYMBOL).is_in(list(covered.missing))).group_by(SYMBOL).agg(pl.col(SESSION).max())
    usual = ends[SESSION].mode().max()
    remedy = f"most of the others end on {usual!s}: give --as-of {usual!s}, " if usual is not None else ""
    raise InputError(
        f"{covered.expected - len(covered.missing)} of {covered.expected} expected symbols have a bar of {covered.session}, less than the "
        f"{required:.0%} that quality.minimum_coverage asks for, so nothing was written; {remedy}bring the missing bars, or lower it"
    )


def _keys(settings: Settings) -> list[Key]:
    """Every asset but the models that were not asked for."""
    names = settings.models.names
    left_out = {("models", entry.name) for entry in parse_models(())} if names is not None else set()
    kept = {("models", name) for name in (*(names or ()), STACK)}
    return [key for asset in STAGE_ASSETS for key in asset.keys if key not in left_out or key in kept]


def _show_results(stores: Stores) -> None:
    show_models(model_status(stores))
    show_suggestions(latest_suggestions(stores, PROFILES[0].name).head(TOP), PROFILES[0])
    show_backtest(_latest(stores, SUMMARY))
    show_drift(_latest(stores, FEATURE_DRIFT))
    show_web_ui()


def _latest(stores: Stores, schema: TableSchema) -> pl.DataFrame:
    rows = stores.read(schema)
    return rows.filter(pl.col(AS_OF) == pl.col(AS_OF).max())
