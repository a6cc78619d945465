import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stock_pipeline.core.atomic_files import replacing, write_text

PROJECT = Path(__file__).resolve().parents[2]
KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from stock_pipeline.core.atomic_files import replacing
with replacing(Path(sys.argv[1])) as unfinished:
    if sys.argv[2] == "folder":
        unfinished.mkdir()
        unfinished = unfinished / "part"
    unfinished.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def fill_file(place: Path, text: str) -> None:
    place.write_text(text, encoding="utf-8")


def fill_folder(place: Path, text: str) -> None:
    place.mkdir()
    fill_file(place / "part", text)


FILLED = pytest.mark.parametrize("fill", [fill_file, fill_folder])
Fill = Callable[[Path, str], None]


def text_of(place: Path) -> str:
    return (place / "part" if place.is_dir() else place).read_text(encoding="utf-8")


@FILLED
def test_it_is_there_once_it_is_whole_and_leaves_nothing_beside_it(fill: Fill, tmp_path: Path) -> None:
    place = tmp_path / "a" / "folder" / "thing.txt"
    with replacing(place) as unfinished:
        fill(unfinished, "all")
        assert unfinished.parent == place.parent and not place.exists()
    assert text_of(place) == "all"
    assert list(place.parent.iterdir()) == [place]


def test_a_file_takes_the_place_of_an_older_one_only_at_the_end(tmp_path: Path) -> None:
    place = tmp_path / "thing.txt"
    place.write_text("old")
    with replacing(place) as unfinished:
        unfinished.write_text("new")
        assert place.read_text() == "old"
    assert place.read_text() == "new"


@FILLED
def test_where_something_fails_the_old_stays_and_nothing_new_does(fill: Fill, tmp_path: Path) -> None:
    place = tmp_path / "thing.txt"
    place.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(place) as unfinished:
        fill(unfinished, "half")
        raise KeyboardInterrupt
    assert place.read_text() == "old"
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("killed_at", ["file", "folder"])
@FILLED
def test_what_a_killed_process_left_is_not_there_and_is_not_in_the_way(fill: Fill, killed_at: str, tmp_path: Path) -> None:
    place = tmp_path / "thing.txt"
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(place), killed_at]
    ended = subprocess.run(command, cwd=PROJECT, env=os.environ | {"PYTHONPATH": str(PROJECT)}, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL and len(list(tmp_path.iterdir())) == 1
    assert not place.exists()
    with replacing(place) as unfinished:
        fill(unfinished, "all")
    assert text_of(place) == "all"
    assert list(tmp_path.iterdir()) == [place]


def test_a_link_that_was_left_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    elsewhere, place = tmp_path / "elsewhere", tmp_path / "thing"
    fill_folder(elsewhere, "precious")
    with replacing(place) as unfinished:
        left = unfinished
        unfinished.write_text("")
    place.unlink()
    left.symlink_to(elsewhere, target_is_directory=True)
    with replacing(place) as unfinished:
        fill_folder(unfinished, "all")
    assert (text_of(place), text_of(elsewhere)) == ("all", "precious")


def test_a_folder_is_not_put_in_the_place_of_another(tmp_path: Path) -> None:
    place = tmp_path / "thing"
    fill_folder(place, "old")
    with pytest.raises(OSError, match="not empty"), replacing(place) as unfinished:
        fill_folder(unfinished, "new")
    assert text_of(place) == "old"


def test_text_is_written_in_utf_8(tmp_path: Path) -> None:
    write_text(tmp_path / "page.html", "Grüße, 価格")
    assert (tmp_path / "page.html").read_bytes().decode("utf-8") == "Grüße, 価格"
