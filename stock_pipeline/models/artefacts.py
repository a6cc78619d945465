"""Writing artefacts: a trained model as a folder with a manifest, ``<models root>/<model>/<training_id>``.

A folder is written beside its place and renamed into it, so that it is there whole or not at all. ``reading`` reads it again.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Protocol

from stock_pipeline.core.atomic_files import replacing
from stock_pipeline.core.errors import ArtefactError
from stock_pipeline.models.manifest import MANIFEST_FILE, Manifest
from stock_pipeline.models.reading import artefact_path, check_artefact, sha256_of


class Saveable(Protocol):
    """A model that can be written into an artefact folder: an Estimator or a StackedModel."""

    def save(self, folder: Path) -> None:
        """Write its files into ``folder``."""
        ...


@dataclass(frozen=True)
class Artefact:
    """A written artefact: its folder (relative to the models root), its size, and the SHA-256 of its manifest."""

    path: Path
    training_id: str
    size_bytes: int
    sha256: str


def write_artefact(models_root: Path, estimator: Saveable, manifest: Manifest) -> Artefact:
    """Write ``estimator`` and ``manifest`` as the artefact folder of ``manifest.model`` and ``manifest.training_id``.

    An artefact that is there and intact is kept untouched, because active versions may point to it; a damaged one is
    replaced. After a crash at any moment the folder is whole or absent, and writing again mends what is left.

    Raises:
        InputError: the model's name or the training_id cannot name a folder.
    """
    relative = artefact_path(manifest.model, manifest.training_id)
    final = models_root / relative
    if not _is_intact(final):
        broken = final.with_name(f".{final.name}.broken")
        shutil.rmtree(broken, ignore_errors=True)
        with replacing(final) as draft:
            draft.mkdir()
            _fill(draft, estimator, manifest)
            if final.exists():
                final.rename(broken)
        for folder in (final.parent, models_root):
            _sync(folder)
        shutil.rmtree(broken, ignore_errors=True)
    size = sum(file.stat().st_size for file in final.iterdir())
    return Artefact(relative, manifest.training_id, size, sha256_of(final / MANIFEST_FILE))


def _fill(folder: Path, estimator: Saveable, manifest: Manifest) -> None:
    """Write model and manifest into the empty ``folder`` and push all of it to the disk."""
    estimator.save(folder)
    files = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
    text = json.dumps(asdict(replace(manifest, files=files)), default=date.isoformat, indent=2, sort_keys=True, allow_nan=False)
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")
    for path in (*folder.iterdir(), folder):
        _sync(path)


def _is_intact(folder: Path) -> bool:
    try:
        check_artefact(folder)
    except ArtefactError:
        return False
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
