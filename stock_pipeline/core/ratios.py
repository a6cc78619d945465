"""Annualised ratios of return to risk. Undefined ratios are None, never NaN or infinite."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

# Fractions, one a session, in the order of time.
Returns = npt.NDArray[np.float64]

SESSIONS_A_YEAR: Final = 252
# A deviation below this is rounding error of equal returns, not risk.
SMALLEST_DEVIATION: Final = 1e-12


def sharpe_ratio(returns: Returns) -> float | None:
    """The annualised mean over standard deviation (Sharpe, 1994); of returns less a benchmark's it is the information ratio."""
    deviation = sample_deviation(returns)
    return float(returns.mean()) / deviation * math.sqrt(SESSIONS_A_YEAR) if deviation else None


def sortino_ratio(returns: Returns) -> float | None:
    """The annualised mean over the root mean square of the losses, gains counting as zero (Sortino and van der Meer, 1991)."""
    if returns.size < 2:
        return None
    downside = math.sqrt(float((np.minimum(returns, 0.0) ** 2).mean()))
    return float(returns.mean()) / downside * math.sqrt(SESSIONS_A_YEAR) if downside > SMALLEST_DEVIATION else None


def sample_deviation(returns: Returns) -> float | None:
    """Sample standard deviation, exactly 0 where returns differ by rounding alone; None below two returns."""
    if returns.size < 2:
        return None
    deviation = float(returns.std(ddof=1))
    return deviation if deviation > SMALLEST_DEVIATION else 0.0
