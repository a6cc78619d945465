"""The tables that the models stage owns."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import AS_OF, FOLD, FORWARD_RETURN, METRIC, MODEL, SCORE, SESSION, SYMBOL, TRAINING_ID, VALUE
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.datasets.training_panel import TARGET
from stock_pipeline.models.scores import OBSERVATIONS

_TRAINING_ID = Column(TRAINING_ID, pl.String, "name of the training, from a hash of all that it depends on")
_MODEL = Column(MODEL, pl.String, "name of the model in the catalogue, or stack")

NUMBER: Final = "number"

TRAININGS: Final = TableSchema(
    store="ml",
    stage="models",
    name="trainings",
    description="Every training that left an artefact, one row each.",
    columns=(
        _TRAINING_ID,
        _MODEL,
        Column(NUMBER, pl.Int32, "number of the training, counted from 1 within the model in the order in which they were made", minimum=1),
        Column(AS_OF, pl.Date, "session whose night's knowledge the training rests on"),
        Column("train_from", pl.Date, "first session that the final model was fitted on"),
        Column("train_to", pl.Date, "last session that the final model was fitted on"),
        Column("rows", pl.Int64, "rows that the final model was fitted on", minimum=1),
        Column("sessions", pl.Int32, "sessions that the final model was fitted on", minimum=1),
        Column("features", pl.Int32, "number of features", minimum=1),
        Column("features_hash", pl.String, "hash of the features' names in their order"),
        Column("parameters", pl.String, "parameters of the model, as JSON"),
        Column("seed", pl.Int64, "random seed"),
        Column("threads", pl.Int32, "threads that it was trained with", minimum=1),
        Column("artefact", pl.String, "artefact folder, relative to the folder of models"),
        Column("size_bytes", pl.Int64, "size of the artefact's files together, in bytes", minimum=1),
        Column("sha256", pl.String, "SHA-256 of the artefact's manifest, which holds those of its files"),
    ),
    key=(TRAINING_ID,),
    session_column=AS_OF,
)

OUT_OF_FOLD_PREDICTIONS: Final = TableSchema(
    store="ml",
    stage="models",
    name="out_of_fold_predictions",
    description="What each training said of sessions that it had not seen, beside what came of them.",
    columns=(
        _TRAINING_ID,
        _MODEL,
        Column(FOLD, pl.Int32, "fold whose test range holds the session, from 1", minimum=1),
        Column(SESSION, pl.Date, "session on whose night the score could have been given"),
        Column(SYMBOL, pl.String, "stock"),
        Column(SCORE, pl.Float64, "the model's score; higher is better"),
        Column(TARGET, pl.Float64, "rank of the forward return within its session", minimum=-0.5, maximum=0.5),
        Column(FORWARD_RETURN, pl.Float64, "return that followed, as a share"),
    ),
    key=(TRAINING_ID, SYMBOL, SESSION),
)

MODEL_SCORES: Final = TableSchema(
    store="ml",
    stage="models",
    name="scores",
    description="How good each training's out-of-fold predictions were, one row for each fold and measure.",
    columns=(
        _TRAINING_ID,
        Column(FOLD, pl.Int32, "fold, from 1; 0 stands for all folds together", minimum=0),
        Column(
            METRIC,
            pl.String,
            "measure: mae, rmse, zero_mae, rank_ic, icir, rank_ic_t, ic, hit_rate and its bounds _low and _high",
        ),
        _MODEL,
        Column(AS_OF, pl.Date, "session whose night's knowledge the training rests on"),
        Column(VALUE, pl.Float64, "value of the measure; null where the fold is too small for it", nullable=True),
        Column(OBSERVATIONS, pl.Int64, "rows (mae, rmse, zero_mae) or sessions (all others) that the value rests on", minimum=0),
    ),
    key=(TRAINING_ID, FOLD, METRIC),
    session_column=AS_OF,
)
