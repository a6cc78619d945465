"""The checks of a training, too good to be true or of no use for telling stocks apart, judged after an execution."""

from dataclasses import replace
from pathlib import Path

import pytest

from stock_pipeline.core.columns import ALL_PERIODS, AS_OF, FOLD, METRIC, MODEL, PERIOD, RANK_IC, TOLD_APART_SHARE, TRAINING_ID, VALUE
from stock_pipeline.models.checks import PLAUSIBLE_IC, TELLS_STOCKS_APART
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


def trained(stores: Stores, number: int, rank_ic: float, model: str = NAME, target: str = "return", told_apart: float = 1.0) -> None:
    """A training whose rank IC is no luck, and that tells stocks apart on a share of the sessions."""
    training = f"{model}_{number}"
    put(stores, TRAININGS, [training_row(model, training, DAYS[number], number=number, target=target)], DAYS[-1])
    of_all = {TRAINING_ID: training, MODEL: model, AS_OF: DAYS[number], PART: TEST, FOLD: ALL_FOLDS, PERIOD: ALL_PERIODS, OBSERVATIONS: 9}
    scores = {RANK_IC: rank_ic, "rank_ic_t": 100 * rank_ic, TOLD_APART_SHARE: told_apart}
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


def test_a_model_that_tells_no_stocks_apart_is_warned_of_and_stops_nothing(stores: Stores) -> None:
    trained(stores, 1, 0.0, told_apart=0.94)
    result = judged(stores)
    assert (result.checks[TELLS_STOCKS_APART].passed, dict(result.blocked)) == (False, {})
    facts = result.checks[TELLS_STOCKS_APART].facts
    assert (facts[TOLD_APART_SHARE], facts["least_share"]) == (0.94, 0.95) and "made active" in str(facts["consequence"])
    trained(stores, 2, 0.0, told_apart=0.95)
    assert judged(stores).checks[TELLS_STOCKS_APART].passed


@pytest.mark.parametrize("target", ["volatility", "direction"])
def test_every_kind_of_model_must_tell_stocks_apart(stores: Stores, target: str) -> None:
    trained(stores, 1, 0.0, target=target, told_apart=0.0)
    assert not judged(stores).checks[TELLS_STOCKS_APART].passed
