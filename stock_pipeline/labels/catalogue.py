"""How many sessions the labels look ahead."""

from collections.abc import Sequence


def return_reach(horizon: int) -> int:
    """Sessions after its own on which the return over ``horizon`` sessions and its direction depend: one passes until the fill."""
    return horizon + 1


def purge_span(horizons: Sequence[int], volatility_horizon: int) -> int:
    """Sessions after its own on which a row of labels depends: what purging must keep apart."""
    return max(volatility_horizon, *(return_reach(horizon) for horizon in horizons))
