import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.core.files import REMEDIES, naming, refuse_full_disk, sentence_on

REMEDY_OF_A_FULL_DISK = REMEDIES[errno.ENOSPC]


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


@pytest.mark.parametrize(
    ("met", "told"),
    [
        (OSError("No space left on device (os error 28)"), f"/scratch/panel: no space left on device; {REMEDY_OF_A_FULL_DISK}"),  # Polars
        (OSError(errno.ENOSPC, "No space left on device"), f"/scratch/panel: no space left on device; {REMEDY_OF_A_FULL_DISK}"),
        (OSError(errno.ENOSPC, "No space left on device", "/else"), f"/else: no space left on device; {REMEDY_OF_A_FULL_DISK}"),
    ],
)
def test_an_error_that_does_not_name_its_file_is_given_one(met: OSError, told: str) -> None:
    with pytest.raises(OSError) as caught, naming(Path("/scratch/panel")):
        raise met
    assert sentence_on(caught.value) == told


def test_an_error_of_which_nothing_is_known_stays_as_it_is() -> None:
    with pytest.raises(OSError, match="what is this") as caught, naming(Path("/scratch/panel")):
        raise OSError("what is this")
    assert caught.value.filename is None
