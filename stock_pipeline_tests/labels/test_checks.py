from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import OPEN, SESSION, SYMBOL
from stock_pipeline.labels.checks import LABEL_CHECK, NAME, judge_labels, of_settings, reaches
from stock_pipeline.labels.tables import DAILY_LABELS, daily_labels
from stock_pipeline.orchestration.context import CheckOutcome
from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.settings import LabelSettings, Settings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import empty_stores
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute, stage_of

DAYS = sessions(60)
CHOSEN = {"horizons": (1, 4), "volatility_horizon": 3}


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    stores = empty_stores(tmp_path)
    put_bars(stores, 40, symbols=6)
    return stores


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return plain_settings(tmp_path, labels=CHOSEN)


@pytest.fixture
def stage(settings: Settings) -> Stage:
    return stage_of(DAILY_LABELS, settings)


def violations(verdict: CheckOutcome) -> pl.DataFrame:
    table = verdict.facts["violations"]
    assert isinstance(table, pl.DataFrame)
    return table


def judged(stage: Stage, stores: Stores, settings: Settings) -> tuple[CheckOutcome, Mapping[str, CheckOutcome]]:
    """The verdict after an execution, and what it stops."""
    outcome = execute(stage, stores, settings)
    assert set(outcome.checks) == {NAME}
    return outcome.checks[NAME], outcome.blocked


def test_every_column_is_tried_at_its_own_reach() -> None:
    chosen = LabelSettings(**CHOSEN)
    tried = reaches(chosen)
    assert sorted(tried.values()) == [2, 3, 5]
    columns = [name for names in tried for name in names]
    assert sorted([SYMBOL, SESSION, *columns]) == sorted(daily_labels(chosen.horizons).column_names)


def test_honest_labels_pass(stage: Stage, stores: Stores, settings: Settings) -> None:
    verdict, blocked = judged(stage, stores, settings)
    assert verdict.passed
    assert not blocked
    assert verdict.facts["sessions"] == 30 + 5
    assert str(verdict.facts["symbols"]).split(", ") == [f"S{number:02d}" for number in range(6)]
    assert violations(verdict).is_empty()


def test_a_label_that_reaches_too_far_fails_is_named_and_blocks_what_lies_downstream(
    stage: Stage, stores: Stores, settings: Settings
) -> None:
    honest = of_settings(settings, DAYS[0])

    def one_session_further(bars: pl.DataFrame) -> pl.DataFrame:
        made = honest(bars)
        further = bars.select(SYMBOL, SESSION, (pl.col(OPEN).shift(-3) / pl.col(OPEN).shift(-1) - 1).over(SYMBOL, order_by=SESSION))
        return made.drop("forward_return_1").join(further.rename({OPEN: "forward_return_1"}), on=[SYMBOL, SESSION])

    planted = replace(LABEL_CHECK, judge=partial(judge_labels, compute=one_session_further))
    verdict, blocked = judged(replace(stage, checks=(planted,)), stores, settings)
    assert not verdict.passed
    assert set(blocked) == {NAME}
    assert set(violations(verdict)["column"]) == {"forward_return_1"}
    assert set(violations(verdict)["kind"]) == {"cut", "altered"}


def test_before_anything_is_made_it_fails_with_the_remedy(stage: Stage, stores: Stores, settings: Settings) -> None:
    verdict, blocked = judged(replace(stage, body=lambda _context: None), stores, settings)
    assert not verdict.passed
    assert set(blocked) == {NAME}
    assert "materialise" in str(verdict.facts["problem"])
