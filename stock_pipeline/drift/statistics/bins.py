"""Shares of two samples in the same bins, for the statistics that compare histograms."""

import numpy as np

from stock_pipeline.drift.statistics.statistic import Sample

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
