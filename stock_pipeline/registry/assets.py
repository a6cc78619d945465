"""The assets of the registry: the versions, and their mirror in MLflow."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from stock_pipeline.core.columns import AS_OF, BASELINE_MAE, MAE, MODEL, RANK_IC, TRAINING_ID, VERSION
from stock_pipeline.core.scores import is_plausible, tells_stocks_apart
from stock_pipeline.datasets.catalogue import target_kind
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.features.catalogue import hash_features
from stock_pipeline.features.reading import chosen_set
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.models.catalogue import CATALOGUE, STACK, stacked_models
from stock_pipeline.models.checks import SOUND_SCORES
from stock_pipeline.models.reading import overall_metrics
from stock_pipeline.models.stack_training import train_stack
from stock_pipeline.models.tables import MODEL_METRICS, OUT_OF_FOLD_PREDICTIONS, RETURN_CALIBRATIONS, SHAP_VALUES, TRAININGS
from stock_pipeline.orchestration.context import CheckOutcome, StageContext, StageOutput
from stock_pipeline.orchestration.stage import CheckSpec, Stage, StageCheck, key_of, via
from stock_pipeline.registry import tables
from stock_pipeline.registry.charts import active_periods
from stock_pipeline.registry.comparison_data import in_shadow, out_of_fold
from stock_pipeline.registry.ledger import job_writes, stored_registry
from stock_pipeline.registry.lifecycle import active_version
from stock_pipeline.registry.manual import NAMES
from stock_pipeline.registry.members import changes_of_members
from stock_pipeline.registry.mirroring import mirrored_versions
from stock_pipeline.registry.mlflow_mirror import mirror
from stock_pipeline.registry.reading import all_versions, asset_of, damaged_trainings, stack_members
from stock_pipeline.registry.registration import Candidate, Registry, follow_members, judge_shadows, register
from stock_pipeline.registry.training_jobs import TrainingOfRun, job_of_run
from stock_pipeline.storage.reading import Selection

MLFLOW_MIRROR = ("registry", "mlflow_mirror")
ARTEFACTS = "artefacts"
DECISIONS_SHOWN = (AS_OF, MODEL, VERSION, tables.DECISION, tables.REASON)


def register_versions(context: StageContext) -> StageOutput | None:
    """Make a version of every training that has none, and decide on it and on the shadow versions that have enough outcomes."""
    if not context.has_news():
        return None
    rule, stores = context.settings.registry.promotion, context.stores
    stored = stored_registry(stores)
    held = stored.registry
    candidates = _candidates(context, held.versions)
    holdout = out_of_fold(stores)
    now = register(held, candidates, context.as_of, rule, holdout, _unusable(context))
    now = judge_shadows(now, context.as_of, rule, in_shadow(stores), holdout)
    decisions = now.decisions.join(held.decisions, on=[MODEL, tables.NUMBER], how="anti")
    for row in decisions.iter_rows(named=True):
        context.report_progress(f"{row[MODEL]} {row[VERSION]} {row[tables.DECISION]}")
    own = now.of_models(pl.col(MODEL) != STACK)  # the stack's are decided on, and shown, later in the night
    versions = own.versions
    jobs_ever = stores.rows_ever(tables.TRAINING_JOBS)
    training = _training_of_run(context, candidates, set(held.versions[MODEL]))
    jobs = job_writes(stores, lambda rows: job_of_run(rows, training, jobs_ever)) if training is not None else []
    if context.is_up_to_date and now is held:
        return None  # as after a training of the stack, which it does not decide on
    return StageOutput(
        writes=(*stored.writes(now), *jobs),
        watermark=context.as_of,
        charts=lambda: _charts(own, context.as_of),
        tables=_tables(own),
        facts={
            "versions": versions.height,
            **{status: versions.filter(pl.col(tables.STATUS) == status).height for status in (tables.ACTIVE, tables.SHADOW)},
        },
    )


def _charts(shown: Registry, until: date) -> dict[str, bytes]:
    return {"active_periods": active_periods(shown.decisions, until)} if shown.decisions.height else {}


def _tables(shown: Registry) -> dict[str, pl.DataFrame]:
    return {
        "decisions": shown.decisions.sort(AS_OF, MODEL, tables.NUMBER, descending=True).select(DECISIONS_SHOWN).head(50),
        "every_version": shown.versions.sort(AS_OF, MODEL, VERSION, descending=True),
    }


def _training_of_run(context: StageContext, candidates: Sequence[Candidate], before: set[str]) -> TrainingOfRun | None:
    """What was trained since the last registration, in case no job asked for it; None where nothing was.

    Its reason is "missing" where a model had no version ``before``, else that of the run.
    """
    names = tuple(dict.fromkeys(candidate.model for candidate in candidates))
    if not names:
        return None
    began = [context.stores.last_write(TRAININGS, asset_of(name)) or context.moment for name in names]
    tasks = {name: context.stores.last_executions().get(asset_of(name)) for name in NAMES if name != STACK}
    failed = {name: task.error for name, task in tasks.items() if task is not None and task.error and task.started_at >= min(began)}
    reason = context.options.reason if set(names) <= before else "missing"
    return TrainingOfRun(names, failed, reason, min(began), context.moment)


def make_stack(context: StageContext) -> StageOutput | None:
    """Weigh the active versions of the models of the return, where they are others than those that the active stack weighs.

    So it follows every promotion, rollback and switch the same night, and weighs nothing that was rejected.
    """
    stores, settings = context.stores, context.settings
    members = stack_members(stores, stacked_models(settings.models.names), _features_hash(context))
    stored = stored_registry(stores)
    reason = None if members.is_empty() else _why_anew(context, stored.registry.versions, members)
    if reason is None:
        return _stack_as_it_stands(context, stored.registry)
    with TemporaryDirectory(prefix="stock_pipeline_dry_run_") if context.options.dry_run else nullcontext(context.models_root) as root:
        made = train_stack(stores, settings, context.as_of, members, context.models_root, Path(root))
    own = made.manifest.metrics
    candidate = Candidate(STACK, made.manifest.training_id, context.as_of, own.get(MAE), own.get(BASELINE_MAE), own.get(RANK_IC))
    context.report_progress(reason)
    now = follow_members(stored.registry, candidate, context.as_of, reason)
    # One too good to be true becomes no version, and its check stops the night; nor does one that tells no stocks apart.
    sound = is_plausible(own, settings.models.suspicious_rank_ic) and tells_stocks_apart(own)
    decided = stored.writes(now) if sound else ()
    shown = (now if sound else stored.registry).of_models(pl.col(MODEL) == STACK)
    return StageOutput(
        writes=(*made.training.writes, *decided),
        watermark=context.as_of,
        charts=lambda: made.charts() | _charts(shown, context.as_of),
        tables=made.tables() | _tables(shown),
        facts=made.facts(),
    )


def _stack_as_it_stands(context: StageContext, registry: Registry) -> StageOutput | None:
    """The output where nothing is to be trained: None where the session has been reached, also in a training job."""
    if context.watermark is not None and context.watermark >= context.as_of:
        return None
    own = registry.of_models(pl.col(MODEL) == STACK)
    there = active_version(own.versions, STACK)
    note = "there is none: no model of the return has an active version" if there is None else f"version {there[VERSION]} stays active"
    context.report_progress(note)
    return StageOutput(
        writes=(), watermark=context.as_of, charts=lambda: _charts(own, context.as_of), tables=_tables(own), facts={"note": note}
    )


def _why_anew(context: StageContext, versions: pl.DataFrame, members: pl.DataFrame) -> str | None:
    """Why the stack is to be trained anew; None where the active one is whole and weighs just these members."""
    stack = all_versions(context.stores).filter((pl.col(MODEL) == STACK) & (pl.col(tables.STATUS) == tables.ACTIVE))
    held: dict[str, str] = json.loads(stack["parameters"][0])["members"] if stack.height else {}
    changes = changes_of_members(held, dict(members.select(MODEL, TRAINING_ID).iter_rows()), versions)
    if changes is not None:
        return changes
    if context.options.dry_run:
        return "to show what the active versions would weigh"
    damage = damaged_trainings(context.stores).get(stack[TRAINING_ID][0])
    if damage is not None:
        return f"it takes the place of a damaged one: {damage}"
    # A training job rebuilds the models that it is for; the stack follows what becomes of them.
    return "it was made by other code" if context.full_refresh and not context.options.full_refresh else None


def mirror_to_mlflow(context: StageContext) -> StageOutput | None:
    """Show every version in MLflow. The registry is the source of truth: a deleted MLflow store is rebuilt from it."""
    if not context.settings.registry.mirror_to_mlflow or not context.has_news():
        return None
    mirrored = mirrored_versions(context.stores)
    context.report_progress(f"{len(mirrored)} versions")
    added = mirror(context.stores.home, mirrored)
    shown = {name: [getattr(version, name) for version in mirrored] for name in (MODEL, VERSION, TRAINING_ID, tables.STATUS)}
    return StageOutput(writes=(), watermark=context.as_of, tables={"mirrored": pl.DataFrame(shown)}, facts={"runs_added": added})


def _candidates(context: StageContext, versions: pl.DataFrame) -> list[Candidate]:
    made_now = pl.col("features_hash") == _features_hash(context)
    of_models = made_now & (pl.col(MODEL) != STACK)
    trainings = context.read(TRAININGS, Selection(last=context.as_of)).filter(of_models).join(versions, on=TRAINING_ID, how="anti")
    if trainings.is_empty():
        return []
    scores = overall_metrics(context.stores, trainings[TRAINING_ID].to_list())
    limit = context.settings.models.suspicious_rank_ic
    found = []
    for row in trainings.sort(AS_OF, MODEL, tables.NUMBER).iter_rows(named=True) if scores else ():
        own = scores.get(row[TRAINING_ID], {})
        # A training that failed its check for a leak stays stored after a later one has passed.
        if not target_kind(row["target"]).betrays_leaks or is_plausible(own, limit):
            errors = own.get("mae"), own.get("baseline_mae")
            found.append(Candidate(row[MODEL], row[TRAINING_ID], row[AS_OF], *errors, own.get(RANK_IC), tells_stocks_apart(own)))
    return found


def _unusable(context: StageContext) -> dict[str, str]:
    """The trainings that cannot predict, and why: they learned from other features than are made now, or are active and damaged."""
    trainings = context.read(TRAININGS, Selection(columns=(TRAINING_ID, "features_hash")))
    others = trainings.filter(pl.col("features_hash") != _features_hash(context))[TRAINING_ID]
    return damaged_trainings(context.stores) | dict.fromkeys(others, "it learned from features that are not made now")


def _features_hash(context: StageContext) -> str:
    return hash_features(chosen_set(context.settings).names)


def _are_whole(context: StageContext) -> dict[str, CheckOutcome]:
    damaged = damaged_trainings(context.stores)
    return {ARTEFACTS: CheckOutcome(not damaged, damaged or {"note": "every file is as it was written"})}


WHOLE_ARTEFACTS = StageCheck(
    (CheckSpec(ARTEFACTS, "The artefacts of the active versions, and of the stack's members, exist and are undamaged."),), _are_whole
)

BASE_MODELS = tuple(("models", entry.name) for entry in CATALOGUE)
STAGES: Sequence[Stage] = (
    Stage(
        keys=(key_of(tables.MODEL_VERSIONS),),
        description="Versions of the models.",
        tables=tables.TABLES,
        views=tables.VIEWS,
        reads=via(BASE_MODELS, TRAININGS, MODEL_METRICS, OUT_OF_FOLD_PREDICTIONS),
        reads_back=(tables.LIVE_RESULTS,),
        body=register_versions,
        settings_ahead=("features.set", "models.suspicious_rank_ic", "registry.promotion"),
        checks=(WHOLE_ARTEFACTS,),
    ),
    Stage(
        keys=(tables.STACK_ASSET,),
        description="The active versions of the models of the return, ranked, and weighted by their scores out of fold.",
        tables=(TRAININGS, OUT_OF_FOLD_PREDICTIONS, MODEL_METRICS, RETURN_CALIBRATIONS, tables.MODEL_VERSIONS, tables.DECISIONS),
        reads=(
            tables.MODEL_VERSIONS,
            tables.MODEL_ENABLEMENT,
            WALK_FORWARD_SPLITS,
            *via((key_of(tables.MODEL_VERSIONS),), TRAININGS, OUT_OF_FOLD_PREDICTIONS, MODEL_METRICS, DAILY_FEATURES, DAILY_LABELS),
        ),
        body=make_stack,
        settings_ahead=("features.set", "labels.horizons", "models.names", "models.seed", "models.suspicious_rank_ic"),
        code_version="2",
        checks=(SOUND_SCORES,),
        tolerates_failure=True,
        dry_runs=True,
        kinds=("scipy",),
    ),
    Stage(
        keys=(MLFLOW_MIRROR,),
        description="The registry shown in MLflow: a run per version with parameters, metrics and artefact.",
        tables=(),
        reads=(
            tables.MODEL_VERSIONS,
            *via((key_of(tables.MODEL_VERSIONS),), TRAININGS, MODEL_METRICS, OUT_OF_FOLD_PREDICTIONS, SHAP_VALUES),
        ),
        body=mirror_to_mlflow,
        settings=("registry.mirror_to_mlflow",),
        tolerates_failure=True,
        kinds=("mlflow",),
    ),
)
