"""What each stock is expected to bring over each horizon, beside its interval, its odds and what trading it costs."""

import polars as pl

from stock_pipeline.core.columns import (
    HORIZON,
    LOCAL_VOLATILITY,
    MODEL,
    PREDICTED_EXCESS_RETURN,
    RETURN_SCALE,
    SCORE,
    SESSION,
    SYMBOL,
    TRAINING_ID,
    VERSION,
)
from stock_pipeline.models.tables import ODDS_INTERCEPT, ODDS_SLOPE, RESIDUAL_HIGH, RESIDUAL_LOW
from stock_pipeline.predictions.tables import EXCESS_RETURN_HIGH, EXCESS_RETURN_LOW, EXPECTED_RETURNS, PROBABILITY_POSITIVE, ROUND_TRIP_COST


def expected_returns(
    predictions: pl.DataFrame, calibrations: pl.DataFrame, volatility: pl.DataFrame, round_trip_cost: float
) -> pl.DataFrame:
    """What the predictions mean in return, for each horizon that their trainings have been calibrated for.

    Args:
        predictions: rows of ``DAILY_PREDICTIONS``, all stocks of each training and session.
        calibrations: rows of ``models.tables.RETURN_CALIBRATIONS``; a training without any gets no row.
        volatility: session, symbol and local_volatility, see ``features.reading.read_local_volatility``.
        round_trip_cost: cost of buying and selling a stock, as a fraction of what is traded.

    Returns:
        Rows of ``EXPECTED_RETURNS`` in the order of its key.
    """
    over_mean = pl.col(SCORE) - pl.col(SCORE).mean().over(TRAINING_ID, SESSION)
    numbers = (HORIZON, RETURN_SCALE, RESIDUAL_LOW, RESIDUAL_HIGH, ODDS_SLOPE, ODDS_INTERCEPT)
    rows = (
        predictions.sort(TRAINING_ID, SESSION, SYMBOL)  # which fixes the order in which scores are added
        .with_columns(over_mean.alias("_over_mean"))
        .join(calibrations.select(TRAINING_ID, *numbers), on=TRAINING_ID, how="inner")
        .join(volatility, on=[SESSION, SYMBOL], how="left")
    )
    expected = pl.col("_over_mean") * pl.col(RETURN_SCALE)
    # A score whose worth is not known still leaves the range of what may come.
    centre = expected.fill_null(0.0)
    odds = pl.col(ODDS_SLOPE) * pl.col("_over_mean") + pl.col(ODDS_INTERCEPT)
    return rows.select(
        SESSION,
        SYMBOL,
        MODEL,
        TRAINING_ID,
        VERSION,
        HORIZON,
        expected.alias(PREDICTED_EXCESS_RETURN),
        (centre + pl.col(RESIDUAL_LOW) * pl.col(LOCAL_VOLATILITY)).alias(EXCESS_RETURN_LOW),
        (centre + pl.col(RESIDUAL_HIGH) * pl.col(LOCAL_VOLATILITY)).alias(EXCESS_RETURN_HIGH),
        (0.5 + (odds / 2).tanh() / 2).alias(PROBABILITY_POSITIVE),
        pl.lit(round_trip_cost).alias(ROUND_TRIP_COST),
    ).sort(EXPECTED_RETURNS.key)
