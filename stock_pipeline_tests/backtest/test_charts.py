import polars as pl
import pytest
from matplotlib.colors import to_hex

from stock_pipeline.backtest.charts import equity_curve
from stock_pipeline.backtest.engine import daily_returns
from stock_pipeline.backtest.tables import DAILY_RETURNS
from stock_pipeline.core.charts import BLUE, INK, alternative_text
from stock_pipeline_tests.backtest.test_engine import made_up
from stock_pipeline_tests.harness.figures import assert_legible, line_colours, watched, written

PNG = b"\x89PNG\r\n\x1a\n"
SIX = ("lightgbm", "mlp", "n_hits", "patch_tst", "ridge", "stack")
TEN = (*SIX, "catboost", "direction", "random_forest", "xgboost")


def record(model: str, seed: int) -> pl.DataFrame:
    return daily_returns(made_up(seed, count=30)).with_columns(model=pl.lit(model))


def test_a_line_per_model() -> None:
    both = pl.concat([record("ridge", 0), record("lightgbm", 1)])
    assert equity_curve(record("ridge", 0)).startswith(PNG)
    assert equity_curve(both) != equity_curve(record("ridge", 0))
    assert equity_curve(both) == equity_curve(both.reverse())


@pytest.mark.parametrize(("models", "coloured"), [(SIX, 6), (TEN, 1)])
def test_the_stack_stands_out_and_every_line_has_its_growth(
    models: tuple[str, ...], coloured: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = watched(monkeypatch)
    daily = pl.concat([record(model, seed) for seed, model in enumerate(models)])
    content = equity_curve(daily)
    (figure,) = saved
    assert_legible(figure, content)
    assert len(line_colours(figure)) == coloured
    for ax in figure.axes:
        thickest = max(ax.get_lines(), key=lambda line: line.get_linewidth())
        assert to_hex(thickest.get_color()) == BLUE
        assert [line.get_linewidth() for line in ax.get_lines()].count(thickest.get_linewidth()) == 1
    (benchmark,) = [line for line in figure.axes[0].get_lines() if line.get_linestyle() == "--"]
    assert to_hex(benchmark.get_color()) == INK
    growths = {model: (1 + daily.filter(pl.col("model") == model)["net_return"]).product() - 1 for model in models}
    named = [f"{model} {growth:+.1%}" for model, growth in growths.items()]
    assert set(named) <= set(written(figure))
    assert all(name in alternative_text(content) for name in named)
    above, below = figure.axes
    assert "after costs" in above.get_title("left") and "%" in below.get_ylabel() and above.get_legend() is None


def test_a_total_loss_can_be_drawn() -> None:
    lost = record("ridge", 0).with_columns(equity=pl.lit(0.0), drawdown=pl.lit(-1.0))
    assert equity_curve(lost).startswith(PNG)


def test_no_backtest_yet() -> None:
    assert equity_curve(DAILY_RETURNS.empty()).startswith(PNG)
