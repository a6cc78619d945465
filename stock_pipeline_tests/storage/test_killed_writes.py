"""A process killed in the middle of a write leaves the old content or the new, never something between."""

import pytest

from stock_pipeline.core.content_hash import content_hash
from stock_pipeline.storage import Stores
from stock_pipeline.storage.audit import Watermark
from stock_pipeline_tests.factories.trial_tables import DAYS, READINGS, audit_rows
from stock_pipeline_tests.harness.store_processes import DONE, ROWS, STOPPED, heard, many_readings, other_process, write_many

ASSET = "trial/readings"
OLD, NEW = 1.0, 2.0


@pytest.fixture
def hashes(stores: Stores) -> dict[float, str]:
    """The hash of the table with the old content, which it has now, and with the new."""
    write_many(stores, OLD, DAYS[0])
    return {value: content_hash(many_readings(value), READINGS.key) for value in (OLD, NEW)}


def state_left(stores: Stores, hashes: dict[float, str]) -> float:
    """Which of the two states the store is in, once table, audit trail and watermark agree on it."""
    found = stores.content_hash(READINGS)
    assert found in hashes.values()
    value = NEW if found == hashes[NEW] else OLD
    assert [row[1] for row in audit_rows(stores)] == [f"run-{held}" for held in (OLD, NEW) if held <= value]
    assert stores.watermark("ml", ASSET) == Watermark(DAYS[-1] if value == NEW else DAYS[0], "1", "{}")
    return value


STEPS = ('DELETE FROM "trial"', 'INSERT INTO "trial"', 'INSERT INTO "audit"."writes"', 'INSERT INTO "audit"."watermarks"')


@pytest.mark.parametrize("step", STEPS)
def test_a_write_killed_after_any_step_has_not_happened(step: str, stores: Stores, hashes: dict[float, str]) -> None:
    with other_process("write", stores.home, step, "stops") as process:
        assert heard(process) == STOPPED
        process.kill()
        process.wait()
    assert state_left(stores, hashes) == OLD
    write_many(stores, NEW, DAYS[-1])
    assert state_left(stores, hashes) == NEW


@pytest.mark.parametrize("step", STEPS[1::2])
def test_a_write_killed_at_full_speed_has_happened_or_not(step: str, stores: Stores, hashes: dict[float, str]) -> None:
    with other_process("write", stores.home, step, "runs on") as process:
        assert heard(process) == STOPPED
        process.kill()
        process.wait()
    assert state_left(stores, hashes) in (OLD, NEW)
    write_many(stores, NEW, DAYS[-1])
    assert state_left(stores, hashes) == NEW


def test_a_write_that_was_acknowledged_survives_the_kill(stores: Stores, hashes: dict[float, str]) -> None:
    with other_process("write", stores.home, "COMMIT", "runs on") as process:
        assert [heard(process), heard(process)] == [STOPPED, DONE]
        process.kill()
        process.wait()
    assert state_left(stores, hashes) == NEW
    assert stores.count(READINGS) == ROWS
