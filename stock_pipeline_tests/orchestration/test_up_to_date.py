"""Whether a stage has reached the session that it had to reach, and what people are shown of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from stock_pipeline.orchestration.execution import Run, execute_stage
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.reporting import UP_TO_DATE, check_results
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.asset_harness import DAYS, declared, output
from stock_pipeline_tests.harness.plain_settings import plain_settings


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return ingested(tmp_path, DAYS[3])


def run_of(stores: Stores) -> Run:
    return Run(stores, plain_settings(stores.home), strict=True)


def test_a_stage_whose_table_lacks_a_session_is_not_up_to_date(stores: Stores) -> None:
    behind = execute_stage(declared(lambda _context: output(watermark=DAYS[2])), run_of(stores))
    assert (behind.state, behind.reached, behind.wanted, behind.up_to_date) == ("succeeded", DAYS[2], DAYS[3], False)
    idle = execute_stage(declared(lambda _context: None), run_of(stores))
    assert (idle.state, idle.reached, idle.wanted, idle.up_to_date) == ("up_to_date", DAYS[2], DAYS[3], False)
    asked = replace(run_of(stores), options=RunOptions(as_of=DAYS[2]))
    assert execute_stage(declared(lambda _context: None), asked).up_to_date
    expecting = declared(lambda _context: None, expected=lambda _context: DAYS[4])
    assert not execute_stage(expecting, run_of(stores)).up_to_date
    (told,) = check_results(idle, idle.stage.keys[0])
    assert (told.check_name, told.passed) == (UP_TO_DATE.name, False)
    assert {name: fact.value for name, fact in told.metadata.items()} == {"reached": str(DAYS[2]), "as_of": str(DAYS[3])}


def test_a_stage_that_has_made_nothing_is_not_up_to_date(stores: Stores) -> None:
    nothing = execute_stage(declared(lambda _context: None), run_of(stores))
    assert (nothing.reached, nothing.up_to_date) == (None, False)
