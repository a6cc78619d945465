import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from stock_pipeline.core.processes import process_name
from stock_pipeline.core.scratch import scratch_folder, temporary_files_in
from stock_pipeline_tests.harness.dagster_services import PROJECT

USE = """
import os, signal, sys
from pathlib import Path
from stock_pipeline.core.scratch import scratch_folder
print((scratch_folder(Path(sys.argv[1])) / "file").write_text("x"), flush=True)
os.kill(os.getpid(), int(sys.argv[2])) if int(sys.argv[2]) else None
"""


def use_in_a_process(root: Path, number: int) -> int:
    command = [sys.executable, "-c", USE, str(root), str(number)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, check=False).returncode


def test_a_process_has_one_folder_for_as_long_as_it_lives(tmp_path: Path) -> None:
    own = scratch_folder(tmp_path / "scratch")
    assert own.is_dir() and scratch_folder(tmp_path / "scratch") == own
    own.rmdir()
    assert scratch_folder(tmp_path / "scratch").is_dir()


def test_it_goes_with_the_process_or_with_the_next_where_that_was_killed(tmp_path: Path) -> None:
    assert use_in_a_process(tmp_path, 0) == 0
    assert list(tmp_path.iterdir()) == []
    assert use_in_a_process(tmp_path, signal.SIGKILL) == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert (left / "file").exists()
    assert use_in_a_process(tmp_path, 0) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_dead_processes_left_goes_and_nothing_else(tmp_path: Path) -> None:
    living, another = tmp_path / process_name(os.getppid()), tmp_path / "of a person"
    for folder in (living, another, tmp_path / "1:another-0", tmp_path / f"{os.getpid()}:another-0"):
        folder.mkdir()
    own = scratch_folder(tmp_path)
    assert set(tmp_path.iterdir()) == {living, another, own}


def test_temporary_files_lie_there_for_the_block_those_of_children_too(tmp_path: Path) -> None:
    before = tempfile.gettempdir()
    script = "import tempfile; print(tempfile.gettempdir())"
    with temporary_files_in(tmp_path):
        with tempfile.TemporaryDirectory() as folder:
            assert Path(folder).parent == tmp_path
        assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == str(tmp_path)
    assert tempfile.gettempdir() == before
