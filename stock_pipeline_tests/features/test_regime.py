import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.regime import REGIME_FEATURES
from stock_pipeline_tests.factories.feature_bars import bars, last
from stock_pipeline_tests.factories.panels import adjusted_panel

PANEL = adjusted_panel(symbols=12, count=75)
CLOSES = PANEL.pivot(SYMBOL, index=SESSION, values=CLOSE).drop(SESSION).to_numpy()
RETURNS = CLOSES[1:] / CLOSES[:-1] - 1
MARKET = RETURNS.mean(axis=1)


def share(short: float, long: float) -> float:
    return short / (short + long)


TEXTBOOK = {
    "market_trend_20": MARKET[-20:].sum() / np.abs(MARKET[-20:]).sum(),
    "market_trend_60": MARKET[-60:].sum() / np.abs(MARKET[-60:]).sum(),
    "market_volatility_20_60": share(MARKET[-20:].std(ddof=1), MARKET[-60:].std(ddof=1)),
    "market_breadth_10": (RETURNS[-10:] > 0).mean(),
    "market_breadth_60": (RETURNS[-60:] > 0).mean(),
    "return_dispersion_5_60": share(RETURNS[-5:].std(axis=1).mean(), RETURNS[-60:].std(axis=1).mean()),
    "average_correlation_60": (MARKET[-60:] ** 2).sum() / (RETURNS[-60:] ** 2).mean(axis=1).sum(),
}


@pytest.mark.parametrize("name", TEXTBOOK)
def test_the_regime_is_the_textbook_s(name: str) -> None:
    assert last(PANEL, name, "S00") == pytest.approx(TEXTBOOK[name], rel=1e-5)


def test_there_is_a_textbook_value_for_each() -> None:
    assert set(TEXTBOOK) == {feature.name for feature in REGIME_FEATURES}


def test_every_stock_has_the_market_s_value_within_its_bounds() -> None:
    made = compute_features(adjusted_panel(symbols=9, count=80, missing_share=0.2), REGIME_FEATURES)
    names = [feature.name for feature in REGIME_FEATURES]
    assert made.group_by(SESSION).agg(pl.col(names).n_unique()).select(pl.col(names).max()).row(0) == (1,) * len(names)
    for feature in REGIME_FEATURES:
        assert feature.bounds is not None
        assert made[feature.name].drop_nulls().is_between(*feature.bounds).all()
        assert made[feature.name].n_unique() > 5


def test_stocks_that_move_as_one_correlate_fully_and_a_rising_market_trends() -> None:
    rising = [100.0 * 1.01**i for i in range(70)]
    panel = pl.concat([bars(rising, symbol=symbol) for symbol in "ABC"])
    assert last(panel, "average_correlation_60") == pytest.approx(1)
    assert last(panel, "market_trend_60") == pytest.approx(1)
    assert last(panel, "market_breadth_10") == 1
    assert last(panel, "market_trend_20", "C") == pytest.approx(1)


def test_a_stock_listed_today_gets_the_market_s_regime() -> None:
    panel = pl.concat([PANEL, PANEL.filter(pl.col(SYMBOL) == "S01").tail(1).with_columns(pl.lit("NEW").alias(SYMBOL))])
    assert last(panel, "market_trend_60", "NEW") == last(panel, "market_trend_60", "S01")
    assert last(panel, "market_trend_60", "NEW") is not None
