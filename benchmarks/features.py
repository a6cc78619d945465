"""``features``: Alpha158 beside Qlib's own, memory and time of a whole rebuild, one night beside it, and how cost grows with symbols."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.cold_process import BenchmarkError, fresh_folder, run_cold
from benchmarks.figure import Figure, mebibytes, seconds
from benchmarks.made_up_panel import made_up_panel
from benchmarks.peers import python_of
from benchmarks.qlib_format import write_for_qlib

QLIB: Final = "pyqlib==0.9.7"
PEER_SCRIPT: Final = Path(__file__).with_name("qlib_peer.py")
SESSIONS: Final = 1250
SYMBOLS: Final = (125, 250, 500)
SETS: Final = ("core", "alpha158")
MOST_OF_QLIB, MOST_OF_REBUILD, MOST_OF_LINE, MOST_APART, MOST_MEBIBYTES = 0.1, 0.02, 1.15, 0.01, 4096.0


def measure(data: str | None) -> Iterator[Figure]:
    """Figures over made-up panels, and over the packaged sample or the files ``data``.

    Raises:
        BenchmarkError: a process failed.
    """
    with fresh_folder() as folder:
        by_symbols = {}
        for symbols in SYMBOLS:
            panel = folder / f"panel_{symbols}.parquet"
            made_up_panel(symbols, SESSIONS).write_parquet(panel)
            by_symbols[symbols] = _watched(folder, "compute", f"compute_{symbols}", str(panel))["cpu_seconds"]
            yield seconds(f"alpha158 of {symbols} symbols x {SESSIONS} sessions cpu seconds", by_symbols[symbols])
        fewest, most = SYMBOLS[0], SYMBOLS[-1]
        line = by_symbols[most] / by_symbols[fewest] / (most / fewest)
        yield Figure(f"cost per symbol at {most} over that at {fewest}", round(line, 3), "ratio", MOST_OF_LINE)
        yield from _beside_qlib(folder, most, by_symbols[most])
    for chosen in SETS:
        with fresh_folder() as folder:
            yield from _stored(_watched(folder, "store", f"store_{chosen}", chosen, *filter(None, [data])), chosen)


def _watched(folder: Path, mode: str, name: str, *arguments: str) -> dict[str, Any]:
    record = folder / f"{name}.json"
    run_cold(["-m", "benchmarks.watched_features", mode, str(record), *arguments], folder).require_success(name)
    measured: dict[str, Any] = json.loads(record.read_text())
    return measured


def _beside_qlib(folder: Path, symbols: int, our_seconds: float) -> Iterator[Figure]:
    try:
        python = python_of("qlib", QLIB)
    except BenchmarkError as error:
        print(f"Not compared with Qlib: {error}", file=sys.stderr)
        yield Figure("alpha158 share of qlib cpu", None, "ratio", MOST_OF_QLIB)
        return
    panel = pl.read_parquet(folder / f"panel_{symbols}.parquet")
    write_for_qlib(panel, folder / "qlib")
    record, values = folder / "qlib.json", folder / "qlib.parquet"
    arguments = [str(PEER_SCRIPT), str(folder / "qlib"), str(record), str(values)]
    run_cold(arguments, folder, python).require_success("Qlib's Alpha158")
    theirs = json.loads(record.read_text())["cpu_seconds"]
    yield seconds("qlib alpha158 of the same panel cpu seconds", theirs)
    yield Figure("alpha158 share of qlib cpu", round(our_seconds / theirs, 3), "ratio", MOST_OF_QLIB)
    yield Figure("alpha158 farthest from qlib", round(_apart(folder / f"compute_{symbols}.parquet", values), 6), "deviations", MOST_APART)


def _apart(ours: Path, theirs: Path) -> float:
    """The largest difference of a value from Qlib's, in standard deviations of its feature, where both have one."""
    instrument, day = pl.col("instrument").cast(pl.String).alias("symbol"), pl.col("datetime").cast(pl.Date).alias("session")
    qlibs = pl.read_parquet(theirs, use_pyarrow=True).with_columns(instrument, day)
    joined = pl.read_parquet(ours).join(qlibs, on=["symbol", "session"], suffix="_qlib", validate="1:1")
    names = [name for name in joined.columns if f"{name}_qlib" in joined.columns]
    if joined.height != qlibs.height or len(names) != len(qlibs.columns) - 4:
        raise BenchmarkError(f"Qlib computed {qlibs.height} rows of other symbols, sessions or features than ours")
    farthest = joined.select(
        ((pl.col(name) - pl.col(f"{name}_qlib").fill_nan(None)).abs().max() / pl.col(name).std()).alias(name) for name in names
    )
    return float(farthest.max_horizontal()[0])


def _stored(measured: dict[str, Any], chosen: str) -> Iterator[Figure]:
    yield Figure(f"{chosen} rows", measured["rows"], "rows")
    yield seconds(f"{chosen} rebuild seconds", measured["rebuild_seconds"])
    yield seconds(f"{chosen} rebuild cpu seconds", measured["rebuild_cpu_seconds"])
    peak = mebibytes(f"{chosen} rebuild peak memory", measured["peak_bytes"])
    yield Figure(peak.name, peak.value, peak.unit, MOST_MEBIBYTES)
    yield seconds(f"{chosen} one night seconds", measured["night_seconds"])
    yield seconds(f"{chosen} one night cpu seconds", measured["night_cpu_seconds"])
    share = measured["night_cpu_seconds"] / measured["rebuild_cpu_seconds"]
    yield Figure(f"{chosen} night share of rebuild cpu", round(share, 4), "ratio", MOST_OF_REBUILD)
