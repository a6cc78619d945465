"""The ingestion stage: one body writes every table of the market store, in one transaction."""

from collections.abc import Sequence
from datetime import UTC, date

import polars as pl

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import AS_OF, SESSION, SOURCE, SYMBOL
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.market_data import tables
from stock_pipeline.market_data.acquisition import (
    StoreSnapshot,
    checked_bars,
    chosen_sources,
    gather,
    held_by,
    refuse_mixing,
    reported_members,
    reported_renames,
)
from stock_pipeline.market_data.answer_cache import Landing
from stock_pipeline.market_data.charts import candlesticks
from stock_pipeline.market_data.checks import BAR_CHECKS
from stock_pipeline.market_data.flag_updates import Revisions, flags_after
from stock_pipeline.market_data.flags import FlagRules
from stock_pipeline.market_data.ingestion import Ingested
from stock_pipeline.market_data.instruments import Identities, ListingNews, found_delisted, identify
from stock_pipeline.market_data.membership import as_named_then
from stock_pipeline.market_data.restatements import Vintage, with_history
from stock_pipeline.market_data.views import VIEWS
from stock_pipeline.orchestration.context import StageContext, StageOutput
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


def ingest(context: StageContext) -> StageOutput | None:
    """Bring bars, actions, fundamentals and instruments up to the last session of the sources."""
    stores, settings = context.stores, context.settings
    sources = chosen_sources(settings, context.options.source, context.options.path)
    Landing(settings.home, context.watermark or date.min).clear(context.watermark)
    with stores.shared_reader("market"):
        refuse_mixing(stores, sources, settings)
        held = held_by(stores)
    context.report_progress(f"reading source {', '.join(source.name for source in sources)}")
    gathered = gather(sources, settings, held, context.options.as_of, context.moment.replace(tzinfo=UTC), context.report_progress)
    if gathered is None:
        return None
    context.report_progress(f"storing {gathered.bars.height:,} bars")
    with stores.shared_reader("market"):
        writes = _writes(context, held, gathered, live=not all(source.is_archive for source in sources))
    bars, flags = (write.frame for table in (tables.DAILY_BARS, tables.BAR_FLAGS) for write in writes if write.schema == table)
    return StageOutput(
        writes=writes,
        watermark=gathered.as_of,
        charts=lambda: {"candlesticks": candlesticks(gathered.bars, settings.source.currency)} if bars.height else {},
        tables=_shown(gathered, flags),
        facts=_facts(gathered, flags),
    )


def _writes(context: StageContext, held: StoreSnapshot, gathered: Ingested, *, live: bool) -> tuple[Write, ...]:
    """The writes that bring every table up to the night."""
    stores, quality, as_of = context.stores, context.settings.quality, gathered.as_of
    tonight = Vintage(as_of, live)
    of_bars = Vintage(as_of, live, held.sessions.select(SYMBOL, tables.FIRST), context.watermark)
    bars = with_history(stores, tables.DAILY_BARS, gathered.bars, of_bars)
    actions = with_history(stores, tables.CORPORATE_ACTIONS, gathered.actions, tonight)
    fundamentals = with_history(stores, tables.FUNDAMENTALS, gathered.fundamentals, tonight)
    rules = FlagRules(quality.jump_ratio, quality.source_tolerance)
    calendar = trading_calendar(context.settings.exchange)
    before = calendar.previous_session(as_of)
    every_bar = held.sessions.select(SYMBOL, pl.col(tables.FIRST).alias(SESSION)) if context.full_refresh else None
    flags = flags_after(
        stores, calendar, rules, Revisions(as_of, bars, actions, gathered.compared, every_bar, checked_bars(context.settings))
    )
    identities = _identities(context, held, gathered)
    listed = _members(context, held, gathered)
    members = [] if listed is None else [_of_symbols(tables.UNIVERSE_MEMBERS, _with_those_left_out(stores, listed, before))]
    return (
        upsert(tables.DAILY_BARS, bars, quarantined=gathered.quarantined.height, may_be_empty=True),
        upsert(tables.CORPORATE_ACTIONS, actions, may_be_empty=True),
        upsert(tables.INSTRUMENTS, identities.instruments),
        _of_symbols(tables.SYMBOL_HISTORY, identities.history),
        *members,
        upsert(tables.FUNDAMENTALS, fundamentals, may_be_empty=True),
        # A bar refused again keeps the night on which it was first refused.
        append(tables.QUARANTINED_BARS, gathered.quarantined, may_be_empty=True),
        upsert(tables.BAR_FLAGS, flags, may_be_empty=True),
        append(tables.INGESTION_REPORTS, _not_yet_reported(stores, gathered.report), may_be_empty=True),
        upsert(tables.INGESTION_FAILURES, gathered.failures, may_be_empty=True),
    )


def _members(context: StageContext, held: StoreSnapshot, gathered: Ingested) -> pl.DataFrame | None:
    """The members that the user's file lists, under the symbols of the night; None where there is no file."""
    listed = reported_members(context.settings)
    if listed is None:
        return None
    borne = {*held.sessions[SYMBOL], *gathered.bars[SYMBOL].unique()}
    return as_named_then(listed, reported_renames(context.settings), gathered.as_of, borne)


def _of_symbols(schema: TableSchema, periods: pl.DataFrame) -> Write:
    """A write that replaces all periods of the symbols given, however many were stored."""
    return replace_groups(schema, periods, (SYMBOL,), least_share=0.0)


def _with_those_left_out(stores: Stores, listed: pl.DataFrame, before: date) -> pl.DataFrame:
    """The members listed, and those that are not listed any more: they belonged to the universe until ``before``."""
    left_out = stores.read(tables.UNIVERSE_MEMBERS).join(listed, on=SYMBOL, how="anti")
    return pl.concat([listed, left_out.with_columns(pl.col(tables.LAST).fill_null(pl.lit(before)))])


def _identities(context: StageContext, held: StoreSnapshot, gathered: Ingested) -> Identities:
    earlier = context.stores.read(tables.INGESTION_FAILURES, Selection(columns=(AS_OF, SYMBOL, tables.REASON))).filter(
        pl.col(AS_OF) < gathered.as_of
    )
    delisted = found_delisted(gathered.failures, earlier, gathered.bars, held.last)
    renames = reported_renames(context.settings)
    news = ListingNews(gathered.as_of, gathered.bars, gathered.instruments, renames, delisted)
    return identify(Identities(held.history, held.instruments), held.last, news)


def _not_yet_reported(stores: Stores, report: pl.DataFrame) -> pl.DataFrame:
    """The rows of the report with their attempt number, without those that differ from a stored row only in their seconds."""
    held = stores.read(tables.INGESTION_REPORTS)
    facts = [name for name in report.columns if name not in (tables.ATTEMPT, "seconds")]
    attempts = held.group_by(AS_OF, SOURCE).agg(pl.col(tables.ATTEMPT).max().alias("before"))
    return (
        report.join(held, on=facts, how="anti", nulls_equal=True)
        .join(attempts, on=[AS_OF, SOURCE], how="left")
        .with_columns((pl.col("before").fill_null(0) + 1).alias(tables.ATTEMPT))
        .drop("before")
    )


def _shown(gathered: Ingested, flags: pl.DataFrame) -> dict[str, pl.DataFrame]:
    standing = flags.filter(pl.col(tables.CLEARED_ON).is_null())
    counted = {
        "quarantined": gathered.quarantined.group_by(tables.REASON).len(),
        "suspect": standing.group_by(tables.FLAG).len(),
        "failures": gathered.failures.group_by(SOURCE, tables.REASON).len(),
    }
    return {"report": gathered.report} | {name: rows.sort("len", descending=True) for name, rows in counted.items()}


def _facts(gathered: Ingested, flags: pl.DataFrame) -> dict[str, int]:
    # How many a source was asked for and failed with stands in the report: a symbol may be asked for at several.
    summed = ("symbols_succeeded", "bars_received", "bars_accepted", "bars_quarantined")
    return {name: int(gathered.report[name].sum()) for name in summed} | {"bars_flagged": flags.height}


def expected_session(context: StageContext) -> date | None:
    """The last session that the exchange had completed; None of archives, which end where their data ends."""
    sources = chosen_sources(context.settings, context.options.source, context.options.path)
    if all(source.is_archive for source in sources):
        return None
    return trading_calendar(context.settings.exchange).last_completed_session(context.moment.replace(tzinfo=UTC))


STAGES: Sequence[Stage] = (
    Stage(
        keys=tuple(key_of(table) for table in TABLES),
        description="Market data from the sources of the settings, screened and versioned.",
        tables=TABLES,
        views=VIEWS,
        reads=(),
        body=ingest,
        expected=expected_session,
        settings=("exchange", "quality.jump_ratio"),
        settings_ahead=("source", "quality.minimum_coverage", "quality.price_tolerance", "quality.source_tolerance"),
        cadence="ingestion",
        store="market",
        code_version="2",
        checks=(BAR_CHECKS,),
    ),
)
