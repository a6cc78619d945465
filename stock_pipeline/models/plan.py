"""The plan of a training: all that it depends on besides the panel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from stock_pipeline.datasets.splits import Split
from stock_pipeline.models.catalogue import ModelEntry
from stock_pipeline.models.estimators.estimator import Conditions

ReportProgress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How a model is trained, besides the panel.

    ``splits`` are what ``walk_forward`` made of the panel's sessions. ``label_ends`` has for each session the one on which the last of
    its labels is known; every split is checked against it before anything is fitted. ``trials`` counts the sets of parameters to try;
    1 takes the model's own.
    """

    entry: ModelEntry
    feature_names: tuple[str, ...]
    splits: tuple[Split, ...]
    label_ends: Mapping[date, date]
    conditions: Conditions
    trials: int = 1
