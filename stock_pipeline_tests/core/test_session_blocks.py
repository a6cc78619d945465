"""Blocks of whole sessions: every session in one of them, in order, and none larger than it must be."""

from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import SESSION
from stock_pipeline.core.session_blocks import session_blocks
from stock_pipeline_tests.factories.panels import sessions

DAYS = sessions(12)


@given(st.lists(st.integers(0, 11), max_size=60), st.integers(1, 20))
def test_blocks_follow_one_another_and_are_as_large_as_they_may_be(places: list[int], most: int) -> None:
    held = pl.Series(SESSION, [DAYS[place] for place in places], pl.Date)
    blocks = session_blocks(held, most)
    counts = [int(held.is_between(first, last).sum()) for first, last in blocks]
    assert sum(counts) == len(places)
    bounds = [day for block in blocks for day in block]
    assert bounds == sorted(bounds) and all(last < first for (_, last), (first, _) in pairwise(blocks))
    for (first, last), count in zip(blocks, counts, strict=True):
        assert count <= most or first == last
    for ((_, end), (start, _)), count in zip(pairwise(blocks), counts, strict=False):
        assert end < start and count + int(held.eq(start).sum()) > most
