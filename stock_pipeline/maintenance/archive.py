"""The archive of artefacts: a compressed file for each, from which its folder can be restored."""

import os
import shutil
import tarfile
from pathlib import Path

from stock_pipeline.core.atomic_files import replacing
from stock_pipeline.core.errors import ArtefactError
from stock_pipeline.core.layout import Layout
from stock_pipeline.models.reading import artefact_path


def archive_of(home: Path, model: str, training_id: str) -> Path:
    """The file that holds a training's artefact once it is archived."""
    return Layout(home).archive / artefact_path(model, training_id).with_suffix(".tar.gz")


def put_away(home: Path, model: str, training_id: str) -> Path | None:
    """Write a training's artefact into the archive, and leave its folder where it is; None where there is no folder.

    After a crash at any moment the file is whole or absent.

    Raises:
        ArtefactError: the file written differs from the folder.
    """
    source, target = Layout(home).models / artefact_path(model, training_id), archive_of(home, model, training_id)
    if not source.is_dir():
        return None
    with replacing(target) as draft:
        with tarfile.open(draft, "w:gz") as file:
            file.add(source, training_id)
        _compare(draft, source, training_id)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
    return target


def remove_folder(home: Path, model: str, training_id: str) -> bool:
    """Delete the folder of an artefact that the archive holds; returns whether there was one."""
    folder = Layout(home).models / artefact_path(model, training_id)
    if not folder.is_dir() or not archive_of(home, model, training_id).is_file():
        return False
    shutil.rmtree(folder)
    return True


def _compare(written: Path, source: Path, name: str) -> None:
    wanted = {f"{name}/{path.name}": path.read_bytes() for path in source.iterdir()}
    with tarfile.open(written, "r:gz") as file:
        members = [member for member in file.getmembers() if member.isfile()]
        held = {member.name: content.read() for member in members if (content := file.extractfile(member)) is not None}
    if held != wanted:
        raise ArtefactError(f"{written} differs from {source}; check the disk, then run the archive again")
