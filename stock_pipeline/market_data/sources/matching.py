"""Which files a path or glob of the user means."""

import glob
import os
from pathlib import Path

from stock_pipeline.core.errors import InputError


def matching_files(pattern: str, setting: str) -> list[Path]:
    """The files that a path or glob means, in the order of their names.

    Raises:
        InputError: there is none; ``setting`` is where the user wrote the pattern.
    """
    literal = Path(os.path.expanduser(pattern))  # noqa: PTH111  (Path.expanduser raises where there is no such user)
    if literal.is_file():
        return [literal]
    if literal.is_dir():
        raise InputError(f"{setting} {pattern!r} is a folder; give the files in it, such as {str(literal / '*.csv')!r}")
    found = sorted(Path(name) for name in glob.glob(str(literal), recursive=True))  # noqa: PTH207  (takes absolute patterns)
    files = [path for path in found if path.is_file()]
    if not files:
        raise InputError(f"{setting} {pattern!r} matches no file; give a CSV or Parquet file or a glob")
    return files
