"""The tables of the predictions room: one row per model version, session and stock, and the signals for the next session."""

from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.columns import (
    CONTRIBUTION,
    FEATURE,
    HORIZON,
    MODEL,
    PREDICTED_EXCESS_RETURN,
    PREDICTED_VOLATILITY,
    PROBABILITY_UP,
    RANK,
    SCORE,
    SESSION,
    SYMBOL,
    TRAINING_ID,
    VALUE,
    VERSION,
)
from stock_pipeline.core.table_schema import Column, TableSchema

NEXT_SESSION: Final = "next_session"
SIGNAL: Final = "signal"
BUY, HOLD, SELL = "buy", "hold", "sell"
EXCESS_RETURN_LOW: Final = "excess_return_low"
EXCESS_RETURN_HIGH: Final = "excess_return_high"
PROBABILITY_POSITIVE: Final = "probability_positive"
ROUND_TRIP_COST: Final = "round_trip_cost"
EXPECTATION: Final = (PREDICTED_EXCESS_RETURN, EXCESS_RETURN_LOW, EXCESS_RETURN_HIGH, PROBABILITY_POSITIVE, ROUND_TRIP_COST)

_table = partial(TableSchema, store="ml", room="predictions")
_PREDICTION = (
    Column(SESSION, pl.Date, "session after whose close the prediction was made"),
    Column(SYMBOL, pl.String, "ticker of the stock"),
    Column(MODEL, pl.String, "model of the catalogue"),
    Column(TRAINING_ID, pl.String, "training that produced the artefact"),
)
_SCORE = Column(SCORE, pl.Float64, "the model's score of the stock; higher is better, comparable within model and session only")
_RANK = Column(RANK, pl.Int32, "place of the score within model and session, 1 is best", minimum=1)
_VERSION = Column(VERSION, pl.Int32, "registry version that made the prediction", minimum=0)
_PREDICTED_RETURN = Column(
    PREDICTED_EXCESS_RETURN,
    pl.Float64,
    "expected return less the mean of the session's stocks, over the first of labels.horizons from the next open on"
    "; a fraction, null where unknown",
    nullable=True,
)

DAILY_PREDICTIONS = _table(
    name="daily_predictions",
    description="Predictions of each stock after a session's close, by each active or shadow version of a model.",
    columns=(
        *_PREDICTION,
        _VERSION,
        _SCORE,
        _RANK,
        _PREDICTED_RETURN,
        Column(
            PREDICTED_VOLATILITY,
            pl.Float64,
            "expected (mean) standard deviation of the daily log returns ahead, per session; null except for the model risk",
            nullable=True,
            minimum=0,
        ),
        Column(
            PROBABILITY_UP,
            pl.Float64,
            "probability that the return is positive; null except for the model direction",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
    ),
    key=(MODEL, TRAINING_ID, SESSION, SYMBOL),
)

EXPECTED_RETURNS = _table(
    name="expected_returns",
    description="What each prediction of a model of the return means over each horizon, beside its interval, odds and cost.",
    columns=(
        *_PREDICTION,
        _VERSION,
        Column(HORIZON, pl.Int32, "sessions from the fill at the next open to the sale", minimum=1),
        Column(
            PREDICTED_EXCESS_RETURN,
            pl.Float64,
            "expected return less the mean of the session's stocks, over the horizon; a fraction, null where the score has shown no worth",
            nullable=True,
        ),
        Column(
            EXCESS_RETURN_LOW,
            pl.Float64,
            "lower bound of the interval that holds 80 % of the excess returns; null where too little is known of the stock or the score",
            nullable=True,
        ),
        Column(EXCESS_RETURN_HIGH, pl.Float64, "its upper bound, likewise", nullable=True),
        Column(PROBABILITY_POSITIVE, pl.Float64, "probability that the excess return is positive", minimum=0, maximum=1),
        Column(ROUND_TRIP_COST, pl.Float64, "cost of buying and selling the stock, as a fraction of what is traded", minimum=0),
    ),
    key=(MODEL, TRAINING_ID, SESSION, SYMBOL, HORIZON),
)

EXPLANATIONS = _table(
    name="explanations",
    description="The features that moved each prediction the most, by exact contributions (SHAP values).",
    columns=(
        *_PREDICTION,
        Column(RANK, pl.Int32, "1 for the feature that moved the score the most", minimum=1),
        Column(FEATURE, pl.String, "feature"),
        Column(CONTRIBUTION, pl.Float32, "what it added to the score, or to the log-odds of a rise for the model direction"),
        Column(VALUE, pl.Float32, "the feature as the model saw it"),
    ),
    key=(MODEL, TRAINING_ID, SESSION, SYMBOL, RANK),
)

SIGNALS = _table(
    name="signals",
    description="The leading model's signal for each stock at the open of the next session.",
    columns=(
        Column(SESSION, pl.Date, "session after whose close the signal was made"),
        Column(NEXT_SESSION, pl.Date, "session at whose open the signal is meant to be filled"),
        Column(SYMBOL, pl.String, "ticker of the stock"),
        Column(MODEL, pl.String, "model whose score the signal rests on"),
        _VERSION,
        Column(
            SIGNAL,
            pl.String,
            "buy for the top decile of scores, sell for the bottom decile, else hold",
            allowed=(BUY, HOLD, SELL),
        ),
        _SCORE,
        _RANK,
        _PREDICTED_RETURN,
    ),
    key=(SESSION, SYMBOL),
)
