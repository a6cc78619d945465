"""The schedule of ingestion on fixed days: trading days only, on the exchange's clock."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from stock_pipeline.definitions import build_definitions
from stock_pipeline_tests.harness.plain_settings import plain_settings

NEW_YORK = ZoneInfo("America/New_York")


def tick(moment: datetime, **chosen: object) -> dg.RunRequest | dg.SkipReason:
    """What the schedule answers at a tick."""
    repository = build_definitions(plain_settings(Path("nowhere"), schedule=chosen)).get_repository_def()
    schedule = repository.get_schedule_def("nightly_ingestion_schedule")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=moment, repository_def=repository)
        answer = schedule.evaluate_tick(context)
    if not answer.run_requests:
        return dg.SkipReason(answer.skip_message)
    (request,) = answer.run_requests
    return request


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T22:45").replace(tzinfo=NEW_YORK)


@pytest.mark.parametrize("day", ["2024-07-03", "2024-07-05", "2024-11-29", "2024-03-11", "2025-01-08"])
def test_a_trading_day_has_a_run_of_its_own(day: str) -> None:
    answer = tick(at(day))
    assert isinstance(answer, dg.RunRequest)
    assert answer.run_key == f"ingestion-{day}"


@pytest.mark.parametrize("day", ["2024-07-04", "2024-12-25", "2024-03-29", "2025-01-09", "2024-07-06", "2001-09-12"])
def test_a_day_without_trading_is_skipped_and_the_reason_told(day: str) -> None:
    answer = tick(at(day))
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == f"{day} is not a session of XNYS"


def test_the_day_is_the_one_on_the_exchange_s_clock() -> None:
    """By UTC the night of 3 July is already the 4th, a holiday."""
    answer = tick(datetime.fromisoformat("2024-07-04T02:45+00:00"))
    assert isinstance(answer, dg.RunRequest)
    assert answer.run_key == "ingestion-2024-07-03"


def test_another_clock_is_another_day() -> None:
    answer = tick(datetime.fromisoformat("2024-07-03T22:45+00:00"), time="07:45", time_zone="Asia/Tokyo")
    assert isinstance(answer, dg.SkipReason)
    assert "2024-07-04" in str(answer.skip_message)
