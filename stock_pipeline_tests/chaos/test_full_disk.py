"""Whole runs on disks that are too small: one sentence, no traceback, and the next run on a larger disk goes on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stock_pipeline_tests.harness.dagster_services import PROJECT
from stock_pipeline_tests.harness.plain_settings import plain_environment

MOUNT, UNMOUNT = "/bin/mount", "/bin/umount"
pytestmark = pytest.mark.chaos

RUN = """
import sys
from stock_pipeline.core import files
files.LEAST_FREE_BYTES = int(sys.argv[1])
from stock_pipeline.command_line.main import main
main(["run"])
"""
SECONDS = 300


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty folder to mount small disks on."""
    if os.geteuid() or not Path(MOUNT).exists():
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run([MOUNT, "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run([UNMOUNT, folder], check=True)


def resize(disk: Path, mebibytes: int) -> None:
    subprocess.run([MOUNT, "-o", f"remount,size={mebibytes}m", disk], check=True)


def run(home: Path, least_free_bytes: int) -> "subprocess.CompletedProcess[str]":
    variables = {"STOCK_PIPELINE_HOME": str(home), "STOCK_PIPELINE_MODELS__NAMES": "spline_ridge"}
    command = [sys.executable, "-c", RUN, str(least_free_bytes)]
    return subprocess.run(
        command, cwd=PROJECT, env=plain_environment() | variables, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_a_run_on_a_small_disk_is_refused_before_it_begins(disk: Path) -> None:
    resize(disk, 60)
    ended = run(disk / "data", 200 * 2**20)
    assert ended.returncode == 1 and "has 60 MiB free, and a run needs 200 MiB" in ended.stderr
    assert not (disk / "data" / "market.duckdb").exists()


def test_where_the_disk_fills_up_the_run_says_so_and_goes_on_when_there_is_room(disk: Path) -> None:
    for mebibytes in (3, 8, 14, 25, 40):
        resize(disk, mebibytes)
        ended = run(disk / "data", 0)
        told = ended.stdout + ended.stderr
        assert ended.returncode == 1 and "Traceback" not in told
        assert "free space" in told or "no space left" in told.lower()
    resize(disk, 300)
    ended = run(disk / "data", 0)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]


def test_where_there_is_no_room_for_the_panel_the_model_fails_with_a_sentence_and_the_night_goes_on(disk: Path, tmp_path: Path) -> None:
    home = tmp_path / "data"
    home.mkdir()
    (home / "scratch").symlink_to(disk)
    for mebibytes in (10, 24):  # the features do not fit, and the rows beside them
        resize(disk, mebibytes)
        ended = run(home, 0)
        told = " ".join((ended.stdout + ended.stderr).split())
        assert ended.returncode == 1 and "Traceback" not in told
        assert f"models/spline_ridge failed: {home / 'scratch'}/" in told
        assert "no space left on device; free space on its disk" in told
        assert "drift/feature_drift: " in told and "maintenance/backups: " in told
        assert list(disk.iterdir()) == []
    resize(disk, 300)
    ended = run(home, 0)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
