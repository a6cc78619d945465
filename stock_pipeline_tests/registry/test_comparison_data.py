"""Comparisons of stored versions: on the folds that both scored, and on the nights since that one predicted and the other scored."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL, TARGET, TRAINING_ID, VERSION
from stock_pipeline.core.scores import daily_metrics
from stock_pipeline.models.tables import OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.registry.comparison import Comparison, compare
from stock_pipeline.registry.comparison_data import out_of_fold
from stock_pipeline.registry.promotion import judge
from stock_pipeline.registry.tables import LIVE_RESULTS
from stock_pipeline.settings import PromotionSettings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import ingested, out_of_fold_row, put, training_row

DAYS = sessions(70)
KEPT, SINCE = 40, 50  # folds kept by a retraining cover the first days; the first version has predicted since
SYMBOLS = [f"S{place}" for place in range(15)]
TARGETS = np.random.default_rng(3).uniform(-0.5, 0.5, (len(DAYS), len(SYMBOLS)))


def scores(knows: float, seed: int) -> pl.DataFrame:
    """A score for each stock and day that is partly its target."""
    said = knows * TARGETS + 0.1 * np.random.default_rng(seed).normal(size=TARGETS.shape)
    return pl.DataFrame(
        {
            SESSION: [day for day in DAYS for _ in SYMBOLS],
            SYMBOL: SYMBOLS * len(DAYS),
            SCORE: said.ravel(),
            TARGET: TARGETS.ravel(),
            FORWARD_RETURN: TARGETS.ravel() / 100,
        }
    )


FIRST = scores(0.1, 1)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """A first version with its folds and the nights since, and another model that was as good on these nights."""
    stores = ingested(tmp_path, DAYS[-1])
    put(stores, TRAININGS, [training_row("ridge", "first", DAYS[45]), training_row("forest", "other", DAYS[45])], DAYS[-1])
    train(stores, "first", FIRST.filter(pl.col(SESSION) < DAYS[KEPT]))
    live = daily_metrics(FIRST.filter(pl.col(SESSION) >= DAYS[SINCE]))
    others = daily_metrics(scores(0.3, 2))
    rows = [
        {**row, MODEL: model, TRAINING_ID: training, VERSION: 1}
        for model, training, daily in (("ridge", "first", live), ("forest", "other", others))
        for row in daily.iter_rows(named=True)
    ]
    put(stores, LIVE_RESULTS, rows, DAYS[-1])
    return stores


def train(stores: Stores, name: str, said: pl.DataFrame) -> None:
    rows = [out_of_fold_row("ridge", name, row[SESSION], row[SYMBOL], row[SCORE]) | row for row in said.iter_rows(named=True)]
    put(stores, OUT_OF_FOLD_PREDICTIONS, rows, DAYS[-1])


def retrained(stores: Stores, newest: pl.DataFrame) -> Comparison:
    """The comparison of the first version with a retraining that keeps its folds and says something else of the days since."""
    put(stores, TRAININGS, [training_row("ridge", "second", DAYS[-1], number=2)], DAYS[-1])
    kept = FIRST.filter(pl.col(SESSION) < DAYS[KEPT])
    train(stores, "second", pl.concat([kept, newest.filter(pl.col(SESSION) >= DAYS[KEPT])]))
    found = out_of_fold(stores)("second", "first")
    assert found is not None
    return found


def test_a_retraining_is_compared_on_the_nights_since_where_older_folds_say_the_same(stores: Stores) -> None:
    newest = scores(0.1, 5)
    found = retrained(stores, newest)
    assert (found.sessions, found.equal_sessions) == (KEPT + len(DAYS) - SINCE, KEPT)
    mine, its = (daily_metrics(said.filter(pl.col(SESSION) >= DAYS[SINCE])) for said in (newest, FIRST))
    alone = compare(mine, its)
    assert alone is not None and alone.equal_sessions == 0
    assert (found.t_statistic, found.p_value, found.correlation) == (alone.t_statistic, alone.p_value, alone.correlation)
    decision = judge(found, None, PromotionSettings())
    assert (
        decision.passed
        and f"the same scores on {KEPT} of them, which tell of no difference, and not worse beyond chance" in decision.reason
    )


def test_a_retraining_that_got_worse_since_is_refused_though_its_older_folds_are_those_of_the_active_version(stores: Stores) -> None:
    found = retrained(stores, scores(-0.2, 5))
    decision = judge(found, None, PromotionSettings())
    assert not decision.passed and "that is worse beyond chance" in decision.reason


def test_what_is_said_of_too_few_nights_is_tested_among_the_equal_ones(stores: Stores) -> None:
    put(stores, TRAININGS, [training_row("ridge", "second", DAYS[-1], number=2)], DAYS[-1])
    train(stores, "second", pl.concat([FIRST.filter(pl.col(SESSION) < DAYS[KEPT]), scores(-0.2, 5).filter(pl.col(SESSION) >= DAYS[-5])]))
    found = out_of_fold(stores)("second", "first")
    assert found is not None and (found.sessions, found.equal_sessions) == (KEPT + 5, KEPT)
    assert found.p_value is not None and found.p_value > 0.05 and judge(found, None, PromotionSettings()).passed


def test_a_version_that_was_never_active_is_compared_on_the_folds_alone(stores: Stores) -> None:
    newest = scores(0.1, 5)
    retrained(stores, newest)
    found = out_of_fold(stores)("first", "second")
    assert found is not None and found.sessions == found.equal_sessions == KEPT and found.p_value == 0.5
