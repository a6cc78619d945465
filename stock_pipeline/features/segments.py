"""Segments: a symbol's bars from one corporate action until the next, preceded by the history that their windows need.

The prices of a segment and of its history are made comparable with the segment's own bars, by the actions up to it and by none that
came later. So the values of a session are those that its own night would have computed, to the last bit, whether one session is
made or ten years of them: a price that is scaled by a later dividend and back again differs in its last bit.
"""

from collections.abc import Iterator
from typing import Final

import polars as pl

from stock_pipeline.core.columns import PRICE_FACTOR, PRICES, VOLUME, VOLUME_FACTOR
from stock_pipeline.features.bars import FIRST_OF_SYMBOL, PLACE
from stock_pipeline.market_data.adjustments import product_of_later

SEGMENT: Final = "segment"
TARGET: Final = "target"  # a bar of the segment, not of its history
EMPTY_BEFORE: Final = "empty_before"  # sessions without a bar that the windows reach over before the segment's first row

_ROW: Final = "row"
_FIRST, _START, _END = "first_row", "start_row", "end_row"


def segments(bars: pl.DataFrame, first_place: int, span: int, most_rows: int) -> Iterator[pl.DataFrame]:
    """The segments that have bars from ``first_place`` on, several to a frame of about ``most_rows``.

    Args:
        bars: what ``bars.usable_bars`` returns.
        first_place: number of the session from which on bars are targets.
        span: sessions, the current one included, that the values of a bar may depend on.
        most_rows: about how many rows a frame has; one segment may have more.

    Yields:
        The columns of ``bars`` with prices and volume comparable within the segment, segment, target and empty_before; rows lie in the
        order of segment and session.
    """
    found = _find(bars, first_place, span)
    ends = (found[_END] - found[_START]).cum_sum()
    for (_,), part in found.group_by((ends - 1) // most_rows, maintain_order=True):
        rows = part.select(SEGMENT, _FIRST, EMPTY_BEFORE, pl.int_ranges(_START, _END).alias(_ROW)).explode(_ROW)
        taken = bars[rows[_ROW]].with_columns(rows[SEGMENT], rows[EMPTY_BEFORE], (rows[_ROW] >= rows[_FIRST]).alias(TARGET))
        yield _comparable(taken)


def _find(bars: pl.DataFrame, first_place: int, span: int) -> pl.DataFrame:
    """Every segment: its number, the row of its first target, the rows to take (start up to before end), empty_before."""
    begins = pl.col(FIRST_OF_SYMBOL) | (pl.col(PRICE_FACTOR) != 1) | (pl.col(VOLUME_FACTOR) != 1)
    numbered = bars.select(
        pl.int_range(pl.len()).alias(_ROW),
        begins.cum_sum().alias(SEGMENT),
        pl.col(FIRST_OF_SYMBOL).cum_sum().cast(pl.Int64).alias("symbol_number"),
        PLACE,
    )
    targets = numbered.filter(pl.col(PLACE) >= first_place)
    found = targets.group_by(SEGMENT, maintain_order=True).agg(
        pl.col("symbol_number").first(), pl.col(PLACE).first(), pl.col(_ROW).first().alias(_FIRST), (pl.col(_ROW).last() + 1).alias(_END)
    )
    # One ordered number for symbol and place, so that a search finds the first bar of the symbol from a place on.
    width = int(bars[PLACE].max() or 0) + span + 1  # type: ignore[arg-type]
    oldest = found[PLACE] - span + 1
    ordered = numbered["symbol_number"] * width + numbered[PLACE]
    starts = ordered.search_sorted(found["symbol_number"] * width + oldest.clip(0), side="left").cast(pl.Int64)
    return found.with_columns(starts.alias(_START), (bars[PLACE][starts] - oldest).alias(EMPTY_BEFORE))


def _comparable(taken: pl.DataFrame) -> pl.DataFrame:
    if (taken[PRICE_FACTOR] == 1).all() and (taken[VOLUME_FACTOR] == 1).all():
        return taken
    factors = {PRICE_FACTOR: PRICES, VOLUME_FACTOR: (VOLUME,)}
    return taken.with_columns(
        (pl.col(name) * product_of_later(pl.col(step), SEGMENT)).alias(name) for step, names in factors.items() for name in names
    )
