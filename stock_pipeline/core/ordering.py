"""Sorting of rows. Checking the order is much cheaper than sorting again, and most frames come sorted."""

from collections.abc import Sequence

import polars as pl


def strictly_ordered(frame: pl.DataFrame, names: Sequence[str]) -> bool:
    """Whether the rows are sorted by these columns, the first of them first, and no two rows are equal.

    False where a null decides.
    """
    if not names or frame.height < 2:
        return True
    greater = pl.lit(value=False)
    for name in reversed(names):
        now, before = pl.col(name), pl.col(name).shift(1)
        greater = (now > before) | ((now == before) & greater)
    return bool(frame.select(greater.slice(1).fill_null(value=False).all()).item())


def in_order(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The rows sorted by these columns, nulls last; the frame itself where they are in strict order already."""
    return frame if strictly_ordered(frame, names) else frame.sort(names, nulls_last=True)
