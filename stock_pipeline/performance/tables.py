"""The tables of the performance room: performance of each training by session, and of each model over a period."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, PERIOD, RANK_IC, SESSION, STOCKS, TRAINING_ID
from stock_pipeline.core.table_schema import Column, TableSchema, View

ORIGIN: Final = "origin"
LIVE, OUT_OF_FOLD = "live", "out_of_fold"
SIGN_ACCURACY: Final = "sign_accuracy"
LONG_SHORT_RETURN: Final = "long_short_return"

DAILY_PERFORMANCE = TableSchema(
    store="ml",
    room="performance",
    name="daily_performance",
    description="Performance of a training's scores against the returns that followed each session.",
    columns=(
        Column(MODEL, pl.String, "model of the catalogue"),
        Column(TRAINING_ID, pl.String, "training that produced the scores"),
        Column(
            ORIGIN,
            pl.String,
            "live: predicted that night; out_of_fold: predicted by a fold that had not seen it",
            allowed=(LIVE, OUT_OF_FOLD),
        ),
        Column(SESSION, pl.Date, "session after whose close the scores were made"),
        Column(STOCKS, pl.Int32, "stocks with both score and outcome", minimum=1),
        Column(
            RANK_IC,
            pl.Float64,
            "Spearman correlation of scores and returns over the predicted horizon; null where undefined",
            nullable=True,
            minimum=-1,
            maximum=1,
        ),
        Column(
            SIGN_ACCURACY,
            pl.Float64,
            "share of the stocks with a score other than zero whose return over that horizon, less the session's mean, has its sign",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column(
            LONG_SHORT_RETURN,
            pl.Float64,
            "mean return of the top decile less that of the bottom decile, over one session and before costs; null where none is known",
            nullable=True,
        ),
    ),
    key=(MODEL, TRAINING_ID, ORIGIN, SESSION),
)

PERFORMANCE_LOG = TableSchema(
    store="ml",
    room="performance",
    name="performance_log",
    description="Performance of each model's live predictions over a period: the top decile, held from the next open to the open after.",
    columns=(
        Column(AS_OF, pl.Date, "session after whose close it was measured"),
        Column(MODEL, pl.String, "model of the catalogue, or stack"),
        Column(PERIOD, pl.String, "the last 20, 60 or 250 sessions whose one-session returns are known, or all"),
        Column("first_session", pl.Date, "first session of the period"),
        Column("last_session", pl.Date, "last session of the period"),
        Column("sessions", pl.Int32, "sessions whose one-session returns are known", minimum=1),
        Column("trades", pl.Int64, "stocks bought, over all sessions", minimum=1),
        Column("win_rate", pl.Float64, "share of the trades that gained", minimum=0, maximum=1),
        Column(
            "win_rate_low",
            pl.Float64,
            "lower bound of its 95 % interval, for trades that depend on each other within a session",
            minimum=0,
            maximum=1,
        ),
        Column("win_rate_high", pl.Float64, "upper bound", minimum=0, maximum=1),
        Column("mean_return", pl.Float64, "mean return of a session, its trades weighing the same, after the costs of both sides"),
        Column("sharpe", pl.Float64, "Sharpe ratio of the sessions, a year; null where undefined", nullable=True),
        Column("sortino", pl.Float64, "Sortino ratio of the sessions, a year; null where undefined", nullable=True),
        Column(
            "profit_factor", pl.Float64, "sum of the trades' gains over that of their losses; null without losses", nullable=True, minimum=0
        ),
        Column("ic", pl.Float64, "mean correlation of score and return over the predicted horizon", nullable=True, minimum=-1, maximum=1),
        Column(RANK_IC, pl.Float64, "mean rank IC of these", nullable=True, minimum=-1, maximum=1),
    ),
    key=(AS_OF, MODEL, PERIOD),
    session_column=AS_OF,
)

MODEL_PERFORMANCE = View(
    store="ml",
    room="performance",
    name="model_performance",
    sql="""
SELECT * FROM performance.performance_log
WHERE as_of = (SELECT max(as_of) FROM performance.performance_log)
ORDER BY model, sessions
""",
    reads=(PERFORMANCE_LOG,),
)
