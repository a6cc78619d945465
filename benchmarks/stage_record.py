"""What a watched run writes down about every asset, one JSON object a line, and the figures made of it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.figure import Figure, mebibytes, seconds


@dataclass(frozen=True)
class StageRecord:
    """One asset of a run.

    Attributes:
        asset: its name, ``stage/name``.
        rows: rows that it wrote.
        seconds: seconds that it took, writing included.
        peak_bytes: the most memory of the main process that was resident meanwhile; None where the system does not tell.
    """

    asset: str
    rows: int
    seconds: float
    peak_bytes: int | None


def append_record(path: Path, record: StageRecord) -> None:
    """Write a record at the end of the file, so that a run that is stopped leaves what it had measured."""
    with path.open("a") as file:
        file.write(json.dumps(asdict(record)) + "\n")


def read_records(path: Path) -> list[StageRecord]:
    """The records of a file, in the order in which the assets ended; none where no asset has ended."""
    if not path.exists():
        return []
    return [StageRecord(**json.loads(line)) for line in path.read_text().splitlines()]


def stage_figures(records: Iterable[StageRecord]) -> Iterator[Figure]:
    """Rows, seconds and peak memory of every asset."""
    for record in records:
        yield Figure(f"{record.asset} rows", record.rows, "rows")
        yield seconds(f"{record.asset} seconds", record.seconds)
        yield mebibytes(f"{record.asset} peak memory of the main process", record.peak_bytes)
