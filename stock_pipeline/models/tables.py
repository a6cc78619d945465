"""The tables of the models room."""

from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.columns import (
    AS_OF,
    CONTRIBUTION,
    FEATURE,
    FOLD,
    FORWARD_RETURN,
    HORIZON,
    METRIC,
    MODEL,
    PERIOD,
    RANK,
    RETURN_SCALE,
    SCORE,
    SESSION,
    SYMBOL,
    TARGET,
    TRAINING_ID,
    VALUE,
)
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.datasets.catalogue import TARGET_KINDS
from stock_pipeline.models.explanations import IMPORTANCE, SHARE
from stock_pipeline.models.metrics import OBSERVATIONS, PART, TEST, TRAIN
from stock_pipeline.models.trials import TRIAL

_table = partial(TableSchema, store="ml", room="models")
_TRAINING_ID = Column(TRAINING_ID, pl.String, "name of the training, from a hash of all that it depends on")
_MODEL = Column(MODEL, pl.String, "name of the model in the catalogue, or stack")
_AS_OF = Column(AS_OF, pl.Date, "as-of date of the training: the last session of which data were known")

NUMBER: Final = "number"
SLOPE, SLOPE_ERROR = "slope", "slope_error"
RESIDUAL_LOW, RESIDUAL_HIGH = "residual_low", "residual_high"
ODDS_SLOPE, ODDS_INTERCEPT = "odds_slope", "odds_intercept"
_KINDS: Final = tuple(kind.name for kind in TARGET_KINDS)

TRAININGS: Final = _table(
    name="trainings",
    description="Every training that left an artefact, one row each.",
    columns=(
        _TRAINING_ID,
        _MODEL,
        Column(NUMBER, pl.Int32, "number of the training, counted from 1 within the model in the order in which they were made", minimum=1),
        _AS_OF,
        Column("train_from", pl.Date, "first session that the final model was fitted on"),
        Column("train_to", pl.Date, "last session that the final model was fitted on"),
        Column("rows", pl.Int64, "rows that the final model was fitted on", minimum=1),
        Column("sessions", pl.Int32, "sessions that the final model was fitted on", minimum=1),
        Column("features", pl.Int32, "number of features", minimum=1),
        Column("features_hash", pl.String, "hash of the features' names in their order"),
        Column("parameters", pl.String, "parameters of the model, as JSON"),
        Column("target", pl.String, f"what it learned: {', '.join(_KINDS)}", allowed=_KINDS),
        Column("trials", pl.Int32, "sets of parameters that were tried", minimum=1),
        Column("seed", pl.Int64, "random seed"),
        Column("threads", pl.Int32, "threads of each of its fits", minimum=1),
        Column("device", pl.String, "where it was trained", allowed=("cpu", "cuda")),
        Column("artefact", pl.String, "artefact folder, relative to the folder of models"),
        Column("size_bytes", pl.Int64, "size of the artefact's files together, in bytes", minimum=1),
        Column("sha256", pl.String, "SHA-256 of the artefact's manifest, which holds those of its files"),
    ),
    key=(TRAINING_ID,),
    session_column=AS_OF,
)

OUT_OF_FOLD_PREDICTIONS: Final = _table(
    name="out_of_fold_predictions",
    description="Each training's scores of every stock in the universe of sessions that it had not seen, beside targets and returns.",
    columns=(
        _TRAINING_ID,
        _MODEL,
        Column(FOLD, pl.Int32, "fold whose test range holds the session, from 1", minimum=1),
        Column(SESSION, pl.Date, "session on whose night the score could have been given"),
        Column(SYMBOL, pl.String, "stock"),
        Column(SCORE, pl.Float64, "the model's score; higher is better"),
        Column(
            TARGET,
            pl.Float64,
            "what the model was to predict; for the return its neutralised rank within the session; null where it did not become known",
            nullable=True,
        ),
        Column(
            FORWARD_RETURN,
            pl.Float64,
            "return that followed over the predicted horizon, as a share; null where it did not become known",
            nullable=True,
        ),
    ),
    key=(TRAINING_ID, SYMBOL, SESSION),
)

MODEL_METRICS: Final = _table(
    name="metrics",
    description="Metrics of each training's scores, out of fold and in sample, one row for each part and metric.",
    columns=(
        _TRAINING_ID,
        Column(PART, pl.String, "test: sessions that the model had not seen; train: some of those it learned from", allowed=(TEST, TRAIN)),
        Column(FOLD, pl.Int32, "fold, from 1; 0 stands for all folds together", minimum=0),
        Column(PERIOD, pl.String, "year of the sessions, or all"),
        Column(
            METRIC,
            pl.String,
            "metric: mae, rmse, r2, baseline_mae, baseline_rmse, rank_ic, icir, rank_ic_t, ic, "
            "positive_ic_share and its bounds _low and _high, told_apart_share",
        ),
        _MODEL,
        _AS_OF,
        Column(VALUE, pl.Float64, "value of the metric; null where there are too few rows for it", nullable=True),
        Column(OBSERVATIONS, pl.Int64, "rows (of the errors) or sessions (of all others) that the value rests on", minimum=0),
    ),
    key=(TRAINING_ID, PART, FOLD, PERIOD, METRIC),
    session_column=AS_OF,
)

SHAP_VALUES: Final = _table(
    name="shap_values",
    description="Contributions of each feature to the scores of a sample of history, by the final model.",
    columns=(
        _TRAINING_ID,
        _MODEL,
        Column(SESSION, pl.Date, "session"),
        Column(SYMBOL, pl.String, "stock"),
        Column(FEATURE, pl.String, "feature"),
        Column(CONTRIBUTION, pl.Float32, "what it added to the score, or to the log-odds of a rise for the model direction"),
        Column(VALUE, pl.Float32, "the feature as the model saw it"),
    ),
    key=(TRAINING_ID, SYMBOL, SESSION, FEATURE),
)

FEATURE_IMPORTANCE: Final = _table(
    name="feature_importance",
    description="How much each feature counts in each training: its mean absolute contribution over the sample of history.",
    columns=(
        _TRAINING_ID,
        _MODEL,
        _AS_OF,
        Column(FEATURE, pl.String, "feature"),
        Column(IMPORTANCE, pl.Float64, "mean absolute contribution, in units of the score", minimum=0),
        Column(SHARE, pl.Float64, "share of the sum over the features", minimum=0, maximum=1),
        Column(RANK, pl.Int32, "1 for the feature that counts the most", minimum=1),
    ),
    key=(TRAINING_ID, FEATURE),
    session_column=AS_OF,
)

TRIALS: Final = _table(
    name="trials",
    description="The sets of parameters that were tried before a training, where more than one was.",
    columns=(
        _TRAINING_ID,
        _MODEL,
        _AS_OF,
        Column(TRIAL, pl.Int32, "number of the set; 1 is the model's own", minimum=1),
        Column("parameters", pl.String, "what differs from the model's own parameters, as JSON"),
        Column("rank_ic", pl.Float64, "mean rank IC on sessions that no fold tests"),
        Column("chosen", pl.Boolean, "whether the training used it"),
    ),
    key=(TRAINING_ID, TRIAL),
    session_column=AS_OF,
)

RETURN_CALIBRATIONS: Final = _table(
    name="return_calibrations",
    description="What one unit of a training's score, less its session's mean, is worth in excess return, one row for each horizon.",
    columns=(
        _TRAINING_ID,
        Column(HORIZON, pl.Int32, "sessions from the fill at the next open to the sale", minimum=1),
        _MODEL,
        _AS_OF,
        Column("sessions", pl.Int32, "sessions out of fold with outcomes", minimum=1),
        Column(SLOPE, pl.Float64, "slope of the excess return on the score"),
        Column(SLOPE_ERROR, pl.Float64, "its standard error by session; null where there are too few to tell", nullable=True, minimum=0),
        Column(RETURN_SCALE, pl.Float64, "the slope shrunk by its error; null where it does not rise", nullable=True, minimum=0),
        Column(RESIDUAL_LOW, pl.Float64, "tenth of what is unexpected, in units of the stock's volatility over 60 sessions", nullable=True),
        Column(RESIDUAL_HIGH, pl.Float64, "nine tenths of it, likewise", nullable=True),
        Column(ODDS_SLOPE, pl.Float64, "log-odds of a positive excess return for a unit of score, shrunk", minimum=0),
        Column(ODDS_INTERCEPT, pl.Float64, "log-odds of a positive excess return of the session's mean score"),
    ),
    key=(TRAINING_ID, HORIZON),
    session_column=AS_OF,
)
