import polars as pl

from stock_pipeline.backtest.charts import equity_curve
from stock_pipeline.backtest.engine import daily_returns
from stock_pipeline.backtest.tables import DAILY_RETURNS
from stock_pipeline_tests.backtest.test_engine import made_up

PNG = b"\x89PNG\r\n\x1a\n"


def record(model: str, seed: int) -> pl.DataFrame:
    return daily_returns(made_up(seed, count=30)).with_columns(model=pl.lit(model))


def test_a_line_per_model() -> None:
    both = pl.concat([record("ridge", 0), record("lightgbm", 1)])
    assert equity_curve(record("ridge", 0)).startswith(PNG)
    assert equity_curve(both) != equity_curve(record("ridge", 0))
    assert equity_curve(both) == equity_curve(both.reverse())


def test_a_total_loss_can_be_drawn() -> None:
    lost = record("ridge", 0).with_columns(equity=pl.lit(0.0), drawdown=pl.lit(-1.0))
    assert equity_curve(lost).startswith(PNG)


def test_no_backtest_yet() -> None:
    assert equity_curve(DAILY_RETURNS.empty()).startswith(PNG)
