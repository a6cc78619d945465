import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, PRICE_FACTOR, SESSION, SYMBOL, VOLUME_FACTOR
from stock_pipeline.features.bars import usable_bars
from stock_pipeline.features.market import ADVANCING, DISPERSION, MARKET_RETURN, SQUARED_RETURN, market_series
from stock_pipeline_tests.factories.feature_bars import bars
from stock_pipeline_tests.factories.panels import adjusted_panel


def test_the_market_is_what_its_stocks_did() -> None:
    panel = adjusted_panel(symbols=9, count=12)
    closes = panel.pivot(SYMBOL, index=SESSION, values=CLOSE).drop(SESSION).to_numpy()
    returns = closes[1:] / closes[:-1] - 1
    market = market_series(usable_bars(panel))
    assert market[SESSION].to_list() == panel[SESSION].unique().sort().to_list()
    assert market.select(MARKET_RETURN, ADVANCING, SQUARED_RETURN, DISPERSION).row(0) == (None,) * 4
    assert market[MARKET_RETURN].to_list()[1:] == pytest.approx(returns.mean(axis=1), abs=1e-10)
    assert market[ADVANCING].to_list()[1:] == pytest.approx((returns > 0).mean(axis=1))
    assert market[SQUARED_RETURN].to_list()[1:] == pytest.approx((returns**2).mean(axis=1), abs=1e-10)
    assert market[DISPERSION].to_list()[1:] == pytest.approx(returns.std(axis=1), rel=1e-6)


def test_only_stocks_with_a_bar_count() -> None:
    panel = pl.concat([bars([10, 11, 11]), bars([10, 13, 13], symbol="B"), bars([10, 99, 10], symbol="C")])
    days = panel[SESSION].unique().sort()
    without = panel.filter(~((pl.col(SYMBOL) == "C") & (pl.col(SESSION) == days[1])))
    assert market_series(usable_bars(without))[MARKET_RETURN].to_list() == [None, pytest.approx(0.2), pytest.approx(0.0)]


@pytest.mark.parametrize("stocks", range(2, 12))
def test_stocks_that_move_alike_are_not_dispersed(stocks: int) -> None:
    """The mean of the squares less the square of the mean is a hair below zero there."""
    panel = pl.concat([bars([10, 10.7, 9.9, 12.3], symbol=f"S{number:02d}") for number in range(stocks)])
    dispersion = market_series(usable_bars(panel))[DISPERSION].to_list()
    assert dispersion[0] is None
    assert dispersion[1:] == pytest.approx([0.0] * 3, abs=1e-5)


def test_a_market_that_stands_still_has_no_breadth() -> None:
    panel = pl.concat([bars([10, 10, 11]), bars([10, 10, 10], symbol="B")])
    market = market_series(usable_bars(panel))
    assert market[ADVANCING].to_list() == [None, None, 1.0]
    assert market[DISPERSION].to_list() == [None, 0.0, pytest.approx(0.05)]


def test_the_market_is_the_same_to_the_last_bit_whatever_came_before_and_in_any_order() -> None:
    rng = np.random.default_rng(3)
    panel = adjusted_panel(symbols=30, count=40, missing_share=0.1)
    step = pl.Series(np.where(rng.random(panel.height) < 0.05, rng.uniform(0.3, 1, panel.height), 1.0))
    panel = panel.with_columns(step.alias(PRICE_FACTOR), pl.lit(1.0).alias(VOLUME_FACTOR))
    days = panel[SESSION].unique().sort()
    series = [SESSION, MARKET_RETURN, ADVANCING, SQUARED_RETURN, DISPERSION]
    whole = market_series(usable_bars(panel)).select(series)
    late = panel.filter(pl.col(SESSION) >= days[20]).sample(fraction=1, shuffle=True, seed=2)
    assert market_series(usable_bars(late)).select(series)[7:].equals(whole[27:])
