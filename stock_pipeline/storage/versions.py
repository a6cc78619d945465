"""Point in time: the order of the versions of a row.

A version holds from the night ``known_from`` until the night ``known_to`` on which another took its place.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO
from stock_pipeline.core.ordering import strictly_ordered

ORDER = "__order"


def notice_restatements(
    history: pl.DataFrame, incoming: pl.DataFrame, key: Sequence[str], values: Sequence[str], night: date, tolerance: float = 0.0
) -> pl.DataFrame:
    """Date the rows of a source without capture dates: a first value from its own night, a changed one from ``night``.

    Args:
        history: every stored version of the rows concerned.
        incoming: the rows as the source has them now, with ``known_from`` set to the night of their own session.
        key: columns that name the row.
        values: columns whose change makes a restatement.
        night: the session on whose night the change was noticed.
        tolerance: share by which a number may differ from the stored one and still count as the same.

    Returns:
        ``incoming`` without the rows that repeat stored values, with ``known_from`` moved to ``night`` where a value changed.
    """
    if history.is_empty():
        return incoming
    latest = history.filter(pl.col(KNOWN_TO).is_null()).select([*key, *values, pl.lit(True).alias(ORDER)])
    joined = incoming.join(latest, on=list(key), how="left", suffix="__held")
    same = pl.all_horizontal(_is_same(name, incoming.schema[name], tolerance) for name in values)
    held = pl.col(ORDER).is_not_null()
    known_from = pl.when(held).then(pl.max_horizontal(pl.lit(night), KNOWN_FROM)).otherwise(KNOWN_FROM).alias(KNOWN_FROM)
    return joined.filter(~held | ~same).with_columns(known_from).select(incoming.columns)


def _is_same(name: str, dtype: pl.DataType, tolerance: float) -> pl.Expr:
    new, held = pl.col(name), pl.col(f"{name}__held")
    same = new.eq_missing(held)
    return same | ((new - held).abs() <= tolerance * held.abs()).fill_null(value=False) if tolerance and dtype.is_float() else same


def _same_as(rows_back: int, names: Sequence[str]) -> pl.Expr:
    """Whether the row has the same values as the one so many rows before it; false where there is none."""
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(rows_back)) for name in names)
    there = pl.int_range(pl.len()).is_between(max(rows_back, 0), pl.len() - 1 + min(rows_back, 0))
    return same & there


def merge_versions(history: pl.DataFrame, incoming: pl.DataFrame, key: Sequence[str], values: Sequence[str]) -> pl.DataFrame:
    """The full history of every incoming key: stored and new versions in the order in which they were known.

    Captures merged one by one in the order of their nights, all at once in any order, or twice give the same history. Of two versions
    known from the same night only the last one given counts. A version that only repeats the one before it is dropped. So where a
    forgotten capture is merged late and alone, it is no longer known that a later night confirmed the older value, and the captures
    after it must be merged again.

    Args:
        history: every stored version of (at least) the incoming keys, with ``known_from`` and ``known_to``.
        incoming: new versions with ``known_from``; several per key are allowed.
        key: columns that name the row.
        values: columns that make two versions differ; the other columns (such as the source) ride along.

    Returns:
        The columns of ``history``, one row per version, those of one key in the order of ``known_from``.
    """
    names = [*key]
    if history.is_empty() and strictly_ordered(incoming, names):  # nothing to merge: a first load
        return incoming.select(name for name in history.columns if name != KNOWN_TO).with_columns(pl.lit(None, pl.Date).alias(KNOWN_TO))
    concerned = history.join(incoming.select(names).unique(), on=names, how="semi").drop(KNOWN_TO)
    columns = [name for name in history.columns if name != KNOWN_TO]
    versions = pl.concat([concerned.select(columns), incoming.select(columns)]).with_row_index(ORDER)
    versions = versions.sort([*names, KNOWN_FROM, ORDER])
    superseded = _same_as(-1, [*names, KNOWN_FROM])  # the same night: the later one counts
    ordered = versions.filter(~superseded)
    news = ordered.filter(~(_same_as(1, names) & _same_as(1, values)))
    next_from = pl.when(_same_as(-1, names)).then(pl.col(KNOWN_FROM).shift(-1))
    return news.with_columns(next_from.alias(KNOWN_TO)).select(history.columns)
