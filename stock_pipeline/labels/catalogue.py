"""Which returns there are labels of, and how many sessions the labels look ahead."""

from collections.abc import Sequence
from typing import Final

from stock_pipeline.settings import LabelSettings

ONE_SESSION: Final = 1  # the horizon of the return that marks a book, whatever horizon models predict


def labelled_horizons(chosen: LabelSettings) -> tuple[int, ...]:
    """The horizons of the returns that are labelled: those of the settings, and one session where they lack it."""
    return chosen.horizons if ONE_SESSION in chosen.horizons else (*chosen.horizons, ONE_SESSION)


def predicted_horizon(chosen: LabelSettings) -> int:
    """The horizon of the return that models predict: the first of the settings. Scores are judged against it."""
    return chosen.horizons[0]


def return_reach(horizon: int) -> int:
    """Sessions after its own on which the return over ``horizon`` sessions and its direction depend: one passes until the fill."""
    return horizon + 1


def purge_span(horizons: Sequence[int], volatility_horizon: int) -> int:
    """Sessions after its own on which a row of labels depends: what purging must keep apart."""
    return max(volatility_horizon, *(return_reach(horizon) for horizon in horizons))
