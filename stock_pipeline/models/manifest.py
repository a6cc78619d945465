"""Metadata of a trained model: what its training depended on, and its manifest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Final

from stock_pipeline import __version__
from stock_pipeline.datasets.catalogue import RETURN_KIND
from stock_pipeline.features.catalogue import hash_features
from stock_pipeline.models.estimators.estimator import Conditions, Device

MANIFEST_FILE: Final = "manifest.json"
CODE_VERSION: Final = "6"  # to be raised where the same inputs come to train another model
MADE_BY: Final = f"{__version__}, {CODE_VERSION}"


@dataclass(frozen=True)
class Manifest:
    """The metadata of a trained model.

    ``rows`` and ``train_from`` to ``train_to`` say what the final model was fitted on; ``metrics`` are its out-of-fold scores and the
    numbers that give its scores their meaning;
    ``target`` names the kind of target, ``exposures`` are what its scores are neutralised against, and ``window`` is how many sessions
    of features a score rests on; ``files`` (file name to SHA-256) is filled in by ``write_artefact``.
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
class TrainingInputs:
    """All that a training depends on, from which its name follows.

    ``as_of`` is the last session of which data were known, ``features`` are in their order, ``data_hash`` is
    ``core.content_hash`` of the training panel, or for a stack anything that identifies its members.
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
        named = [self.model, self.as_of.isoformat(), self.features_hash, self.data_hash, dict(self.parameters)]
        inputs = [*named, asdict(self.conditions), self.code_version]
        name = _name(inputs)
        while name in held[:-1]:
            name = _name([*inputs, name])
        return name


def _name(inputs: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
