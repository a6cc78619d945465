"""The watchdog: compares what the store has with what it should have, and has ingestion run where something is missing.

Schedules and retries are only hints: a machine that was off gets one tick for all the nights that it missed, or none.
"""

from datetime import date, datetime

import dagster as dg

from stock_pipeline.core.calendar import TradingCalendar, trading_calendar
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.gathering import chosen_source
from stock_pipeline.market_data.sources.source import Source
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.orchestration.automation import INGESTION_JOB
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.settings import Settings
from stock_pipeline.storage import open_stores

WATCHDOG = "ingestion_watchdog"
SECONDS_BETWEEN_LOOKS = 300


def missing_session(source: Source, reached: date | None, calendar: TradingCalendar, moment: datetime) -> date | None:
    """The session that the store should have reached and has not; None where it has.

    A live source should have the last session that had ended by ``moment`` (which carries its time zone). An archive ends
    where its data ends, so it is missing only when nothing of it is there; then it counts as missing on that last session.
    """
    if source.is_archive and reached is not None:
        return None
    expected = calendar.last_completed_session(moment)
    return expected if reached is None or reached < expected else None


def watchdog(settings: Settings) -> dg.SensorDefinition:
    """A sensor that requests the ingestion of a missing session, once for each."""

    @dg.sensor(
        name=WATCHDOG,
        job_name=INGESTION_JOB,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedule.enabled else dg.DefaultSensorStatus.STOPPED,
        description="Has ingestion run when the store lacks a session that the exchange has completed.",
    )
    def watch() -> dg.RunRequest | dg.SkipReason:
        from datetime import UTC

        try:
            source = chosen_source(settings, None, None)
        except InputError as error:
            return dg.SkipReason(str(error))
        stores = open_stores(settings.home, settings.lock_wait_seconds)
        held = stores.watermark("market", f"{DAILY_BARS.stage}/{DAILY_BARS.name}") if stores.exist else None
        reached = None if held is None else held.session
        missing = missing_session(source, reached, trading_calendar(settings.exchange), utc_now().replace(tzinfo=UTC))
        if missing is None:
            return dg.SkipReason(f"source {source.name} is in the store up to {reached}")
        return dg.RunRequest(run_key=f"{WATCHDOG}-{source.name}-{missing}")

    return watch
