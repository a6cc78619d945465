import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.core.files import refuse_full_disk, sentence_on


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.EACCES, "the right to read and write"), (errno.EROFS, "another disk|a disk that can be written"), (errno.ENOSPC, "free space")],
)
def test_an_error_of_a_file_names_it_and_the_remedy(number: int, remedy: str) -> None:
    told = sentence_on(OSError(number, os.strerror(number), "/data/ml.duckdb"))
    assert told.startswith(f"/data/ml.duckdb: {os.strerror(number).lower()}; ")
    assert any(part in told for part in remedy.split("|"))


def test_an_error_without_a_file_or_a_remedy_is_a_sentence_too() -> None:
    assert sentence_on(OSError(errno.EIO, "Input/output error")) == "a file: input/output error"


Usage = namedtuple("Usage", ("free",))
MIB = 2**20


@pytest.mark.parametrize(("stored", "free", "needed"), [(0, 199, 200), (50, 199, 200), (300, 599, 600)])
def test_a_run_needs_room_for_a_backup_and_a_rewrite_of_what_is_stored(
    stored: int, free: int, needed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "ml.duckdb"
    with store.open("wb") as file:
        file.truncate(stored * MIB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(free * MIB))
    with pytest.raises(StockPipelineError, match=f"the disk of {tmp_path} has {free} MiB free, and a run needs {needed} MiB; free space"):
        refuse_full_disk(tmp_path, (store, tmp_path / "not there"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(needed * MIB))
    refuse_full_disk(tmp_path, (store, tmp_path / "not there"))
