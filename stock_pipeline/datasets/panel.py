"""The training panel: what models learn from, in memory or as files that several processes share."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import SESSION, SYMBOL, TARGET
from stock_pipeline.core.content_hash import content_hash
from stock_pipeline.datasets.samples import Samples, places_before

FEATURES_FILE: Final = "features.npy"
SESSIONS_FILE: Final = "sessions.npy"
PREVIOUS_FILE: Final = "previous.npy"
ROWS_FILE: Final = "rows.arrow"


@dataclass(frozen=True, eq=False)
class Panel:
    """The rows of a panel beside the samples made of them.

    Attributes:
        rows: session, symbol, the columns of the outcomes, target (null where it is not known) and the exposures, sorted by session and
            symbol, one row for each.
        samples: the features of every row, in the same order.
    """

    rows: pl.DataFrame
    samples: Samples

    @classmethod
    def of(cls, frame: pl.DataFrame, names: Sequence[str]) -> "Panel":
        """The panel of a frame in any order that has the features ``names`` among its columns."""
        ordered = frame.sort(SESSION, SYMBOL)
        return cls(ordered, Samples.of(ordered, names))

    def save(self, folder: Path) -> None:
        """Write the panel into ``folder``, which exists."""
        _save(folder / FEATURES_FILE, self.samples.x)
        save_rows(folder, self.rows)

    @classmethod
    def open(cls, folder: Path, names: Sequence[str]) -> "Panel":
        """The panel in ``folder``. Its features are mapped, not read, so that processes that open it share one copy of them."""
        rows = pl.read_ipc(folder / ROWS_FILE)
        x, session, previous = (_mapped(folder / name) for name in (FEATURES_FILE, SESSIONS_FILE, PREVIOUS_FILE))
        return cls(rows, Samples(tuple(names), x, session, previous, np.arange(rows.height, dtype=np.int64)))


@contextmanager
def array_file(file: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Make a NumPy file of an array of that type and shape; yields a function that appends some of its rows.

    By ordinary writes, which say what is wrong: one into a mapped file on a full disk ends the process by a signal, and NumPy's own
    tell only how many bytes were written.
    """
    with file.open("wb") as out:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(out, header)
        yield lambda rows: _append(out, np.ascontiguousarray(rows, dtype))


def _append(out: BinaryIO, rows: NDArray[Any]) -> None:
    out.write(rows.tobytes())


def _save(file: Path, array: NDArray[Any]) -> None:
    with array_file(file, array.dtype, array.shape) as append:
        append(array)


def save_rows(folder: Path, rows: pl.DataFrame) -> None:
    """Write the rows of a panel, sorted by session and symbol, beside its features."""
    session, previous = places_before(rows)
    _save(folder / SESSIONS_FILE, session)
    _save(folder / PREVIOUS_FILE, previous)
    rows.write_ipc(folder / ROWS_FILE)


def sessions_learned(folder: Path) -> pl.Series:
    """The session of each row with a target, of the panel that lies in ``folder``."""
    return pl.read_ipc(folder / ROWS_FILE, columns=[SESSION, TARGET]).drop_nulls(TARGET)[SESSION]


def hash_of_panel(folder: Path) -> str:
    """SHA-256 (hex) of the panel that lies in ``folder``, which depends on its values alone."""
    digest = hashlib.sha256(content_hash(pl.read_ipc(folder / ROWS_FILE), (SESSION, SYMBOL)).encode())
    with (folder / FEATURES_FILE).open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def digests_up_to(folder: Path, ends: Collection[date]) -> dict[date, str]:
    """For each of ``ends`` the SHA-256 (hex) of the panel's rows up to that session, which do not depend on what follows.

    Args:
        folder: where the panel lies.
        ends: sessions, of which the panel need not have rows.
    """
    rows = pl.read_ipc(folder / ROWS_FILE)
    counts = {end: int(rows[SESSION].search_sorted(end, side="right")) for end in sorted(ends)}
    features = np.load(folder / FEATURES_FILE, mmap_mode="r", allow_pickle=False)
    running, done, found = hashlib.sha256(), 0, {}
    for end, count in counts.items():
        running.update(features[done:count].tobytes())
        whole = running.copy()
        whole.update(content_hash(rows.head(count), (SESSION, SYMBOL)).encode())
        found[end], done = whole.hexdigest(), count
    return found


def _mapped(file: Path) -> NDArray[Any]:
    # asarray: libraries know arrays, and a mapped one's own class costs time at every slice.
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
