"""Choosing sources, asking them for what the store lacks, and preparing the answers for the store. Nothing is written to the store here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import polars as pl

from stock_pipeline.core.calendar import TradingCalendar, trading_calendar
from stock_pipeline.core.columns import AS_OF, KNOWN_TO, NAME, SESSION, SOURCE, SYMBOL
from stock_pipeline.core.errors import InputError, StockPipelineError
from stock_pipeline.market_data.answer_cache import Landing
from stock_pipeline.market_data.catalogue import open_source
from stock_pipeline.market_data.ingestion import Ingested, Screening, prepare
from stock_pipeline.market_data.source_chain import Gathered, ask_in_order, fetch_all, only
from stock_pipeline.market_data.sources.side_files import read_checked_bars, read_memberships, read_renames
from stock_pipeline.market_data.sources.source import Request, Source
from stock_pipeline.market_data.symbol_history import NEW, OLD, RENAMES
from stock_pipeline.market_data.tables import BASIS, DAILY_BARS, FIRST, INGESTION_REPORTS, INSTRUMENTS, LAST, SPLIT_ADJUSTED, SYMBOL_HISTORY
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

DOUBT_DELISTING = timedelta(days=60)
LATELY = timedelta(days=90)  # a source that has reported no split for so long may know nothing of the symbol


@dataclass(frozen=True)
class StoreSnapshot:
    """What the store holds that decides what to ask for.

    ``sessions`` has first and last session of each symbol, ``without_actions`` the first one for which no source has reported splits.
    """

    sessions: pl.DataFrame
    history: pl.DataFrame
    instruments: pl.DataFrame
    without_actions: Mapping[str, date] = field(default_factory=dict)

    @property
    def last(self) -> dict[str, date]:
        """The last stored session of each symbol."""
        return dict(self.sessions.select(SYMBOL, LAST).iter_rows())


NOTHING_HELD = StoreSnapshot(
    pl.DataFrame(schema={SYMBOL: pl.String, FIRST: pl.Date, LAST: pl.Date}), SYMBOL_HISTORY.empty(), INSTRUMENTS.empty()
)


def held_by(stores: Stores) -> StoreSnapshot:
    """What the market store holds; nothing where there is none yet."""
    if not stores.exist:
        return NOTHING_HELD
    bars = stores.read(DAILY_BARS, Selection(columns=(SYMBOL, SESSION, BASIS, KNOWN_TO))).filter(pl.col(KNOWN_TO).is_null())
    adjusted = bars.filter(pl.col(BASIS) == SPLIT_ADJUSTED).group_by(SYMBOL).agg(pl.col(SESSION).min())
    sessions = bars.group_by(SYMBOL).agg(pl.col(SESSION).min().alias(FIRST), pl.col(SESSION).max().alias(LAST))
    return StoreSnapshot(sessions.sort(SYMBOL), stores.read(SYMBOL_HISTORY), stores.read(INSTRUMENTS), dict(adjusted.iter_rows()))


def chosen_sources(settings: Settings, names: str | None, path: str | None) -> tuple[Source, ...]:
    """The sources in the order in which they are asked.

    Args:
        settings: for the sources and their files.
        names: the sources that the run names, with commas between; None takes those of the settings.
        path: the files that the run names; None takes those of the settings.

    Raises:
        InputError: a source is not known or lacks what it needs, or one that admits no other is given another.
    """
    wanted = [name.strip() for name in names.split(",")] if names else [settings.source.name, *settings.source.fallbacks]
    source = settings.source if path is None else settings.source.model_copy(update={"path": path})
    sources = tuple(open_source(name, source) for name in dict.fromkeys(wanted))
    closed = next((source.name for source in sources if source.is_closed), None)
    if closed is not None and len(sources) > 1:
        raise InputError(f"source {closed} cannot be combined with other sources; give it alone")
    return sources


def reported_renames(settings: Settings) -> pl.DataFrame:
    """The changes of symbol that the user's file lists: old, new, session."""
    return pl.DataFrame(schema=RENAMES) if settings.source.renames_path is None else read_renames(settings.source.renames_path)


def checked_bars(settings: Settings) -> pl.DataFrame | None:
    """The suspect bars that the user's file says are right: symbol, session; None where there is no file."""
    return None if settings.source.confirmed_path is None else read_checked_bars(settings.source.confirmed_path)


def reported_members(settings: Settings) -> pl.DataFrame | None:
    """The members of the universe that the user's file lists: symbol, first_session, last_session; None where there is no file."""
    if settings.source.universe_path is None:
        return None
    members = read_memberships(settings.source.universe_path)
    return members.select(SYMBOL, pl.col("first").alias(FIRST), pl.col("last").alias(LAST))


def gather(
    sources: Sequence[Source],
    settings: Settings,
    held: StoreSnapshot,
    as_of: date | None,
    moment: datetime,
    report_progress: Callable[[str], None] = lambda _: None,
) -> Ingested | None:
    """What the sources have, fetched and made ready for the store; None where the store has all of it already.

    Archives alone give everything, and end where they end. With a live source among them each symbol is asked for what the
    store lacks.

    Args:
        sources: in the order in which they are asked.
        settings: for symbols, quality rules and the exchange.
        held: what the store holds.
        as_of: the last session to fetch; None takes the last session that had ended at ``moment``, or all that an archive has.
        moment: now, with its time zone.
        report_progress: called with a line for the log.

    Raises:
        InputError: a source cannot be used as it is.
        StockPipelineError: no source has a sound bar of that session.
    """
    calendar = trading_calendar(settings.exchange)
    completed = calendar.last_completed_session(moment)
    screening = Screening(calendar, completed, settings.quality.price_tolerance, settings.source.currency)
    if all(source.is_archive for source in sources) and len(sources) == 1:
        gathered = fetch_all(sources[0])
        if settings.source.symbols is not None:
            gathered = _of_symbols(gathered, sources[0].name, settings.source.symbols)
        return prepare(gathered, as_of, screening)
    night = as_of or completed
    offers_actions = any("actions" in source.offers for source in sources)
    requests = requests_for(settings, held if offers_actions else replace(held, without_actions={}), night, calendar)
    if not requests:
        return None
    landing = Landing(settings.home, night)
    gathered = ask_in_order(
        sources, requests, landing.ask, completed, lambda name, done, asked: report_progress(f"source {name}: {done} of {asked} symbols")
    )
    of_night = gathered.bars.filter(pl.col(SESSION) == night)
    if of_night.is_empty() and night in held.last.values():
        return None  # what is missing of the night is still missing
    prepared = None if of_night.is_empty() else prepare(gathered, night, screening)
    if prepared is None or prepared.bars.filter(pl.col(SESSION) == night).is_empty():
        raise StockPipelineError(_nothing_of(night, gathered))
    return prepared


def requests_for(settings: Settings, held: StoreSnapshot, night: date, calendar: TradingCalendar) -> list[Request]:
    """What to ask a live source: of each symbol the sessions that the store lacks, and a few before to notice restatements.

    Particulars and fundamentals are asked for where the store has no name, and once a week. So are symbols that were found delisted
    in the last weeks, as services err. Where no source has reported splits so far, everything since then is asked for, once a week if that
    is long ago.

    Args:
        settings: for symbols, renames and how far back to ask.
        held: what the store holds.
        night: the last session to ask for.
        calendar: of the exchange.
    """
    weekly = calendar.previous_session(night).isocalendar()[:2] != night.isocalendar()[:2]
    named = set(held.instruments.filter(pl.col(NAME).is_not_null())[SYMBOL])
    last = held.last
    for old, new, _ in reported_renames(settings).select(OLD, NEW, SESSION).sort(SESSION).iter_rows():
        if old in last:
            last.setdefault(new, last[old])
    found = []
    for symbol in _symbols_to_ask(settings, held, night, weekly=weekly):
        reached = last.get(symbol)
        if reached is not None and reached >= night:
            continue
        first = settings.source.history_from if reached is None else _back(calendar, reached, settings.source.refetch_sessions)
        unreported = held.without_actions.get(symbol)
        if unreported is not None and (weekly or unreported >= night - LATELY):
            first = min(first, unreported)
        found.append(Request(symbol, first, night, about=weekly or symbol not in named))
    return found


def _symbols_to_ask(settings: Settings, held: StoreSnapshot, night: date, *, weekly: bool) -> list[str]:
    members = reported_members(settings)
    if settings.source.symbols is not None:
        wanted = list(settings.source.symbols)
    elif members is not None:
        inside = (pl.col(FIRST) <= night) & (pl.col(LAST).is_null() | (pl.col(LAST) >= night))
        wanted = members.filter(inside)[SYMBOL].unique().sort().to_list()
    else:
        wanted = held.sessions[SYMBOL].to_list()
    if not wanted:
        raise InputError(
            "a live source needs to know which symbols to ask for: give source.symbols, or source.universe_path with a file of members"
        )
    latest = held.history.sort(FIRST).group_by(SYMBOL).last()
    believed = pl.col(LAST) < night - DOUBT_DELISTING if weekly else pl.col(LAST).is_not_null()
    ended = set(latest.filter(believed)[SYMBOL])
    renamed = _by_session(reported_renames(settings).filter(pl.col(SESSION) <= night))
    return [symbol for symbol in dict.fromkeys(_latest(symbol, renamed) for symbol in wanted) if symbol not in ended]


def _by_session(renames: pl.DataFrame) -> list[dict[str, str]]:
    """Of each session in order the renames, old to new, which happen at once."""
    return [dict(told.select(OLD, NEW).iter_rows()) for told in renames.sort(SESSION).partition_by(SESSION, maintain_order=True)]


def _latest(symbol: str, renamed: Sequence[Mapping[str, str]]) -> str:
    """The symbol of the instrument after the renames of every session."""
    for of_session in renamed:
        symbol = of_session.get(symbol, symbol)
    return symbol


def _back(calendar: TradingCalendar, session: date, count: int) -> date:
    for _ in range(count):
        session = calendar.previous_session(session)
    return session


def _nothing_of(night: date, gathered: Gathered) -> str:
    """The message for a night without a sound bar: the sources are down or behind, and trying again later is the remedy."""
    latest = gathered.bars[SESSION].max()
    said: dict[tuple[str, str], list[str]] = {}
    for failure in gathered.failures:
        said.setdefault((failure.source, failure.reason), []).append(failure.message)
    in_order = sorted(said.items(), key=lambda one: (-len(one[1]), one[0]))
    reasons = "; ".join(f"{source}: {reason} ({len(words)} symbols), as in: {words[0]}" for (source, reason), words in in_order)
    newest = "no bar came" if latest is None else f"the newest bar is of {latest!s}"
    return f"no source has a sound bar of {night}, {newest}, so nothing was written. {reasons}"


def _of_symbols(gathered: Gathered, source: str, symbols: Sequence[str]) -> Gathered:
    known = set(gathered.bars[SYMBOL].unique())
    unknown = [symbol for symbol in symbols if symbol not in known]
    if unknown:
        raise InputError(f"setting source.symbols names {unknown[0]!r}, of which source {source} has no bar; correct it or leave it out")
    return only(gathered, symbols)


def refuse_mixing(stores: Stores, sources: Sequence[Source], settings: Settings) -> None:
    """Refuse to mix a closed source with another in one data directory: a panel of both would be meaningless.

    Raises:
        InputError: the data directory holds another source that cannot be mixed with these.
    """
    held = set(stores.read(INGESTION_REPORTS, Selection(columns=(AS_OF, SOURCE)))[SOURCE]) if stores.exist else set()
    names = {source.name for source in sources}
    alone = any(source.is_closed for source in sources)
    strangers = sorted(name for name in held - names if alone or _is_closed(name, settings))
    if strangers:
        raise InputError(
            f"data directory {stores.home} holds bars of source {strangers[0]}, which cannot be mixed with {', '.join(sorted(names))}; "
            f"choose another directory with STOCK_PIPELINE_HOME"
        )


def _is_closed(name: str, settings: Settings) -> bool:
    return open_source(name, settings.source.model_copy(update={"path": settings.source.path or "any"})).is_closed
