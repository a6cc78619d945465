"""The description of a drift statistic, and the bins of those that compare histograms."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stock_pipeline.drift.severity import Thresholds

Sample = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Statistic:
    """A statistic of two samples, 0 where they are alike and larger the more they differ.

    ``compute`` takes the reference and the current sample, one-dimensional, finite and not empty, in any order.
    ``p_value``, where there is one, takes the statistic's value and the sizes of the two samples.
    """

    name: str
    description: str
    compute: Callable[[Sample, Sample], float]
    thresholds: Thresholds
    p_value: Callable[[float, int, int], float] | None = None


BINS = 10


def bin_shares(reference: Sample, current: Sample, bins: int = BINS) -> tuple[Sample, Sample]:
    """Shares of reference and current in ``bins`` bins of equal reference count; ties at an edge make fewer bins.

    Half an observation is added to every bin, so that an empty one gives a large ratio and not an infinite one.
    """
    # Edges are values of the sample, so that a feature of few values gets a bin for each and none between them.
    edges = np.unique(np.quantile(reference, np.arange(1, bins) / bins, method="inverted_cdf"))
    return _shares(reference, edges), _shares(current, edges)


def _shares(sample: Sample, edges: Sample) -> Sample:
    counts = np.bincount(np.searchsorted(edges, sample, side="left"), minlength=edges.size + 1) + 0.5
    shares: Sample = counts / counts.sum()
    return shares
