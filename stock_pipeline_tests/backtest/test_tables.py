from datetime import date

import polars as pl
from polars.testing import assert_frame_equal

from stock_pipeline.backtest.engine import daily_returns
from stock_pipeline.backtest.metrics import summarise
from stock_pipeline.backtest.tables import METRICS
from stock_pipeline_tests.backtest.test_engine import made_up


def test_the_summary_fits_its_table() -> None:
    figures = summarise(daily_returns(made_up(0)))
    rows = pl.DataFrame(figures, schema={"metric": pl.String, "value": pl.Float64}, orient="row")
    stored = rows.select(pl.lit(date(2020, 1, 2)).alias("as_of"), pl.lit("ridge").alias("model"), "metric", "value")
    assert_frame_equal(METRICS.validate(stored), stored)
