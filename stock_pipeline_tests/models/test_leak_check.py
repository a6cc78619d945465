"""The check of a training that is too good to be true, judged after an execution."""

from dataclasses import replace
from pathlib import Path

import pytest

from stock_pipeline.core.columns import ALL_PERIODS, AS_OF, FOLD, METRIC, MODEL, PERIOD, RANK_IC, TRAINING_ID, VALUE
from stock_pipeline.models.assets import PLAUSIBLE_IC
from stock_pipeline.models.metrics import ALL_FOLDS, OBSERVATIONS, PART, TEST
from stock_pipeline.models.tables import MODEL_METRICS, TRAININGS
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import ingested, put, training_row
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute, stage_of

NAME = "spline_ridge"
DAYS = sessions(3)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return ingested(tmp_path, DAYS[-1])


def trained(stores: Stores, number: int, rank_ic: float, model: str = NAME, target: str = "return") -> None:
    """A training whose rank IC is no luck."""
    training = f"{model}_{number}"
    put(stores, TRAININGS, [training_row(model, training, DAYS[number], number=number, target=target)], DAYS[-1])
    of_all = {TRAINING_ID: training, MODEL: model, AS_OF: DAYS[number], PART: TEST, FOLD: ALL_FOLDS, PERIOD: ALL_PERIODS, OBSERVATIONS: 9}
    scores = {RANK_IC: rank_ic, "rank_ic_t": 100 * rank_ic}
    put(stores, MODEL_METRICS, [of_all | {METRIC: metric, VALUE: value} for metric, value in scores.items()], DAYS[-1])


def judged(stores: Stores, suspicious: float = 0.1) -> StageResult:
    """An execution that trains nothing, so that what is judged is what was stored."""
    settings = plain_settings(stores.home, models={"suspicious_rank_ic": suspicious})
    return execute(replace(stage_of(("models", NAME), settings), body=lambda _context: None), stores, settings)


def test_a_rank_ic_that_only_a_leak_explains_blocks_what_lies_downstream_and_tells_the_remedy(stores: Stores) -> None:
    trained(stores, 1, 0.4)
    blocked = judged(stores).blocked
    assert set(blocked) == {PLAUSIBLE_IC}
    facts = blocked[PLAUSIBLE_IC].facts
    assert (facts[RANK_IC], facts["suspicious_rank_ic"]) == (0.4, 0.1)
    assert "models.suspicious_rank_ic" in str(facts["remedy"])


def test_the_limit_is_that_of_the_settings_and_the_latest_training_counts(stores: Stores) -> None:
    trained(stores, 1, 0.4)
    assert judged(stores, 0.5).checks[PLAUSIBLE_IC].passed
    trained(stores, 2, 0.04)
    assert judged(stores).checks[PLAUSIBLE_IC].passed


def test_another_model_s_training_is_not_its_own(stores: Stores) -> None:
    trained(stores, 1, 0.4, model="lightgbm")
    assert judged(stores).checks[PLAUSIBLE_IC].passed


def test_what_may_be_foretold_that_well_raises_no_suspicion(stores: Stores) -> None:
    trained(stores, 1, 0.4, target="volatility")
    assert judged(stores).checks[PLAUSIBLE_IC].passed
