"""Checks on the results of the backtest: those that cannot be are told by name, instead of being believed."""

import math
from typing import Final

import polars as pl

from stock_pipeline.backtest.tables import BENCHMARK_RETURN, DAILY_RETURNS, GROSS_RETURN
from stock_pipeline.core.columns import MODEL, SESSION
from stock_pipeline.core.ratios import SESSIONS_A_YEAR
from stock_pipeline.orchestration.context import CheckOutcome, StageContext
from stock_pipeline.orchestration.stage import CheckSpec, StageCheck

# Beyond what has been: the market fell by 23 % in its worst session (1987-10-19), and its most volatile months came to 100 % a year.
LARGEST_BENCHMARK_RETURN: Final = 0.25
LARGEST_BOOK_RETURN: Final = 0.5
LARGEST_VOLATILITY: Final = 2.0  # a year, of the book or of the benchmark
FEWEST_SESSIONS: Final = 20  # for a volatility
EXAMPLES: Final = 5
REMEDY: Final = "look at the bars of these sessions; lower quality.suspect_ratio, raise the limits of the universe, or bring corrected bars"

BENCHMARK, BOOK, VOLATILITY = "possible_benchmark", "possible_session_return", "possible_volatility"
DESCRIPTIONS: Final = {
    BENCHMARK: f"The benchmark moved by no more than {LARGEST_BENCHMARK_RETURN:.0%} in any session.",
    BOOK: f"No book gained or lost more than {LARGEST_BOOK_RETURN:.0%} in a session.",
    VOLATILITY: f"Neither a book nor the benchmark has an annual volatility above {LARGEST_VOLATILITY:.0%}.",
}


def impossible_results(daily: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The results that cannot be, by the name of the check.

    Args:
        daily: rows of DAILY_RETURNS.

    Returns:
        Of single returns model, session and the return, the largest first; of volatilities model, series and the volatility a year.
    """
    found = {}
    for name, column, limit in ((BENCHMARK, BENCHMARK_RETURN, LARGEST_BENCHMARK_RETURN), (BOOK, GROSS_RETURN, LARGEST_BOOK_RETURN)):
        beyond = daily.filter(pl.col(column).abs() > limit)
        found[name] = beyond.select(MODEL, SESSION, column).sort(pl.col(column).abs(), MODEL, SESSION, descending=[True, False, False])
    series = daily.select(MODEL, SESSION, GROSS_RETURN, BENCHMARK_RETURN).unpivot(index=[MODEL, SESSION], variable_name="series")
    deviation = (pl.col("value").std() * math.sqrt(SESSIONS_A_YEAR)).alias("annual_volatility")
    measured = series.drop_nulls("value").group_by(MODEL, "series").agg(deviation, pl.len().alias("sessions")).sort(MODEL, "series")
    wild = measured.filter((pl.col("sessions") >= FEWEST_SESSIONS) & (pl.col("annual_volatility") > LARGEST_VOLATILITY))
    return found | {VOLATILITY: wild.drop("sessions")}


def judge_returns(context: StageContext) -> dict[str, CheckOutcome]:
    """The verdicts on the daily returns of every model."""
    found = impossible_results(context.read(DAILY_RETURNS))
    return {
        name: CheckOutcome(rows.is_empty(), {"impossible": rows.height, "examples": rows.head(EXAMPLES), "remedy": REMEDY})
        for name, rows in found.items()
    }


RETURN_CHECKS = StageCheck(specs=tuple(CheckSpec(name, text) for name, text in DESCRIPTIONS.items()), judge=judge_returns, of_rows=True)
