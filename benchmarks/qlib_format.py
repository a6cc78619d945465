"""A panel of bars in the files that Qlib reads: a calendar, a list of instruments, and one binary file per symbol and field."""

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, OPEN, SESSION, SYMBOL, VOLUME

FIELDS: Final = (OPEN, HIGH, LOW, CLOSE, VOLUME, "vwap")
MARKET: Final = "all"


def write_for_qlib(panel: pl.DataFrame, folder: Path) -> None:
    """Write the panel (symbol, session, open, high, low, close, volume) below ``folder``, VWAP being the typical price.

    A field's file holds little-endian 32-bit floats: the number of the first session, then a value per session, NaN where there is none.
    """
    sessions = panel[SESSION].unique().sort()
    _write_lines(folder / "calendars" / "day.txt", [str(day) for day in sessions])
    by_symbol = panel.with_columns(((pl.col(HIGH) + pl.col(LOW) + pl.col(CLOSE)) / 3).alias("vwap")).partition_by(SYMBOL, as_dict=True)
    tenures = []
    for (symbol,), bars in sorted(by_symbol.items()):
        places = np.searchsorted(sessions.to_numpy(), bars[SESSION].to_numpy())
        tenures.append(f"{symbol}\t{sessions[int(places.min())]}\t{sessions[int(places.max())]}")
        for field in FIELDS:
            values = np.full(places.max() - places.min() + 1, np.nan)
            values[places - places.min()] = bars[field].to_numpy()
            path = folder / "features" / str(symbol).lower() / f"{field}.day.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.concatenate([[places.min()], values]).astype("<f4").tofile(path)
    _write_lines(folder / "instruments" / f"{MARKET}.txt", tenures)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
