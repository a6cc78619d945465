"""The watchdog: compares what the store has with what it should have, and requests ingestion where something is missing.

Schedules and retries are only hints: a machine that was off gets one tick for all the nights that it missed, or none.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl

from stock_pipeline.core.calendar import TradingCalendar, trading_calendar
from stock_pipeline.core.columns import KNOWN_TO, SESSION, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.acquisition import chosen_sources
from stock_pipeline.market_data.coverage import coverage_of
from stock_pipeline.market_data.sources.source import Source
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.orchestration.automation import INGESTION_JOB
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline.storage.reading import Selection

WATCHDOG = "ingestion_watchdog"
SECONDS_BETWEEN_LOOKS = 300


def missing_session(sources: Sequence[Source], reached: date | None, calendar: TradingCalendar, moment: datetime) -> date | None:
    """The session that the store should have reached and has not; None where it has.

    A live source should have the last session that had ended by ``moment``. An archive ends where its data ends, so it is missing
    only when nothing of it is stored; then it counts as missing on that last session.

    Args:
        sources: the sources of the settings.
        reached: the last session that the store has; None where it has none.
        calendar: of the exchange.
        moment: now, with its time zone.
    """
    if all(source.is_archive for source in sources) and reached is not None:
        return None
    expected = calendar.last_completed_session(moment)
    return expected if reached is None or reached < expected else None


def is_incomplete(stores: Stores, settings: Settings, sources: Sequence[Source]) -> bool:
    """Whether live sources left out so many symbols of the last session that nothing downstream is made of it."""
    if not stores.exist or all(source.is_archive for source in sources):
        return False
    bars = stores.read(DAILY_BARS, Selection(columns=(SYMBOL, SESSION, KNOWN_TO))).filter(pl.col(KNOWN_TO).is_null())
    return coverage_of(stores, settings, bars).share < settings.quality.minimum_coverage


def watchdog(settings: Settings) -> dg.SensorDefinition:
    """The sensor that requests ingestion when a session is missing: at once, and every hour for as long as it is."""

    @dg.sensor(
        name=WATCHDOG,
        job_name=INGESTION_JOB,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedule.enabled else dg.DefaultSensorStatus.STOPPED,
        description="Requests ingestion when the store lacks a session that the exchange has completed, or too many of its bars.",
    )
    def watch() -> dg.RunRequest | dg.SkipReason:
        try:
            sources = chosen_sources(settings, None, None)
        except InputError as error:
            return dg.SkipReason(str(error))
        stores = open_stores(settings.home, settings.lock_wait_seconds)
        reached, moment = stores.market_session(), utc_now().replace(tzinfo=UTC)
        missing = missing_session(sources, reached, trading_calendar(settings.exchange), moment)
        if missing is None and is_incomplete(stores, settings, sources):
            missing = reached
        names = "-".join(source.name for source in sources)
        if missing is None:
            return dg.SkipReason(f"source {names} is in the store up to {reached}")
        return dg.RunRequest(run_key=f"{WATCHDOG}-{names}-{missing}-{moment:%Y%m%d%H}")

    return watch
