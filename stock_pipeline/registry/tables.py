"""The tables of the registry: versions, decisions about them, live results, models disabled manually and training jobs."""

from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.columns import (
    AS_OF,
    BASELINE_MAE,
    BASELINE_MSE,
    MAE,
    MODEL,
    MSE,
    PREDICTIONS,
    RANK_IC,
    SCORE_SQUARE,
    SESSION,
    TARGET_IC,
    TRAINING_ID,
    VERSION,
)
from stock_pipeline.core.table_schema import Column, TableSchema, View
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.tables import TRAININGS

STATUS: Final = "status"
CANDIDATE, SHADOW, ACTIVE, RETIRED, ARCHIVED, REJECTED = STATUSES = ("candidate", "shadow", "active", "retired", "archived", "rejected")
ACTIVE_FROM: Final = "active_from"
ACTIVE_TO: Final = "active_to"
REASON: Final = "reason"
BY: Final = "by"
AUTOMATION, PERSON = "automation", "person"
NUMBER: Final = "number"
DECISION: Final = "decision"

STACK_ASSET: Final = ("registry", STACK)  # the key of the stack's asset

_table = partial(TableSchema, "ml", "registry")
_view = partial(View, "ml", "registry")

_MODEL = Column(MODEL, pl.String, "model of the catalogue, or stack")
_VERSION = Column(VERSION, pl.Int32, "number of the version, counted from 1 within the model", minimum=1)
_BY = Column(BY, pl.String, "who decided", allowed=(AUTOMATION, PERSON))

MODEL_VERSIONS: Final = _table(
    name="model_versions",
    description="Every version of every model, with its status.",
    columns=(
        _MODEL,
        _VERSION,
        Column(TRAINING_ID, pl.String, "training that the version came from"),
        Column(AS_OF, pl.Date, "as-of date of the training: the last session of which data were known"),
        Column(STATUS, pl.String, "status of the version", allowed=STATUSES),
        Column(ACTIVE_FROM, pl.Date, "session on whose night it last became active; null where it never did", nullable=True),
        Column(ACTIVE_TO, pl.Date, "session on whose night another version replaced it; null while it is active", nullable=True),
        Column(MAE, pl.Float64, "mean absolute error out of fold, in units of the target", nullable=True, minimum=0),
        Column(BASELINE_MAE, pl.Float64, "the same of predicting 0 for every stock", nullable=True, minimum=0),
        Column(RANK_IC, pl.Float64, "mean rank IC out of fold", nullable=True, minimum=-1, maximum=1),
        Column("changed_on", pl.Date, "session of the last change of its status"),
        _BY,
        Column(REASON, pl.String, "reason for its status"),
    ),
    key=(MODEL, VERSION),
    session_column=AS_OF,
)

# The decisions about a version. The first three follow from the promotion rule.
PROMOTION, REJECTION, AWAITING_APPROVAL, SHADOWING, ROLLBACK, ARCHIVAL = DECISION_KINDS = (
    "promoted",
    "rejected",
    "awaiting_approval",
    "moved_to_shadow",
    "rolled_back",
    "archived",
)
# The grounds of a decision.
FIRST_VERSION, UNUSABLE, TIED_SCORES, HOLDOUT, IN_SHADOW, MEMBERS, OVERRIDE, RETENTION = DECISION_BASES = (
    "first_version",
    "unusable",
    "tied_scores",
    "holdout",
    "shadow",
    "members",
    "override",
    "retention",
)

DECISIONS: Final = _table(
    name="decisions",
    description="Every decision about a version, with its figures and its reason. No row is ever deleted.",
    columns=(
        _MODEL,
        Column(NUMBER, pl.Int32, "number of the decision, counted from 1 within the model", minimum=1),
        Column(AS_OF, pl.Date, "session on whose night it was taken"),
        _VERSION,
        Column(
            DECISION,
            pl.String,
            "promoted; rejected; awaiting_approval of a person; moved_to_shadow; rolled_back; archived",
            allowed=DECISION_KINDS,
        ),
        Column(
            "decision_basis",
            pl.String,
            "first_version: no version was active; unusable: the active one is damaged or learned from features not made now; "
            "tied_scores: it tells no stocks apart; holdout: the same sessions out of fold; shadow: the outcomes of nights; members: the "
            "stack follows the active versions that it weighs; override: a person's reason; retention: age",
            allowed=DECISION_BASES,
        ),
        Column("champion", pl.Int32, "version that was active; null where none was", nullable=True, minimum=1),
        Column(
            "judged_by",
            pl.String,
            "what both were compared by: rank_ic, or loss (squared error) for risk and direction",
            nullable=True,
            allowed=("rank_ic", "loss"),
        ),
        Column("sessions", pl.Int32, "sessions on which both were compared", nullable=True, minimum=0),
        Column("equal_sessions", pl.Int32, "those of them on which both said the same, as of folds kept", nullable=True, minimum=0),
        Column(PREDICTIONS, pl.Int64, "stocks and sessions on which both were compared", nullable=True, minimum=0),
        Column(MAE, pl.Float64, "mean absolute error of the version there, in units of the target", nullable=True, minimum=0),
        Column("champion_mae", pl.Float64, "that of the active version", nullable=True, minimum=0),
        Column(BASELINE_MAE, pl.Float64, "that of predicting 0 for every stock", nullable=True, minimum=0),
        Column(MSE, pl.Float64, "mean squared error of the version there, sessions counting the same", nullable=True, minimum=0),
        Column("champion_mse", pl.Float64, "that of the active version", nullable=True, minimum=0),
        Column(BASELINE_MSE, pl.Float64, "that of predicting 0 for every stock", nullable=True, minimum=0),
        Column(RANK_IC, pl.Float64, "mean rank IC of the version there", nullable=True, minimum=-1, maximum=1),
        Column("champion_rank_ic", pl.Float64, "that of the active version", nullable=True, minimum=-1, maximum=1),
        Column("calibration_slope", pl.Float64, "slope of the target on the version's score there; 1 is a score of the right size", True),
        Column("calibration_slope_error", pl.Float64, "standard error of that slope between sessions", nullable=True, minimum=0),
        Column("champion_calibration_slope", pl.Float64, "slope of the target on the active version's score", nullable=True),
        Column("champion_calibration_slope_error", pl.Float64, "standard error of that slope", nullable=True, minimum=0),
        Column("skill_p_value", pl.Float64, "probability of a skill as high if the version knew nothing", True, minimum=0, maximum=1),
        Column("champion_skill_p_value", pl.Float64, "that of the active version", nullable=True, minimum=0, maximum=1),
        Column(
            "correlation", pl.Float64, "correlation of the daily rank ICs of both, against the target", nullable=True, minimum=-1, maximum=1
        ),
        Column("t_statistic", pl.Float64, "EWC t-statistic of the daily skill less that of the active version", nullable=True),
        Column("p_value", pl.Float64, "probability of a t as low if both have the same skill", nullable=True, minimum=0, maximum=1),
        _BY,
        Column(REASON, pl.String, "the decision in words"),
    ),
    key=(MODEL, NUMBER),
    session_column=AS_OF,
)

# Written by the performance stage, once outcomes are known; the registry reads here the performance of versions on earlier nights.
LIVE_RESULTS: Final = _table(
    name="live_results",
    description="Performance of the predictions of each active or shadow version, by session.",
    columns=(
        _MODEL,
        _VERSION,
        Column(TRAINING_ID, pl.String, "training that the version came from"),
        Column(SESSION, pl.Date, "session after whose close the predictions were made"),
        Column(PREDICTIONS, pl.Int32, "stocks with prediction and outcome", minimum=1),
        Column(MAE, pl.Float64, "mean absolute error of the scores against the target, in its units", minimum=0),
        Column(BASELINE_MAE, pl.Float64, "the same of predicting 0 for every stock", minimum=0),
        Column(MSE, pl.Float64, "mean squared error, in units of the target squared; null in older rows", nullable=True, minimum=0),
        Column(BASELINE_MSE, pl.Float64, "the same of predicting 0 for every stock", nullable=True, minimum=0),
        Column(SCORE_SQUARE, pl.Float64, "mean square of the scores", nullable=True, minimum=0),
        Column(RANK_IC, pl.Float64, "rank IC of the session; null where undefined", nullable=True, minimum=-1, maximum=1),
        Column(TARGET_IC, pl.Float64, "the same against the target; null in older rows", nullable=True, minimum=-1, maximum=1),
    ),
    key=(MODEL, VERSION, SESSION),
)

ENABLED: Final = "enabled"
MODEL_ENABLEMENT: Final = _table(
    name="model_enablement",
    description="Models that were disabled or enabled again manually; a model without a row is enabled.",
    columns=(
        _MODEL,
        Column(ENABLED, pl.Boolean, "whether its predictions are made"),
        Column(AS_OF, pl.Date, "session on whose night it was last enabled or disabled"),
        Column(REASON, pl.String, "why"),
    ),
    key=(MODEL,),
    session_column=AS_OF,
)

JOB: Final = "job"
DRY_RUN: Final = "dry_run"
JOB_ERROR: Final = "error"  # why the job as a whole failed
REQUESTED_AT: Final = "requested_at"
STATE: Final = "state"
PENDING, RUNNING, COMPLETED, FAILED = STATES = ("PENDING", "RUNNING", "COMPLETED", "FAILED")
REASONS: Final = ("schedule", "drift", "missing", "manual")

TRAINING_JOBS: Final = _table(
    name="training_jobs",
    description="Every training that was asked for: its models, its reason and its result.",
    columns=(
        Column(JOB, pl.Int32, "number of the job, from 1; that of a deleted job is not used again", minimum=1),
        Column(REASON, pl.String, "why it was asked for", allowed=REASONS),
        Column("models", pl.String, "models to train, as a JSON list"),
        Column("sessions", pl.Int32, "number of the last sessions to learn from; null: as in the settings", nullable=True, minimum=1),
        Column("folds", pl.Int32, "walk-forward folds; null: as in the settings", nullable=True, minimum=1),
        Column("trials", pl.Int32, "sets of parameters to try per model; null: as in the settings", nullable=True, minimum=1),
        Column(DRY_RUN, pl.Boolean, "whether nothing was to be kept"),
        Column(STATE, pl.String, "how far it has come", allowed=STATES),
        Column(REQUESTED_AT, pl.Datetime("us"), "when it was asked for, UTC"),
        Column("started_at", pl.Datetime("us"), "when it began, UTC", nullable=True),
        Column("finished_at", pl.Datetime("us"), "when it ended, UTC", nullable=True),
        Column("succeeded", pl.String, "models that were trained, as a JSON list"),
        Column("failed", pl.String, "models whose training failed with the reason, as a JSON object"),
        Column(JOB_ERROR, pl.String, "why the job as a whole failed", nullable=True),
    ),
    key=(JOB,),
    session_column=None,
)

# What automation, people and jobs write; LIVE_RESULTS is the performance stage's.
TABLES: Final = (MODEL_VERSIONS, DECISIONS, MODEL_ENABLEMENT, TRAINING_JOBS)

ACTIVE_MODELS: Final = _view(
    name="active_models",
    sql="""
SELECT v.model, v.version, v.active_from, v.mae, v.baseline_mae, v.rank_ic, v.reason, t.training_id, t.as_of AS trained_as_of,
    t.train_from, t.train_to, t."rows", t.features, t.target, t.artefact, t.size_bytes, t.sha256, coalesce(s.enabled, true) AS enabled
FROM registry.model_versions AS v
JOIN models.trainings AS t USING (training_id)
LEFT JOIN registry.model_enablement AS s ON s.model = v.model
WHERE v.status = 'active'
ORDER BY v.model
""",
    reads=(MODEL_VERSIONS, TRAININGS, MODEL_ENABLEMENT),
)
SHADOW_MODELS: Final = _view(
    name="shadow_models",
    sql="""
SELECT v.model, v.version, v.training_id, v.as_of, v.changed_on AS in_shadow_since, count(r.session) AS sessions,
    coalesce(sum(r.predictions), 0) AS predictions, sum(r.mae * r.predictions) / sum(r.predictions) AS mae,
    sum(r.baseline_mae * r.predictions) / sum(r.predictions) AS baseline_mae, avg(r.rank_ic) AS rank_ic
FROM registry.model_versions AS v
LEFT JOIN registry.live_results AS r USING (model, version)
WHERE v.status = 'shadow'
GROUP BY ALL
ORDER BY v.model, v.version
""",
    reads=(MODEL_VERSIONS, LIVE_RESULTS),
)
VIEWS: Final = (ACTIVE_MODELS, SHADOW_MODELS)
