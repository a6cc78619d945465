"""The base of every model of trees: the size of leaves, and the file with what a fit depended on."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final, Self

from stock_pipeline.models.estimators.estimator import Conditions, Parametrised

SETTINGS_FILE: Final = "settings.json"


class TreeModel(Parametrised, ABC):
    """A model whose files are its library's own trees and ``settings.json``: all else that it is."""

    window: Final = 1

    def save(self, folder: Path) -> None:
        """Write the trees, in the library's own format, and ``settings.json`` into ``folder``."""
        self._save_trees(folder)
        settings = {
            "conditions": asdict(self.conditions),
            "arguments": self.arguments(),
            "feature_names": self.feature_names,
            "numbers": self._numbers(),
        }
        (folder / SETTINGS_FILE).write_text(json.dumps(settings, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote into ``folder``."""
        settings = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
        model = cls(Conditions(**settings["conditions"]), **settings["arguments"])
        model.feature_names = tuple(settings["feature_names"])
        model._load_trees(folder, settings["numbers"])
        return model

    @abstractmethod
    def _save_trees(self, folder: Path) -> None: ...

    @abstractmethod
    def _load_trees(self, folder: Path, numbers: Mapping[str, float]) -> None:
        """Take the trees from ``folder``, and what ``_numbers`` said of them."""

    def _numbers(self) -> Mapping[str, float]:
        """What the fit found besides the trees."""
        return {}


def min_data_in_leaf(samples: int) -> int:
    """Fewest samples in a leaf: a hundredth of ``samples``, but at least 5 (to learn from small panels) and at most 1,000.

    The ridge penalty on leaves has the same size, so that the smallest leaf says half of what its own mean would.
    """
    return min(max(samples // 100, 5), 1000)
