"""The residual returns of stocks in one window, after their common factors are taken out.

The factors are the largest principal components of the stocks' standardised returns. Only projections on them are used, so that it
does not matter which sign a component comes with. Nothing here but arrays; ``factors.py`` lays the bars out for it.

Source: M. Avellaneda and J.-H. Lee, Statistical arbitrage in the US equities market (2010).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESIDUAL_1: Final = "residual_1"
RESIDUAL_5: Final = "residual_5"
RESIDUAL_OVERNIGHT: Final = "residual_overnight"
REVERSION: Final = "reversion"
UNEXPLAINED: Final = "unexplained"
RESIDUAL_AT_PEAK_VOLUME: Final = "residual_at_peak_volume"
VALUES: Final = (RESIDUAL_1, RESIDUAL_5, RESIDUAL_OVERNIGHT, REVERSION, UNEXPLAINED, RESIDUAL_AT_PEAK_VOLUME)

COMPONENTS: Final = 5
STOCKS_PER_COMPONENT: Final = 8  # with fewer a component would be the stocks' own movement rather than a common one

_FLAT: Final = 1e-12  # a deviation of returns this small is the rounding of prices
_EXPLAINED: Final = 1e-6  # a residual this small against a deviation of 1 is rounding: the factors explain the stock
_NO_COMPONENT: Final = 1e-10  # an eigenvalue this small against the sum of all is rounding
_DECIMALS: Final = 9  # to which logarithms of volume are compared, so that rounding does not break ties


def own_movements(returns: Array, overnight: Array, log_volume: Array) -> dict[str, Array]:
    """The values named in ``VALUES`` for each stock, NaN where there is none.

    Args:
        returns: sessions x stocks, the oldest first; 0 where one is missing, never NaN.
        overnight: the last session's return from the close before to the open, per stock.
        log_volume: sessions x stocks, comparable over the window; NaN where there was no volume.

    Returns:
        One array per name. A stock that did not move is left out; of fewer than ``STOCKS_PER_COMPONENT`` others none has values.
    """
    values = {name: np.full(returns.shape[1], np.nan) for name in VALUES}
    deviation = returns.std(axis=0)
    moving = np.flatnonzero(deviation > _FLAT)
    components = min(COMPONENTS, len(moving) // STOCKS_PER_COMPONENT)
    if components == 0:
        return values
    taken = returns.take(moving, axis=1)
    standardised = (taken - taken.mean(axis=0)) / deviation[moving]
    factors, loadings = _principal_components(standardised, components)
    own = standardised - factors @ (factors.T @ standardised)
    own[:, np.square(own).mean(axis=0) < _EXPLAINED**2] = 0.0
    night = overnight[moving] / deviation[moving]
    squares = np.square(own).sum(axis=0)
    with np.errstate(invalid="ignore"):  # where nothing is left there is nothing that could revert
        persistence = (own[1:] * own[:-1]).sum(axis=0) / squares
    values[RESIDUAL_1][moving] = own[-1]
    values[RESIDUAL_5][moving] = own[-5:].mean(axis=0)
    values[RESIDUAL_OVERNIGHT][moving] = night - (loadings @ night) @ loadings
    values[REVERSION][moving] = persistence * own[-1]
    values[UNEXPLAINED][moving] = np.sqrt(squares / len(own))  # the mean is 0, as that of the standardised returns
    values[RESIDUAL_AT_PEAK_VOLUME][moving] = _at_peak_volume(own, log_volume.take(moving, axis=1))
    return values


def _principal_components(standardised: Array, most: int) -> tuple[Array, Array]:
    """The largest components: their course (sessions x components), and the stocks' loadings (components x stocks), of unit length each."""
    eigenvalues, vectors = np.linalg.eigh(standardised @ standardised.T)
    there = eigenvalues[-most:] > _NO_COMPONENT * np.trace(standardised @ standardised.T)
    factors = np.ascontiguousarray(vectors[:, -most:][:, there])
    return factors, factors.T @ standardised / np.sqrt(eigenvalues[-most:][there])[:, None]


def _at_peak_volume(own: Array, log_volume: Array) -> Array:
    """The residual of the session whose volume stood out most, against the stock's own mean and then against that session's stocks.

    The stock's own mean moves no peak where all have volume; taken out first, it keeps a stock that lacks some from weighing on the
    others by its size. Of equal sessions the oldest counts.
    """
    there = np.isfinite(log_volume)
    unusual = _centred(np.where(there, log_volume, 0.0), there, axis=0)
    unusual = _centred(unusual, there, axis=1)
    peak = np.where(there, unusual.round(_DECIMALS), -np.inf).argmax(axis=0)
    return np.where(there.any(axis=0), own[peak, np.arange(own.shape[1])], np.nan)


def _centred(values: Array, there: NDArray[np.bool_], axis: int) -> Array:
    """The values less their mean along the axis, 0 where there is none."""
    mean = values.sum(axis=axis, keepdims=True) / np.maximum(there.sum(axis=axis, keepdims=True), 1)
    return np.where(there, values - mean, 0.0)
