"""Samples: the rows that a model learns from or scores, each with access to the sessions before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import SESSION, SYMBOL

NONE_BEFORE = -1


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows of a panel as arrays. Several samples share one panel, so a part of them costs no copy of the features.

    Attributes:
        names: the features, in the order of the columns of ``x``.
        x: every row of the panel, float32 of shape (panel rows, features), all finite.
        session: number of each panel row's session, counted from 0, int32 of shape (panel rows,); it never falls.
        previous: place of the same stock's row one session before, or -1, int32 of shape (panel rows,).
        rows: places of the samples in the panel, ascending, int64 of shape (samples,).
    """

    names: tuple[str, ...]
    x: NDArray[np.float32]
    session: NDArray[np.int32]
    previous: NDArray[np.int32]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, panel: pl.DataFrame, names: Sequence[str]) -> "Samples":
        """Every row of a panel as a sample.

        Args:
            panel: session, symbol and the features ``names``, sorted by session; one row per symbol and session.
            names: the features.

        Raises:
            ValueError: a value is null or not finite (make the features ``model_inputs`` first), or the panel is not sorted.
        """
        session, previous = places_before(panel)
        return cls(tuple(names), matrix(panel, names), session, previous, np.arange(panel.height, dtype=np.int64))

    def take(self, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> "Samples":
        """Some of the samples, in their order."""
        return replace(self, rows=self.rows[which])

    def whole_sessions(self) -> "Samples":
        """Every row of the panel that is of the session of one of the samples."""
        return replace(self, rows=np.flatnonzero(np.isin(self.session, self.sessions)))

    def matrix(self) -> NDArray[np.float32]:
        """The samples' own features, shape (samples, features); not to be written to, as it may be a view of the panel."""
        if len(self) and self.rows[-1] - self.rows[0] + 1 == len(self):
            return self.x[self.rows[0] : self.rows[-1] + 1]
        return self.x[self.rows]

    def windows(self, length: int) -> NDArray[np.float32]:
        """Each sample's features of its session and the sessions before, shape (samples, length, features), the latest last.

        A window ends where the stock lacks a row: from there back it holds zeros, as a missing feature does.
        """
        made = np.zeros((len(self), length, len(self.names)), dtype=np.float32)
        there, place = np.arange(len(self)), self.rows.astype(np.int32)
        for back in range(length):
            made[there, length - 1 - back] = self.x[place]
            place = self.previous[place]
            has_one = place != NONE_BEFORE
            there, place = there[has_one], place[has_one]
        return made

    @cached_property
    def sessions(self) -> NDArray[np.int32]:
        """The number of each sample's session, shape (samples,)."""
        return self.session[self.rows]


def places_before(panel: pl.DataFrame) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """``session`` and ``previous`` of the samples of every row of a panel.

    Args:
        panel: session and symbol, sorted by session; one row per symbol and session.

    Raises:
        ValueError: the panel is not sorted.
    """
    if not panel[SESSION].is_sorted():
        raise ValueError("the panel is not sorted by session; sort it first")
    number = (pl.col(SESSION).rle_id().cast(pl.Int32)).alias("number")
    place = pl.int_range(pl.len(), dtype=pl.Int32)
    before = pl.when(pl.col("number").shift(1) == pl.col("number") - 1).then(pl.col("place").shift(1)).over(SYMBOL)
    places = panel.select(SYMBOL, number, place.alias("place")).select("number", before.fill_null(NONE_BEFORE).alias("previous"))
    return places["number"].to_numpy(), places["previous"].to_numpy()


def matrix(frame: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """The columns ``names`` as a float32 array of shape (rows, features), row after row in memory.

    Raises:
        ValueError: a value is null or not finite; make them ``model_inputs`` first.
    """
    values: NDArray[np.float32] = frame.select(pl.col(name).cast(pl.Float32) for name in names).to_numpy(order="c")
    if not np.isfinite(values).all():
        broken = [name for name, column in zip(names, values.T, strict=True) if not np.isfinite(column).all()]
        raise ValueError(f"features {', '.join(broken)} hold values that are null or not finite; make them model inputs first")
    return values
