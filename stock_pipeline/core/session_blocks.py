"""Whole sessions in blocks of so many rows, for work whose memory must not grow with the panel."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import SESSION


def session_blocks(sessions: pl.Series, most_rows: int) -> list[tuple[date, date]]:
    """The first and the last session of each block, in order.

    Args:
        sessions: the session of every row, in any order.
        most_rows: rows of a block at most, unless one session has more of them.
    """
    sizes = pl.DataFrame({SESSION: sessions}).group_by(SESSION).len().sort(SESSION)
    blocks = list[list[date]]()
    rows = most_rows
    for session, size in sizes.iter_rows():
        if rows + size > most_rows:
            blocks.append([])
            rows = 0
        blocks[-1].append(session)
        rows += size
    return [(days[0], days[-1]) for days in blocks]
