"""Artefacts: a trained model as a folder with a manifest, ``<models root>/<model>/<training_id>``.

A folder is written beside its place and renamed into it, so that it is there whole or not at all; what is there is read only
after its hashes have been checked.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from stock_pipeline.core.atomic_files import replacing
from stock_pipeline.core.errors import ArtefactError, InputError
from stock_pipeline.datasets.catalogue import RETURN_KIND
from stock_pipeline.models.catalogue import STACK, model_entry
from stock_pipeline.models.estimators.estimator import Conditions, Device, Estimator
from stock_pipeline.models.stacking import StackedModel

MANIFEST_FILE: Final = "manifest.json"
SAFE_NAME: Final = re.compile(r"[a-z0-9_]+")
Loaded = TypeVar("Loaded")


class Saveable(Protocol):
    """What can be written into an artefact folder: an Estimator or a StackedModel."""

    def save(self, folder: Path) -> None:
        """Write its files into ``folder``."""
        ...


@dataclass(frozen=True)
class Manifest:
    """All there is to know about a trained model but the model itself.

    ``rows`` and ``train_from`` to ``train_to`` tell what the final model was fitted on; ``metrics`` are its out-of-fold scores;
    ``target`` names the kind of what it learnt, ``exposures`` are what its scores are freed from, and ``window`` is how many sessions
    of features one rests on; ``files`` (file name to SHA-256) is filled in by ``write_artefact``.
    """

    model: str
    training_id: str
    as_of: date
    train_from: date
    train_to: date
    features: tuple[str, ...]
    features_hash: str
    rows: int
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float | None]
    seed: int
    threads: int
    code_version: str
    target: str = RETURN_KIND.name
    exposures: tuple[str, ...] = ()
    window: int = 1
    trials: int = 1
    device: Device = "cpu"
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Artefact:
    """A written artefact: its folder (relative to the models root), its size, and the SHA-256 of its manifest."""

    path: Path
    training_id: str
    size_bytes: int
    sha256: str


def hash_features(names: Sequence[str]) -> str:
    """First 16 hex digits of the SHA-256 over the features' names, in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TrainingInputs:
    """All that a training depends on, from which its name follows.

    Attributes:
        model: the model's name.
        as_of: the session whose night's knowledge the training rests on.
        features: the features learnt from, in their order.
        data_hash: ``core.content_hash`` of the training panel; for a stack, anything that identifies its members.
        parameters: ``Estimator.parameters()``.
        conditions: seed, threads and device.
        code_version: version of the training code.
    """

    model: str
    as_of: date
    features: tuple[str, ...]
    data_hash: str
    parameters: Mapping[str, Any]
    conditions: Conditions
    code_version: str

    @cached_property
    def features_hash(self) -> str:
        """``hash_features`` of the features."""
        return hash_features(self.features)

    def training_id(self, held: Sequence[str] = ()) -> str:
        """The name of the training: 16 hex digits. Made again it has the same name, unless others have been made in between.

        Args:
            held: names of the model's trainings in the order in which they were made.
        """
        told = [self.model, self.as_of.isoformat(), self.features_hash, self.data_hash, dict(self.parameters)]
        inputs = [*told, asdict(self.conditions), self.code_version]
        name = _name(inputs)
        while name in held[:-1]:
            name = _name([*inputs, name])
        return name


def _name(inputs: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def artefact_path(model: str, training_id: str) -> Path:
    """Where an artefact lies, relative to the models root.

    Raises:
        InputError: a name holds anything but lower-case letters, digits and underscores, and so might lead elsewhere.
    """
    for what, name in (("model name", model), ("training_id", training_id)):
        if not SAFE_NAME.fullmatch(name):
            raise InputError(f"{what} {name!r} cannot name a folder; use lower-case letters, digits and underscores only")
    return Path(model) / training_id


def write_artefact(models_root: Path, estimator: Saveable, manifest: Manifest) -> Artefact:
    """Write ``estimator`` and ``manifest`` as the artefact folder of ``manifest.model`` and ``manifest.training_id``.

    An artefact that is there and intact is kept untouched, because versions in service may point to it; a damaged one is
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
    return Artefact(relative, manifest.training_id, size, _sha256(final / MANIFEST_FILE))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an artefact folder; the files that it lists are not looked at.

    Raises:
        ArtefactError: it is missing or is not a manifest.
    """
    path = folder / MANIFEST_FILE
    try:
        content = json.loads(path.read_bytes())
        dates = {name: date.fromisoformat(content[name]) for name in ("as_of", "train_from", "train_to")}
        lists = {name: tuple(content[name]) for name in ("features", "exposures") if name in content}
        return Manifest(**(content | dates | lists))
    except FileNotFoundError as error:
        raise ArtefactError(f"{path} is missing; train the model again or restore the file from a backup") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArtefactError(f"{path} is damaged; train the model again or restore the file from a backup") from error


def check_artefact(folder: Path, manifest_sha256: str | None = None) -> Manifest:
    """The manifest, once every file in the folder is the one that was written.

    Args:
        folder: the artefact folder.
        manifest_sha256: the manifest's own hash as a table recorded it; without it a manifest forged with its files would pass.

    Raises:
        ArtefactError: a file is missing, altered or not listed; the message names it.
    """
    manifest = read_manifest(folder)
    if manifest_sha256 is not None and _sha256(folder / MANIFEST_FILE) != manifest_sha256:
        raise ArtefactError(f"{folder / MANIFEST_FILE} is not the one that was recorded; train the model again or restore it from a backup")
    present = {file.name for file in folder.iterdir()} - {MANIFEST_FILE}
    for name in sorted(present | set(manifest.files)):
        if not (folder / name).is_file():
            raise ArtefactError(f"{folder / name} is missing; train the model again or restore the file from a backup")
        if manifest.files.get(name) != _sha256(folder / name):
            raise ArtefactError(
                f"{folder / name} is not the file that the manifest lists; train the model again or restore it from a backup"
            )
    return manifest


def load_estimator(folder: Path, manifest_sha256: str | None = None) -> Estimator:
    """The base model of an artefact folder, checked by ``check_artefact`` first.

    Raises:
        ArtefactError: the folder is damaged, its files do not hold the model, or it holds a stack.
        InputError: the catalogue no longer has the model.
    """
    manifest = check_artefact(folder, manifest_sha256)
    if manifest.model == STACK:
        raise ArtefactError(f"{folder} holds a stack, which has no estimator; load it with load_stack")
    return _load(folder, model_entry(manifest.model).load)


def load_stack(folder: Path, manifest_sha256: str | None = None) -> StackedModel:
    """The stack of an artefact folder, checked by ``check_artefact`` first.

    Raises:
        ArtefactError: the folder is damaged or holds a base model.
    """
    manifest = check_artefact(folder, manifest_sha256)
    if manifest.model != STACK:
        raise ArtefactError(f"{folder} holds the base model {manifest.model}, not a stack; load it with load_estimator")
    return _load(folder, StackedModel.load)


def _load(folder: Path, load: Callable[[Path], Loaded]) -> Loaded:
    try:
        return load(folder)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArtefactError(f"{folder} does not hold the model that its manifest tells of; train the model again") from error


def _fill(folder: Path, estimator: Saveable, manifest: Manifest) -> None:
    """Write model and manifest into the empty ``folder`` and push all of it to the disk."""
    estimator.save(folder)
    files = {file.name: _sha256(file) for file in sorted(folder.iterdir())}
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
