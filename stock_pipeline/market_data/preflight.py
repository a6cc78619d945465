"""Checks of the user's sources and files, made before anything is written."""

from datetime import UTC, date, datetime

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.acquisition import NOTHING_HELD, chosen_sources, gather, refuse_mixing, reported_members
from stock_pipeline.market_data.catalogue import source_entry
from stock_pipeline.market_data.coverage import coverage_among
from stock_pipeline.market_data.reading import sessions_of
from stock_pipeline.market_data.tables import DAILY_BARS, SYMBOL_HISTORY, UNIVERSE_MEMBERS
from stock_pipeline.settings import Settings, place_of
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def check_sources(
    settings: Settings, stores: Stores, source: str | None, path: str | None, as_of: date | None, moment: datetime
) -> list[date] | None:
    """The sessions that there will be once the sources are ingested, in order; None where a live source would have to be asked.

    A live source is asked once, by the run itself: asking takes minutes, and services count requests.

    Args:
        settings: for the sources and their rules.
        stores: as they are; they need not exist.
        source: the sources that the run names, with commas between; None takes those of the settings.
        path: the files that the run names; None takes those of the settings.
        as_of: the session to work as of; None takes the last one.
        moment: now, UTC without a zone.

    Raises:
        InputError: a source, a file or the session cannot be used, or too few symbols have a bar of the last session.
    """
    chosen = chosen_sources(settings, source, path)
    if path is not None and not any(source_entry(found.name).takes_path for found in chosen):
        named = ", ".join(found.name for found in chosen)
        raise InputError(f"--path {path!r} was given, but source {named} reads no files; give --source files with it")
    refuse_mixing(stores, chosen, settings)
    _refuse_going_back(stores, as_of)
    if not all(found.is_archive for found in chosen):
        return None
    gathered = gather(chosen, settings, NOTHING_HELD, as_of, moment.replace(tzinfo=UTC))
    if gathered is None:
        return None
    _check_coverage(settings, stores, gathered.bars.select(SYMBOL, SESSION), gathered.as_of)
    held = sessions_of(stores, gathered.as_of) if stores.exist else []
    return sorted({*held, *gathered.bars[SESSION]})


def refuse_sources_unfit_for_a_schedule(settings: Settings) -> None:
    """Refuse a source that needs options of a manual run; the schedule and the watchdog use the settings alone.

    Raises:
        InputError: the schedule is on, and every night would fail.
    """
    if not settings.schedule.enabled:
        return
    try:
        chosen_sources(settings, None, None)
    except InputError as error:
        problem = f"{place_of('source.name')}: field source.name is {settings.source.name!r}, with which every night would fail: {error}"
        raise InputError(f"{problem}; or set schedule.enabled to false") from error


def _refuse_going_back(stores: Stores, as_of: date | None) -> None:
    reached = stores.market_session()
    if as_of is not None and reached is not None and as_of < reached:
        raise InputError(
            f"--as-of {as_of} lies before {reached}, which {stores.home} has reached already; "
            f"to work as of an earlier session choose another directory with STOCK_PIPELINE_HOME"
        )


def _check_coverage(settings: Settings, stores: Stores, bars: pl.DataFrame, as_of: date) -> None:
    """Refuse files of which one reaches further than the others: they would bring the store to a session that has too few bars."""
    members, history = reported_members(settings), SYMBOL_HISTORY.empty()
    if stores.exist:
        held = stores.read(DAILY_BARS, Selection(columns=(SYMBOL, SESSION), last=as_of, known_on=as_of))
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
