"""The tables of the backtest room: the daily record of each model's book, and the figures that sum it up."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import AS_OF, METRIC, MODEL, SESSION, VALUE
from stock_pipeline.core.table_schema import Column, TableSchema

GROSS_RETURN: Final = "gross_return"
COST: Final = "cost"
NET_RETURN: Final = "net_return"
TURNOVER: Final = "turnover"
HOLDINGS: Final = "holdings"
UNFILLED: Final = "unfilled"
BENCHMARK_RETURN: Final = "benchmark_return"
EQUITY: Final = "equity"
BENCHMARK_EQUITY: Final = "benchmark_equity"
DRAWDOWN: Final = "drawdown"
FILL: Final = "fill"
NEXT_OPEN: Final = "next_open"

DAILY_RETURNS = TableSchema(
    store="ml",
    room="backtest",
    name="daily_returns",
    description="Returns of a book of a model's highest-scored stocks, by the session after whose close it was chosen. Sessions "
    "without scores or returns have no row, and the next one counts as following.",
    columns=(
        Column(AS_OF, pl.Date, "as-of date of the backtest: the last session of which data were known"),
        Column(MODEL, pl.String, "model whose scores chose the stocks"),
        Column(SESSION, pl.Date, "session after whose close the book was chosen"),
        Column(FILL, pl.String, "where orders fill: bought at the next session's open, sold at the open after", allowed=(NEXT_OPEN,)),
        Column(GROSS_RETURN, pl.Float64, "return of the book from open to open, as a fraction", minimum=-1),
        Column(COST, pl.Float64, "cost of changing the book, as a fraction of equity", minimum=0),
        Column(NET_RETURN, pl.Float64, "return after costs", minimum=-1),
        Column(
            TURNOVER,
            pl.Float64,
            "value bought plus value sold, as a fraction of equity; 1 when the first book is bought",
            minimum=0,
        ),
        Column(HOLDINGS, pl.Int32, "stocks in the book", minimum=0),
        Column(UNFILLED, pl.Int32, "stocks picked but left out because no one-session return is known", minimum=0),
        Column(BENCHMARK_RETURN, pl.Float64, "mean one-session return of all stocks that have one, without costs", minimum=-1),
        Column(EQUITY, pl.Float64, "growth, after costs, of 1 put in before the first session", minimum=0),
        Column(BENCHMARK_EQUITY, pl.Float64, "growth of 1 put into the benchmark", minimum=0),
        Column(DRAWDOWN, pl.Float64, "equity against its highest so far, less 1", minimum=-1, maximum=0),
    ),
    key=(MODEL, SESSION),
)

METRICS = TableSchema(
    store="ml",
    room="backtest",
    name="metrics",
    description="Figures that sum up a model's backtest as it stood on a session. Annualised ones count the sessions that have a row of "
    "daily returns, not those left out between them.",
    columns=(
        Column(AS_OF, pl.Date, "as-of date of the backtest: the last session of which data were known"),
        Column(MODEL, pl.String, "model whose scores chose the stocks"),
        Column(METRIC, pl.String, "name of the figure"),
        Column(VALUE, pl.Float64, "the figure; null where it is undefined", nullable=True),
    ),
    key=(AS_OF, MODEL, METRIC),
    session_column=AS_OF,
)
