"""``python -m benchmarks.watched_run RECORD [FILES]``: what ``stock-pipeline run`` does, with a gauge on every asset.

RECORD is the file to write the measurements to. The packaged sample is run unless FILES, a path or a glob, is given.
"""

import sys
from pathlib import Path

from benchmarks.memory import peak_bytes, reset_peak
from benchmarks.stage_record import StageRecord, append_record
from stock_pipeline.command_line.errors import FAILED, handles_errors
from stock_pipeline.orchestration.progress import Event, Finished, Started


class Gauge:
    """Measures memory from the beginning of each asset to its end and writes it down with its rows and seconds."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._is_reset = False

    def __call__(self, event: Event) -> None:
        """Start or stop measuring."""
        if isinstance(event, Started):
            self._is_reset = reset_peak()
        elif isinstance(event, Finished):
            # Without the reset the mark is that of the whole process so far, not of this asset.
            own = peak_bytes() if self._is_reset else None
            append_record(self._record, StageRecord(event.asset, event.rows, event.seconds, own))


@handles_errors
def main(record: Path, files: str | None) -> None:
    """Run the full pipeline; exit codes as those of the command line."""
    from stock_pipeline.command_line.run import full_run
    from stock_pipeline.orchestration.options import RunOptions

    if not full_run(RunOptions(source="files" if files else "sample", path=files), None, listener=Gauge(record)):
        sys.exit(FAILED)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
