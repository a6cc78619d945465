"""The assets of the models: one for each base model of the catalogue, and the stack of them."""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from stock_pipeline import __version__
from stock_pipeline.core.columns import (
    AS_OF,
    FOLD,
    METRIC,
    MODEL,
    PAST_VOLATILITY,
    PERIOD,
    RANK_IC,
    SESSION,
    TRAINING_ID,
    VALUE,
)
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.core.scores import rank_ic_by_session
from stock_pipeline.datasets.catalogue import RETURN_KIND, TargetKind, target_kind
from stock_pipeline.datasets.panel import hash_of_panel, sessions_learned
from stock_pipeline.datasets.reading import read_splits, write_training_panel
from stock_pipeline.datasets.splits import Split, chosen_splits, inner_splits
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.features.catalogue import hash_features
from stock_pipeline.features.reading import chosen_set
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.catalogue import predicted_horizon
from stock_pipeline.labels.reading import read_label_ends, read_outcomes
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.market_data.reading import BAR_TABLES
from stock_pipeline.models import fit_server
from stock_pipeline.models.calibration_data import calibration_of
from stock_pipeline.models.catalogue import CATALOGUE, STACK, ModelEntry, parse_models, stacked_models
from stock_pipeline.models.charts import CHARTS_OF_KINDS, explanation_charts, rank_ic_chart, scores_chart, weights_chart
from stock_pipeline.models.checks import SOUND_SCORES
from stock_pipeline.models.device import device_for
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.kept_results import KeptResults
from stock_pipeline.models.manifest import Manifest, TrainingInputs
from stock_pipeline.models.metrics import PART, overall
from stock_pipeline.models.plan import Plan
from stock_pipeline.models.reading import check_artefact
from stock_pipeline.models.recording import Calibration, Fitted, Training, TrainingPredictions, latest_trainings, manifest_of, record
from stock_pipeline.models.stacking import StackedModel, stack_out_of_fold, stack_scale, stack_weights, widen
from stock_pipeline.models.subprocess_training import train_in_subprocesses
from stock_pipeline.models.tables import (
    FEATURE_IMPORTANCE,
    MODEL_METRICS,
    NUMBER,
    OUT_OF_FOLD_PREDICTIONS,
    RETURN_CALIBRATIONS,
    SHAP_VALUES,
    TRAININGS,
    TRIALS,
)
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, via
from stock_pipeline.settings import Settings
from stock_pipeline.storage.reading import Selection

TABLES = (TRAININGS, OUT_OF_FOLD_PREDICTIONS, MODEL_METRICS, SHAP_VALUES, FEATURE_IMPORTANCE, TRIALS, RETURN_CALIBRATIONS)
# A training by other code is another training, and has a name and an artefact of its own.
CODE_VERSION = "4"
SHOWN_METRICS = ("rank_ic", "icir", "mae", "baseline_mae", "r2", "positive_ic_share")


def train_model(entry: ModelEntry) -> Callable[[StageContext], StageOutput | None]:
    """The body of a base model's asset: train it as of the session, unless that has been done or the settings leave it out."""

    def body(context: StageContext) -> StageOutput | None:
        if context.is_up_to_date or entry.name not in [chosen.name for chosen in parse_models(context.settings.models.names or ())]:
            return None
        fit_server.start()  # and imports what it needs while the panel is written
        with TemporaryDirectory(prefix="stock_pipeline_panel_") as name:
            folder = Path(name)
            write_training_panel(context.stores, context.settings, context.as_of, entry.target, folder)
            learned = sessions_learned(folder)
            plan = _plan(context, entry, learned)
            kept = KeptResults(
                context.stores.layout.folds / entry.name, may_read=not context.full_refresh, may_write=not context.options.dry_run
            )
            names = chosen_set(context.settings).names
            with train_in_subprocesses(plan, names, folder, context.report_progress, kept) as trained:
                inputs = _inputs(context, entry.name, hash_of_panel(folder), trained.model.fitted_with, plan.conditions_of_a_fit)
                fitted = Fitted(inputs, trained.model, learned, entry.target, entry.target.exposures, trained.model.window)
                calibration = _calibration(context, entry.target, trained.out_of_fold)
                said = TrainingPredictions(trained.out_of_fold, trained.in_sample, trained.explained, trained.trials, calibration)
                training, manifest = _recorded(context, fitted, said)
            kept.forget_the_rest()
        return _output(context, training, manifest)

    return body


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


def train_stack(context: StageContext) -> StageOutput | None:
    """Weigh the latest trainings of the models of the return by their out-of-fold scores."""
    fit_server.stop()  # the base models have been trained
    names = stacked_models(context.settings.models.names)
    of_these_features = {"features_hash": [hash_features(chosen_set(context.settings).names)]}
    trainings = context.read(TRAININGS, Selection(last=context.as_of, equals=of_these_features))
    members = latest_trainings(trainings, names)
    if members.is_empty():
        raise StockPipelineError("no model of the return has been trained yet, so there is nothing to stack; materialise one of them first")
    chosen = dict(members.select(MODEL, TRAINING_ID).iter_rows())
    if context.is_up_to_date and _latest_members(trainings) == chosen:
        return None
    wide = widen(context.read(OUT_OF_FOLD_PREDICTIONS, Selection(equals={TRAINING_ID: [training]})) for training in chosen.values())
    weights = stack_weights(wide, list(chosen))
    stacked = StackedModel(weights, chosen, stack_scale(wide, weights))
    labelled = read_outcomes(context.stores, context.as_of, predicted_horizon(context.settings.labels))[SESSION]
    splits = _splits(context, labelled)
    own = stack_out_of_fold(wide, list(chosen), splits)
    conditions = Conditions(context.settings.models.seed, threads=1)
    made_of = json.dumps([chosen, [asdict(split) for split in splits]], sort_keys=True, default=date.isoformat)
    inputs = _inputs(context, STACK, made_of, stacked.parameters(), conditions)
    fitted = Fitted(inputs, stacked, wide[SESSION], RETURN_KIND, window=_longest_window(context, members))
    predicted = TrainingPredictions(own, calibration=_calibration(context, RETURN_KIND, own))
    training, manifest = _recorded(context, fitted, predicted)
    output = _output(context, training, manifest)
    held = context.read(MODEL_METRICS, Selection(equals={TRAINING_ID: list(chosen.values())}))
    everyone = pl.concat([overall(held), overall(training.scores)])
    counted = pl.DataFrame({MODEL: list(weights), "weight": list(weights.values())}).sort("weight", descending=True)
    return replace(
        output,
        charts=lambda: {**output.charts(), "models_compared": scores_chart(everyone), "stack_weights": weights_chart(counted)},
        tables={**output.tables, "weights": counted},
    )


def _calibration(context: StageContext, kind: TargetKind, out_of_fold: pl.DataFrame) -> Calibration:
    return calibration_of(context.stores, context.settings, context.as_of, kind, out_of_fold)


def _splits(context: StageContext, sessions: pl.Series) -> list[Split]:
    """The splits of the night, or, where a run has chosen its own folds or sessions, those of the sessions given."""
    if context.options.choose_training:
        return chosen_splits(sessions.unique().sort().to_list(), context.settings.datasets, context.settings.labels)
    return read_splits(context.stores, context.as_of)


def _longest_window(context: StageContext, members: pl.DataFrame) -> int:
    rows = members.select("artefact", "sha256").iter_rows()
    return max(check_artefact(context.models_root / artefact, sha256).window for artefact, sha256 in rows)


def _recorded(context: StageContext, fitted: Fitted, predicted: TrainingPredictions) -> tuple[Training, Manifest]:
    held = _held(context, fitted.inputs.model)
    manifest = manifest_of(fitted, predicted, held)
    number = 1 + (held.index(manifest.training_id) if manifest.training_id in held else len(held))
    with TemporaryDirectory(prefix="stock_pipeline_dry_run_") if context.options.dry_run else nullcontext(context.models_root) as root:
        return record(Path(root), fitted.model, manifest, predicted, fitted.sessions.n_unique(), number), manifest


def _latest_members(trainings: pl.DataFrame) -> dict[str, str]:
    held = latest_trainings(trainings, [STACK])
    members: dict[str, str] = json.loads(held["parameters"][0])["members"] if held.height else {}
    return members


def _inputs(context: StageContext, model: str, data_hash: str, parameters: Mapping[str, Any], conditions: Conditions) -> TrainingInputs:
    made_by = f"{__version__}, {CODE_VERSION}"
    return TrainingInputs(model, context.as_of, chosen_set(context.settings).names, data_hash, parameters, conditions, made_by)


def _held(context: StageContext, model: str) -> list[str]:
    """The names of the model's trainings in the order in which they were made."""
    trainings = context.read(TRAININGS, Selection(columns=(TRAINING_ID, NUMBER), equals={MODEL: [model]}))
    names: list[str] = trainings.sort(NUMBER)[TRAINING_ID].to_list()
    return names


def _output(context: StageContext, training: Training, manifest: Manifest) -> StageOutput:
    rank_ic = manifest.metrics[RANK_IC]
    context.report_progress("no rank IC" if rank_ic is None else f"rank IC {rank_ic:.4f} out of fold")
    shown = training.scores.pivot(on=METRIC, index=[PART, FOLD, PERIOD], values=VALUE).sort(PART, FOLD, PERIOD)
    tables = {"metrics": shown, "importance": training.importance.drop(TRAINING_ID, MODEL, AS_OF), "trials": training.trials}
    return StageOutput(
        writes=training.writes,
        watermark=context.as_of,
        charts=lambda: _charts(training, manifest),
        tables={name: frame for name, frame in tables.items() if frame.height},
        facts={
            "training_id": manifest.training_id,
            "rows": manifest.rows,
            "device": manifest.device,
            "threads": manifest.threads,
            **{name: manifest.metrics[name] for name in SHOWN_METRICS},
        },
    )


def _charts(training: Training, manifest: Manifest) -> dict[str, bytes]:
    kind = target_kind(manifest.target)
    drawn = {"rank_ic_by_session": rank_ic_chart(rank_ic_by_session(training.out_of_fold, kind.ranked_against), manifest.model)}
    drawn |= {name: CHARTS_OF_KINDS[name](training.out_of_fold) for name in kind.charts}
    return drawn | ({} if training.importance.is_empty() else explanation_charts(training.shap_values, manifest.model))


# A training learns from features and labels, so that what these depend on is among them.
OF_THE_PANEL = ("datasets", "exchange", "features.set", "labels", "quality.jump_ratio", "source.currency")
SETTINGS = (*OF_THE_PANEL, "models.seed", "models.threads", "models.tuning_trials")


def stages(settings: Settings) -> tuple[Stage, ...]:
    """The assets of the models, to be retrained where the catalogue of the chosen features changes."""
    trained = partial(
        Stage,
        tables=TABLES,
        cadence="training",
        code_version=f"{CODE_VERSION} {chosen_set(settings).hash[:16]}",
        checks=(SOUND_SCORES,),
        tolerates_failure=True,
    )
    base_models = (
        trained(
            keys=(("models", entry.name),),
            description=entry.description,
            reads=(DAILY_FEATURES, DAILY_LABELS, WALK_FORWARD_SPLITS, *(BAR_TABLES if PAST_VOLATILITY in entry.target.outcomes else ())),
            body=train_model(entry),
            settings=SETTINGS,
            settings_ahead=("models.device", "models.names", "models.suspicious_rank_ic"),
            kinds=entry.kinds,
        )
        for entry in CATALOGUE
    )
    members = tuple(("models", name) for name in stacked_models(None))
    stack = trained(
        keys=(("models", STACK),),
        description="The models of the return, ranked and weighted by their out-of-fold scores, shrunk to equal weights.",
        reads=(DAILY_FEATURES, DAILY_LABELS, WALK_FORWARD_SPLITS, *via(members, TRAININGS, OUT_OF_FOLD_PREDICTIONS, MODEL_METRICS)),
        body=train_stack,
        settings=(*SETTINGS, "models.names"),
        settings_ahead=("models.suspicious_rank_ic",),
        kinds=("scipy",),
    )
    return (*base_models, stack)
