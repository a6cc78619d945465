"""The table of the portfolio room: a snapshot of the suggested stocks of every risk profile, session by session."""

import polars as pl

from stock_pipeline.core.columns import CLOSE, NAME, PREDICTED_EXCESS_RETURN, PROFILE, RANK, SECTOR, SESSION, SYMBOL
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.portfolio.risk import DOLLAR_VOLUME, VOLATILITY
from stock_pipeline.portfolio.suggest import REASON, RISK_SCORE, TOTAL_SCORE, WEIGHT
from stock_pipeline.predictions.tables import EXCESS_RETURN_HIGH, EXCESS_RETURN_LOW, PROBABILITY_POSITIVE, ROUND_TRIP_COST

SUGGESTED_STOCKS = TableSchema(
    store="ml",
    room="portfolio",
    name="suggested_stocks",
    description="The stocks suggested to each risk profile after a session's close, with their weights and the reason.",
    columns=(
        Column(SESSION, pl.Date, "session after whose close the stock was suggested"),
        Column(PROFILE, pl.String, "risk profile"),
        Column(RANK, pl.Int32, "place among the profile's suggestions, 1 is best", minimum=1),
        Column(SYMBOL, pl.String, "ticker of the stock"),
        Column(NAME, pl.String, "name of the company", nullable=True),
        Column(SECTOR, pl.String, "sector, null where unknown", nullable=True),
        Column(CLOSE, pl.Float64, "close of the session in dollars", minimum=0),
        Column(VOLATILITY, pl.Float64, "annual volatility of the last 20 sessions, as a fraction", minimum=0),
        Column(DOLLAR_VOLUME, pl.Float64, "median dollars traded a session over the last 20 sessions", minimum=0),
        Column(
            PREDICTED_EXCESS_RETURN,
            pl.Float64,
            "expected return less the mean of the session's stocks, over the first of labels.horizons from the next open on"
            "; null without a model",
            nullable=True,
        ),
        Column(
            EXCESS_RETURN_LOW,
            pl.Float64,
            "lower bound of the interval that holds 80 % of the excess returns over that horizon; null without a model",
            nullable=True,
        ),
        Column(EXCESS_RETURN_HIGH, pl.Float64, "its upper bound; null without a model", nullable=True),
        Column(
            PROBABILITY_POSITIVE,
            pl.Float64,
            "probability that the excess return is positive; null without a model",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column(ROUND_TRIP_COST, pl.Float64, "cost of buying and selling, as a fraction; null without a model", nullable=True, minimum=0),
        Column(RISK_SCORE, pl.Float64, "place of the volatility among all candidates, 0 lowest, 1 highest", minimum=0, maximum=1),
        Column(TOTAL_SCORE, pl.Float64, "what the profile ranks by, 0 worst, 1 best", minimum=0, maximum=1),
        Column(WEIGHT, pl.Float64, "part of the money, inverse to volatility; a profile's weights add up to 1", minimum=0, maximum=1),
        Column(REASON, pl.String, "why the stock is suggested, in words"),
    ),
    key=(SESSION, PROFILE, SYMBOL),
)
