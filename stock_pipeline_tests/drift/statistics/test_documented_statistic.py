"""The statistic of docs/add-a-drift-statistic.md, as it stands there."""

from typing import Final, cast

import numpy as np

from stock_pipeline.drift.severity import severity
from stock_pipeline.drift.statistics.statistic import Statistic
from stock_pipeline_tests.harness.pages import run_block

WASSERSTEIN: Final = cast(Statistic, run_block("add-a-drift-statistic.md")["WASSERSTEIN"])


def test_the_statistic_of_the_page_tells_how_far_values_moved() -> None:
    sample = np.random.default_rng(3).normal(size=500)
    assert WASSERSTEIN.compute(sample, sample) == 0
    assert np.isclose(WASSERSTEIN.compute(sample, sample + 0.3), 0.3)


def test_a_planted_shift_is_graded_by_its_thresholds() -> None:
    sample = np.random.default_rng(3).normal(size=500)
    graded = [severity(WASSERSTEIN.compute(sample, sample + by), WASSERSTEIN.thresholds) for by in (0.1, 0.22, 0.3, 0.4, 0.6)]
    assert graded == ["NONE", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
