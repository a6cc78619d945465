"""Trainings with an artefact on the disk, of a model that is one file of text."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from stock_pipeline.models.artefacts import Artefact, write_artefact
from stock_pipeline.models.manifest import Manifest
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.rows import put, training_row

MODEL_FILE = "model.txt"
WEIGHTS = "weights"


class TextModel:
    """What an artefact takes for a model: one file."""

    def save(self, folder: Path) -> None:
        (folder / MODEL_FILE).write_text(WEIGHTS)


def put_training(
    stores: Stores, model: str, training_id: str, as_of: date, parameters: Mapping[str, object] | None = None, **values: object
) -> Artefact:
    """Write the artefact of a training and its row of TRAININGS, ``parameters`` and ``values`` among it."""
    told = parameters or {}
    manifest = Manifest(model, training_id, as_of, as_of, as_of, ("f",), "00", 1, told, {}, 1, 1, "1")
    artefact = write_artefact(stores.home / "models", TextModel(), manifest)
    files = {"artefact": artefact.path.as_posix(), "sha256": artefact.sha256, "parameters": json.dumps(told)}
    put(stores, TRAININGS, [training_row(model, training_id, as_of, **files | values)], as_of)
    return artefact


def model_file(stores: Stores, artefact: Artefact) -> Path:
    """Where the model itself lies."""
    return stores.home / "models" / artefact.path / MODEL_FILE
