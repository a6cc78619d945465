"""Walk-forward folds that divide what a made-up panel leaves after the first training range."""

from collections.abc import Sequence
from datetime import date

from stock_pipeline.datasets.splits import Lengths, Split, walk_forward


def equal_folds(sessions: Sequence[date], folds: int, reach: int, embargo: int, min_train: int, window: int | None = None) -> list[Split]:
    """So many folds of equal length; the first trains on ``min_train`` sessions, and on those that do not divide evenly."""
    ordered = sorted(set(sessions))
    test, over = divmod(len(ordered) - min_train - reach - embargo, folds)
    return walk_forward(ordered, folds, reach, embargo, Lengths(min_train + over, test), window)
