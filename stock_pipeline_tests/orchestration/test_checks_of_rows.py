"""Checks of rows, which are judged again only once what they follow from has changed."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.orchestration.context import CheckOutcome, StageContext, StageOutput
from stock_pipeline.orchestration.execution import execute_stage
from stock_pipeline.orchestration.stage import CheckSpec, Stage, StageCheck
from stock_pipeline.storage import Stores, audit
from stock_pipeline_tests.factories.rows import ingested, put
from stock_pipeline_tests.harness.asset_harness import DAYS, output
from stock_pipeline_tests.harness.stages import KilledError, dying
from stock_pipeline_tests.orchestration.test_execution import of_size, run_of


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return ingested(tmp_path, DAYS[3])


def sound(judged: list[Any], verdicts: Iterator[bool], of_rows: bool = True) -> StageCheck:
    """A check that keeps note of the rows that it judges."""

    def judge(context: StageContext) -> dict[str, CheckOutcome]:
        judged.append(context.read(BACKUPS)["size_bytes"].to_list())
        return {"sound": CheckOutcome(next(verdicts), {})}

    return StageCheck((CheckSpec("sound", "It is.", blocking=True),), judge, of_rows=of_rows)


@pytest.mark.parametrize("of_rows", [True, False])
def test_a_check_of_rows_that_has_passed_is_judged_again_once_they_have_changed(of_rows: bool, stores: Stores) -> None:
    def body(context: StageContext) -> StageOutput | None:
        return StageOutput(writes=(), watermark=context.as_of) if context.has_news() else None

    judged, verdicts = list[Any](), iter([False, True, True, True])
    checks = (sound(judged, verdicts, of_rows),)
    follower = Stage((("maintenance", "follower"),), "", (), reads=(BACKUPS,), body=body, checks=checks)
    blocked = []
    for size in (5, 5, 5, 7):
        execute_stage(of_size(size), run_of(stores))
        blocked.append(bool(execute_stage(follower, run_of(stores)).blocked))
    assert blocked == [True, False, False, False]
    assert judged == ([[5], [5], [7]] if of_rows else [[5], [5], [5], [7]])


def test_a_check_of_rows_is_judged_where_the_execution_that_wrote_them_was_cut_short(stores: Stores) -> None:
    judged = list[Any]()
    before, after_it = (of_size(size, code_version=str(size), checks=(sound(judged, repeat(True)),)) for size in (5, 6))
    execute_stage(before, run_of(stores))
    with pytest.raises(KilledError):
        execute_stage(after_it, replace(run_of(dying(stores, "after it has written")), run_id="killed"))
    assert judged == [[5], [6]]  # its verdict was lost with the process
    made_nothing = replace(after_it, body=lambda _context: None)
    for name in ("next", "last"):
        execute_stage(made_nothing, replace(run_of(stores), run_id=name))
    assert judged == [[5], [6], [6], [6]]  # until its rows are written by an execution that comes to its end


def test_a_check_of_rows_is_judged_again_by_other_code(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = list[Any]()
    stage = of_size(5, body=lambda context: None if context.is_up_to_date else output(), checks=(sound(judged, repeat(True)),))
    for digest in ("one", "one", "two", "two"):
        monkeypatch.setattr(audit, "code_digest", lambda digest=digest: digest)
        execute_stage(stage, run_of(stores))
    assert judged == [[5]] * 2


def test_a_check_of_rows_is_judged_where_it_is_new_and_where_another_has_written(stores: Stores) -> None:
    judged = list[Any]()
    stage = of_size(5)
    execute_stage(stage, run_of(stores))
    checked = replace(stage, body=lambda _context: None, checks=(sound(judged, repeat(True)),))
    for _ in range(2):
        execute_stage(checked, run_of(stores))
    assert judged == [[5]]
    put(stores, BACKUPS, output(7).writes[0].frame, DAYS[3])
    for _ in range(2):
        execute_stage(checked, run_of(stores))
    assert judged == [[5], [7], [7]]
