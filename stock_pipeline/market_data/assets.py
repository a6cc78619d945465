"""Ingestion: one body brings every table of the market store, in one transaction."""

from collections.abc import Sequence
from datetime import UTC, date

import polars as pl

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import AS_OF, SESSION, SOURCE, SYMBOL
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.market_data import tables
from stock_pipeline.market_data.checks import BAR_CHECKS
from stock_pipeline.market_data.flagging import Revisions, doubts_after
from stock_pipeline.market_data.flags import FlagRules
from stock_pipeline.market_data.gathering import Held, chosen_sources, gather, held_by, members_told, refuse_mixing, renames_told
from stock_pipeline.market_data.history import Vintage, with_history
from stock_pipeline.market_data.ingestion import Ingested
from stock_pipeline.market_data.instruments import Identities, ListingNews, found_delisted, identify
from stock_pipeline.market_data.landing import Landing
from stock_pipeline.market_data.pictures import candlesticks
from stock_pipeline.market_data.views import VIEWS
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage import Stage, key_of
from stock_pipeline.storage import Stores, Write, append, replace_groups, upsert
from stock_pipeline.storage.reading import Selection

TABLES = (
    tables.DAILY_BARS,
    tables.CORPORATE_ACTIONS,
    tables.INSTRUMENTS,
    tables.SYMBOL_HISTORY,
    tables.UNIVERSE_MEMBERS,
    tables.FUNDAMENTALS,
    tables.QUARANTINED_BARS,
    tables.BAR_FLAGS,
    tables.INGESTION_REPORTS,
    tables.INGESTION_FAILURES,
)


def ingest(night: Night) -> Product | None:
    """Bring bars, actions, fundamentals and instruments up to the last session of the sources."""
    stores, settings = night.stores, night.settings
    sources = chosen_sources(settings, night.options.source, night.options.path)
    Landing(settings.home, night.watermark or date.min).clear(night.watermark)
    with stores.kept_open("market"):
        refuse_mixing(stores, sources, settings)
        held = held_by(stores)
    night.say(f"reading source {', '.join(source.name for source in sources)}")
    gathered = gather(sources, settings, held, night.options.as_of, night.moment.replace(tzinfo=UTC), night.say)
    if gathered is None:
        return None
    night.say(f"storing {gathered.bars.height:,} bars")
    with stores.kept_open("market"):
        writes = _writes(night, held, gathered, live=not all(source.is_archive for source in sources))
    bars, doubts = (write.frame for table in (tables.DAILY_BARS, tables.BAR_FLAGS) for write in writes if write.schema == table)
    return Product(
        writes=writes,
        watermark=gathered.as_of,
        pictures=lambda: {"candlesticks": candlesticks(gathered.bars)} if bars.height else {},
        tables=_shown(gathered, doubts),
        facts=_facts(gathered, doubts),
    )


def _writes(night: Night, held: Held, gathered: Ingested, *, live: bool) -> tuple[Write, ...]:
    """What every table is to hold after the night."""
    stores, quality, as_of = night.stores, night.settings.quality, gathered.as_of
    tonight = Vintage(as_of, live)
    of_bars = Vintage(as_of, live, held.sessions.select(SYMBOL, tables.FIRST), night.watermark)
    bars = with_history(stores, tables.DAILY_BARS, gathered.bars, of_bars)
    actions = with_history(stores, tables.CORPORATE_ACTIONS, gathered.actions, tonight)
    fundamentals = with_history(stores, tables.FUNDAMENTALS, gathered.fundamentals, tonight)
    rules = FlagRules(quality.jump_ratio, quality.source_tolerance)
    calendar = trading_calendar(night.settings.exchange)
    before = calendar.previous_session(as_of)
    every_bar = held.sessions.select(SYMBOL, pl.col(tables.FIRST).alias(SESSION)) if night.full_refresh else None
    doubts = doubts_after(stores, calendar, rules, Revisions(as_of, bars, actions, gathered.compared, every_bar))
    identities = _identities(night, held, gathered)
    told = members_told(night.settings)
    members = [] if told is None else [_of_symbols(tables.UNIVERSE_MEMBERS, _with_those_left_out(stores, told, before))]
    return (
        upsert(tables.DAILY_BARS, bars, quarantined=gathered.quarantined.height, may_be_empty=True),
        upsert(tables.CORPORATE_ACTIONS, actions, may_be_empty=True),
        upsert(tables.INSTRUMENTS, identities.instruments),
        _of_symbols(tables.SYMBOL_HISTORY, identities.history),
        *members,
        upsert(tables.FUNDAMENTALS, fundamentals, may_be_empty=True),
        # A bar refused again keeps the night on which it was first refused.
        append(tables.QUARANTINED_BARS, gathered.quarantined, may_be_empty=True),
        upsert(tables.BAR_FLAGS, doubts, may_be_empty=True),
        append(tables.INGESTION_REPORTS, _not_yet_reported(stores, gathered.report), may_be_empty=True),
        upsert(tables.INGESTION_FAILURES, gathered.failures, may_be_empty=True),
    )


def _of_symbols(schema: TableSchema, spells: pl.DataFrame) -> Write:
    """Every spell of the symbols told, however many they had."""
    return replace_groups(schema, spells, (SYMBOL,), least_share=0.0)


def _with_those_left_out(stores: Stores, told: pl.DataFrame, before: date) -> pl.DataFrame:
    """The members told, and those that are not told any more: they belonged to the universe until ``before``."""
    left_out = stores.read(tables.UNIVERSE_MEMBERS).join(told, on=SYMBOL, how="anti")
    return pl.concat([told, left_out.with_columns(pl.col(tables.LAST).fill_null(pl.lit(before)))])


def _identities(night: Night, held: Held, gathered: Ingested) -> Identities:
    earlier = night.stores.read(tables.INGESTION_FAILURES, Selection(columns=(AS_OF, SYMBOL, tables.REASON))).filter(
        pl.col(AS_OF) < gathered.as_of
    )
    delisted = found_delisted(gathered.failures, earlier, gathered.bars, held.last)
    renames = renames_told(night.settings)
    news = ListingNews(gathered.as_of, gathered.bars, gathered.instruments, renames, delisted)
    return identify(Identities(held.history, held.instruments), held.last, news)


def _not_yet_reported(stores: Stores, report: pl.DataFrame) -> pl.DataFrame:
    """The report as one more attempt; one that differs from a stored one in its seconds alone says nothing new."""
    held = stores.read(tables.INGESTION_REPORTS)
    facts = [name for name in report.columns if name not in (tables.ATTEMPT, "seconds")]
    attempts = held.group_by(AS_OF, SOURCE).agg(pl.col(tables.ATTEMPT).max().alias("before"))
    return (
        report.join(held, on=facts, how="anti", nulls_equal=True)
        .join(attempts, on=[AS_OF, SOURCE], how="left")
        .with_columns((pl.col("before").fill_null(0) + 1).alias(tables.ATTEMPT))
        .drop("before")
    )


def _shown(gathered: Ingested, doubts: pl.DataFrame) -> dict[str, pl.DataFrame]:
    standing = doubts.filter(pl.col(tables.WITHDRAWN_ON).is_null())
    counted = {
        "quarantined": gathered.quarantined.group_by(tables.REASON).len(),
        "doubtful": standing.group_by(tables.FLAG).len(),
        "failures": gathered.failures.group_by(SOURCE, tables.REASON).len(),
    }
    return {"report": gathered.report} | {name: rows.sort("len", descending=True) for name, rows in counted.items()}


def _facts(gathered: Ingested, doubts: pl.DataFrame) -> dict[str, int]:
    # How many a source was asked for and failed with stands in the report: a symbol may be asked for at several.
    summed = ("symbols_succeeded", "bars_received", "bars_accepted", "bars_quarantined")
    return {name: int(gathered.report[name].sum()) for name in summed} | {"bars_flagged": doubts.height}


STAGES: Sequence[Stage] = (
    Stage(
        keys=tuple(key_of(table) for table in TABLES),
        description="Market data from the sources of the settings, screened and versioned.",
        tables=TABLES,
        views=VIEWS,
        reads=(),
        body=ingest,
        settings=("exchange", "quality.jump_ratio"),
        settings_ahead=("source", "quality.minimum_coverage", "quality.price_tolerance", "quality.source_tolerance"),
        rhythm="ingestion",
        store="market",
        code_version="2",
        checks=(BAR_CHECKS,),
    ),
)
