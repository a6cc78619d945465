"""A hash of a table's content that does not depend on row order, library version or machine."""

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl

from stock_pipeline.core.ordering import in_order


def content_hash(frame: pl.DataFrame, key: Sequence[str]) -> str:
    """SHA-256 (hex) over the rows in the order of ``key`` and the columns in the order of their names.

    Two frames of numbers, booleans, dates and text have the same hash when they hold the same rows under the same names and types, nulls
    included. ``key`` makes a row unique: ties would make the order, and so the hash, arbitrary.
    """
    ordered = in_order(frame, key)
    digest = hashlib.sha256(str(ordered.height).encode())
    for name in sorted(ordered.columns):
        series = ordered[name]
        digest.update(f"\0{name}\0{series.dtype}\0".encode())
        # Most columns lack nothing, and most tables have many columns.
        missing = series.is_null().to_numpy() if series.null_count() else np.zeros(series.len(), dtype=bool)
        digest.update(np.packbits(missing).tobytes())
        digest.update(_value_bytes(series))
    return digest.hexdigest()


def _value_bytes(series: pl.Series) -> bytes:
    if series.dtype == pl.String:
        # Lengths first, so that ("ab", "c") and ("a", "bc") differ.
        filled = series.fill_null("").rechunk()
        text = filled.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()[2]
        lengths = filled.str.len_bytes()
        return lengths.to_numpy().tobytes() + (text.to_pybytes()[: lengths.sum()] if text is not None else b"")
    if series.dtype in (pl.Date, pl.Datetime):
        series = series.to_physical()
    if series.dtype == pl.Boolean:
        series = series.cast(pl.UInt8)
    return np.ascontiguousarray((series.fill_null(0) if series.null_count() else series).to_numpy()).tobytes()
