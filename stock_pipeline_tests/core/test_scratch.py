import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stock_pipeline.core.processes import process_name
from stock_pipeline.core.scratch import scratch_folder, temporary_files_in


def test_a_folder_is_there_for_the_block_and_for_no_longer(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "scratch") as one, scratch_folder(tmp_path / "scratch") as two:
        (one / "file").write_text("x")
        assert one.is_dir() and two.is_dir() and one != two
    assert list((tmp_path / "scratch").iterdir()) == []


def test_it_goes_where_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), scratch_folder(tmp_path):
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_what_dead_processes_left_goes_and_nothing_else(tmp_path: Path) -> None:
    living, another = tmp_path / f"{process_name(os.getpid())}.9", tmp_path / "of a person"
    for folder in (living, another, tmp_path / "1:another-0.0", tmp_path / f"{os.getpid()}:another-0.0"):
        folder.mkdir()
    with scratch_folder(tmp_path) as own:
        assert set(tmp_path.iterdir()) == {living, another, own}


def test_temporary_files_lie_there_for_the_block_those_of_children_too(tmp_path: Path) -> None:
    before = tempfile.gettempdir()
    script = "import tempfile; print(tempfile.gettempdir())"
    with temporary_files_in(tmp_path):
        with tempfile.TemporaryDirectory() as folder:
            assert Path(folder).parent == tmp_path
        assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == str(tmp_path)
    assert tempfile.gettempdir() == before
