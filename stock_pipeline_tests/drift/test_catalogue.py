import numpy as np

from stock_pipeline.drift.catalogue import STATISTICS


def test_names_are_unique_and_every_statistic_starts_at_zero() -> None:
    sample = np.random.default_rng(0).normal(size=300)
    assert len({statistic.name for statistic in STATISTICS}) == len(STATISTICS)
    assert [statistic.compute(sample, sample) for statistic in STATISTICS] == [0] * len(STATISTICS)
    assert all(statistic.description for statistic in STATISTICS)
