"""The assets of the models: one for each base model of the catalogue. The stack follows the active versions, so the registry has it."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from stock_pipeline.core.columns import PAST_VOLATILITY, RANK_IC
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.panel import hash_of_panel, sessions_learned
from stock_pipeline.datasets.reading import read_splits, write_training_panel
from stock_pipeline.datasets.splits import Split, chosen_splits, inner_splits
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.features.reading import chosen_set
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.catalogue import predicted_horizon
from stock_pipeline.labels.reading import read_label_ends
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.market_data.reading import JUDGED_BAR_TABLES
from stock_pipeline.models import fit_server
from stock_pipeline.models.calibration_data import calibration_of
from stock_pipeline.models.catalogue import CATALOGUE, ModelEntry, parse_models
from stock_pipeline.models.checks import SOUND_SCORES
from stock_pipeline.models.device import device_for
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.kept_results import KeptResults
from stock_pipeline.models.manifest import CODE_VERSION, MADE_BY, Manifest, TrainingInputs
from stock_pipeline.models.plan import Plan
from stock_pipeline.models.presentation import charts_of, facts_of, tables_of
from stock_pipeline.models.reading import trainings_of
from stock_pipeline.models.recording import Fitted, Training, TrainingPredictions, recorded
from stock_pipeline.models.subprocess_training import train_in_subprocesses
from stock_pipeline.models.tables import (
    FEATURE_IMPORTANCE,
    MODEL_METRICS,
    OUT_OF_FOLD_PREDICTIONS,
    RETURN_CALIBRATIONS,
    SHAP_VALUES,
    TRAININGS,
    TRIALS,
)
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.settings import Settings
from stock_pipeline.universe.reading import shortage_now
from stock_pipeline.universe.tables import DAILY_UNIVERSE

TABLES = (TRAININGS, OUT_OF_FOLD_PREDICTIONS, MODEL_METRICS, SHAP_VALUES, FEATURE_IMPORTANCE, TRIALS, RETURN_CALIBRATIONS)


def train_model(entry: ModelEntry) -> Callable[[StageContext], StageOutput | None]:
    """The body of a base model's asset: train it as of the session, unless that has been done or the settings leave it out."""

    def body(context: StageContext) -> StageOutput | None:
        chosen = [known.name for known in parse_models(context.settings.models.names or ())]
        try:
            return None if context.is_up_to_date or entry.name not in chosen else _trained(context, entry)
        finally:
            if entry.name == chosen[-1]:
                fit_server.stop()  # nothing is fitted after it

    return body


def _trained(context: StageContext, entry: ModelEntry) -> StageOutput:
    fit_server.start()  # and imports what it needs while the panel is written
    with TemporaryDirectory(prefix="stock_pipeline_panel_") as name:
        folder = Path(name)
        write_training_panel(context.stores, context.settings, context.as_of, entry.target, folder)
        learned = sessions_learned(folder)
        if learned.is_empty():
            raise InputError(_nothing_to_learn(context, entry.name))
        plan = _plan(context, entry, learned)
        # What a fold follows from is in its name, so that only a person who asks for everything anew has reason not to take it.
        may_read = context.options.keeps_folds or not context.options.full_refresh
        kept = KeptResults(context.stores.layout.folds / entry.name, may_read, may_write=not context.options.dry_run)
        names = chosen_set(context.settings).names
        with train_in_subprocesses(plan, names, folder, context.report_progress, kept) as trained:
            inputs = _inputs(context, entry.name, hash_of_panel(folder), trained.model.fitted_with, plan.conditions_of_a_fit)
            fitted = Fitted(inputs, trained.model, learned, entry.target, entry.target.exposures, trained.model.window)
            calibration = calibration_of(context.stores, context.settings, context.as_of, entry.target, trained.out_of_fold)
            said = TrainingPredictions(trained.out_of_fold, trained.in_sample, trained.explained, trained.trials, calibration)
            training, manifest = _recorded(context, fitted, said)
        kept.forget_the_rest()
    return _output(context, training, manifest)


def _nothing_to_learn(context: StageContext, model: str) -> str:
    few = shortage_now(context.stores, context.settings.universe.minimum_stocks)
    remedy = "bring in more history or widen the training window"
    return f"there is no labelled row to train {model} on" + (f"; {remedy}" if few is None else f": {few}")


def _plan(context: StageContext, entry: ModelEntry, learned: pl.Series) -> Plan:
    chosen = context.settings.models
    device = device_for(entry, chosen.device, context.report_progress)
    splits, tried = _splits(context, learned), chosen.tuning_trials > 1 and len(entry.space) > 0
    sessions, settings = learned.unique().sort().to_list(), context.settings
    return Plan(
        entry=entry,
        splits=tuple(splits),
        inner_splits=tuple(inner_splits(sessions, splits[0], settings.datasets, settings.labels)) if tried else (),
        label_ends=read_label_ends(context.stores, context.as_of, context.settings.labels),
        conditions=Conditions(chosen.seed, chosen.threads, device),
        trials=chosen.tuning_trials,
    )


def _splits(context: StageContext, sessions: pl.Series) -> list[Split]:
    """The splits of the night, or, where a run has chosen its own folds or sessions, those of the sessions given."""
    if context.options.choose_training:
        return chosen_splits(sessions.unique().sort().to_list(), context.settings.datasets, context.settings.labels)
    return read_splits(context.stores, context.as_of)


def _recorded(context: StageContext, fitted: Fitted, predicted: TrainingPredictions) -> tuple[Training, Manifest]:
    held = trainings_of(context.stores, fitted.inputs.model)
    with TemporaryDirectory(prefix="stock_pipeline_dry_run_") if context.options.dry_run else nullcontext(context.models_root) as root:
        return recorded(Path(root), fitted, predicted, held)


def _inputs(context: StageContext, model: str, data_hash: str, parameters: Mapping[str, Any], conditions: Conditions) -> TrainingInputs:
    return TrainingInputs(model, context.as_of, chosen_set(context.settings).names, data_hash, parameters, conditions, MADE_BY)


def _output(context: StageContext, training: Training, manifest: Manifest) -> StageOutput:
    rank_ic = manifest.metrics[RANK_IC]
    context.report_progress("no rank IC" if rank_ic is None else f"rank IC {rank_ic:.4f} out of fold")
    return StageOutput(
        writes=training.writes,
        watermark=context.as_of,
        charts=lambda: charts_of(training, manifest, predicted_horizon(context.settings.labels)),
        tables=tables_of(training),
        facts=facts_of(manifest),
    )


# A training learns from features and labels, so that what these depend on is among them.
OF_THE_PANEL = (
    "datasets",
    "exchange",
    "features.set",
    "labels",
    "quality.jump_ratio",
    "quality.suspect_ratio",
    "source.currency",
    "universe",
)
SETTINGS = (*OF_THE_PANEL, "models.seed", "models.threads", "models.tuning_trials")


def stages(settings: Settings) -> tuple[Stage, ...]:
    """The assets of the base models, to be retrained where the catalogue of the chosen features changes."""
    return tuple(
        Stage(
            keys=(("models", entry.name),),
            description=entry.description,
            tables=TABLES,
            reads=(
                DAILY_FEATURES,
                DAILY_LABELS,
                DAILY_UNIVERSE,
                WALK_FORWARD_SPLITS,
                *(JUDGED_BAR_TABLES if PAST_VOLATILITY in entry.target.outcomes else ()),
            ),
            body=train_model(entry),
            settings=SETTINGS,
            settings_ahead=("models.device", "models.names", "models.suspicious_rank_ic"),
            kinds=entry.kinds,
            cadence="training",
            code_version=f"{CODE_VERSION} {chosen_set(settings).hash[:16]}",
            checks=(SOUND_SCORES,),
            tolerates_failure=True,
        )
        for entry in CATALOGUE
    )
