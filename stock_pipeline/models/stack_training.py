"""The training of the stack on given trainings of its members: weights, its own out-of-fold scores, its artefact and its rows."""

import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import MODEL, SESSION, TARGET, TRAINING_ID
from stock_pipeline.datasets.catalogue import RETURN_KIND
from stock_pipeline.datasets.reading import read_splits
from stock_pipeline.features.reading import chosen_set
from stock_pipeline.labels.catalogue import predicted_horizon
from stock_pipeline.models.calibration_data import calibration_of
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.charts import scores_chart, weights_chart
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.manifest import MADE_BY, Manifest, TrainingInputs
from stock_pipeline.models.metrics import overall
from stock_pipeline.models.presentation import charts_of, facts_of, tables_of
from stock_pipeline.models.reading import check_artefact, trainings_of
from stock_pipeline.models.recording import Fitted, Training, TrainingPredictions, recorded
from stock_pipeline.models.stacking import StackedModel, stack_out_of_fold, stack_scale, stack_weights, widen
from stock_pipeline.models.tables import MODEL_METRICS, OUT_OF_FOLD_PREDICTIONS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


@dataclass(frozen=True)
class StackTraining:
    """A training of the stack, and what is shown of it."""

    training: Training
    manifest: Manifest
    horizon: int  # sessions of the return that is predicted
    weights: pl.DataFrame  # model and weight, the largest first
    compared: pl.DataFrame  # the metrics of members and stack over all test sessions: rows of MODEL_METRICS

    def charts(self) -> dict[str, bytes]:
        """Its charts (PNG, by name)."""
        own = charts_of(self.training, self.manifest, self.horizon)
        return {**own, "models_compared": scores_chart(self.compared), "stack_weights": weights_chart(self.weights)}

    def tables(self) -> dict[str, pl.DataFrame]:
        """The frames shown with it, by name."""
        return {**tables_of(self.training), "weights": self.weights}

    def facts(self) -> dict[str, float | int | str | None]:
        """The figures shown with it, by name."""
        return facts_of(self.manifest)


def train_stack(stores: Stores, settings: Settings, as_of: date, members: pl.DataFrame, models_root: Path, kept_in: Path) -> StackTraining:
    """Weigh trainings of models of the return by their out-of-fold scores, and write the artefact of the stack.

    Args:
        stores: both stores.
        settings: for the features and the seed.
        as_of: the last session of which data are known.
        members: model, training_id, artefact and sha256 of the trainings to weigh, one of a model, at least one.
        models_root: the folder of the members' artefacts.
        kept_in: the folder that its own artefact is written into.

    Raises:
        ArtefactError: the artefact of a member is missing or damaged.
    """
    chosen = dict(members.select(MODEL, TRAINING_ID).iter_rows())
    wide = widen(stores.read(OUT_OF_FOLD_PREDICTIONS, Selection(equals={TRAINING_ID: [training]})) for training in chosen.values())
    weights = stack_weights(wide, list(chosen))
    stacked = StackedModel(weights, chosen, stack_scale(wide, weights))
    splits = read_splits(stores, as_of)
    own = stack_out_of_fold(wide, list(chosen), splits)
    conditions = Conditions(settings.models.seed, threads=1)
    names = chosen_set(settings).names
    made_of = json.dumps([chosen, [asdict(split) for split in splits]], sort_keys=True, default=date.isoformat)
    inputs = TrainingInputs(STACK, as_of, names, made_of, stacked.parameters(), conditions, MADE_BY)
    fitted = Fitted(inputs, stacked, wide.drop_nulls(TARGET)[SESSION], RETURN_KIND, window=_longest_window(members, models_root))
    predicted = TrainingPredictions(own, calibration=calibration_of(stores, settings, as_of, RETURN_KIND, own))
    training, manifest = recorded(kept_in, fitted, predicted, trainings_of(stores, STACK))
    held = stores.read(MODEL_METRICS, Selection(equals={TRAINING_ID: list(chosen.values())}))
    counted = pl.DataFrame({MODEL: list(weights), "weight": list(weights.values())}).sort("weight", descending=True)
    horizon = predicted_horizon(settings.labels)
    return StackTraining(training, manifest, horizon, counted, pl.concat([overall(held), overall(training.scores)]))


def _longest_window(members: pl.DataFrame, models_root: Path) -> int:
    rows = members.select("artefact", "sha256").iter_rows()
    return max(check_artefact(models_root / artefact, sha256).window for artefact, sha256 in rows)
