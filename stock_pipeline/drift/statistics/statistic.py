"""What a drift statistic is."""

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
