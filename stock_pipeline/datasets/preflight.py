"""Whether a history is long enough for the walk-forward splits, tried before anything is written."""

from collections.abc import Sequence
from datetime import date

from stock_pipeline.datasets.splits import chosen_splits
from stock_pipeline.labels.catalogue import return_reach
from stock_pipeline.settings import Settings


def check_history(settings: Settings, sessions: Sequence[date]) -> None:
    """Refuse a history that is too short for the splits of the settings. The last sessions have no label yet.

    Args:
        settings: for the splits and the labels.
        sessions: all that there are, in order.

    Raises:
        InputError: they are too few.
    """
    chosen_splits(sessions[: -return_reach(settings.labels.horizons[0])], settings.datasets, settings.labels)
