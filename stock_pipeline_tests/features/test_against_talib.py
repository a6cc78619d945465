"""RSI, ATR, MACD and Bollinger as TA-Lib computes them from the sessions that the feature looks back over, and from no more.

TA-Lib's smoothed indicators remember every bar since the first; a feature must follow from its window alone. So TA-Lib is given the
window, and the features agree with it to rounding. Given all of the history it differs by what the older bars still weigh.
"""

from math import sqrt

import numpy as np
import polars as pl
import pytest
import talib
from numpy.typing import NDArray

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, SESSION, SYMBOL
from stock_pipeline_tests.factories.feature_bars import BY_NAME, bars, values
from stock_pipeline_tests.factories.panels import adjusted_panel

Window = dict[str, NDArray[np.float64]]
PANEL = adjusted_panel(symbols=3, count=140, seed=5)


def rsi(bars: Window) -> float:
    return float(talib.RSI(bars[CLOSE], 14)[-1]) / 100


def atr(bars: Window) -> float:
    return float(talib.ATR(bars[HIGH], bars[LOW], bars[CLOSE], 14)[-1] / bars[CLOSE][-1])


def macd(bars: Window) -> float:
    difference = talib.MACD(bars[CLOSE], 12, 26, 9)[0][-1]
    return float(difference / talib.EMA(bars[CLOSE], 26)[-1])


def bollinger(bars: Window) -> float:
    upper, middle, _ = talib.BBANDS(bars[CLOSE], 20, 1, 1)
    # TA-Lib divides by n, the feature by n - 1.
    return float((bars[CLOSE][-1] - middle[-1]) / (upper[-1] - middle[-1]) * sqrt(19 / 20))


ORACLES = {"rsi_14": rsi, "atr_14": atr, "macd_12_26": macd, "bollinger_20": bollinger}


@pytest.mark.parametrize("symbol", ["S00", "S01", "S02"])
@pytest.mark.parametrize("name", ORACLES)
def test_the_feature_is_talib_s_of_its_window(name: str, symbol: str) -> None:
    rows = PANEL.filter(pl.col(SYMBOL) == symbol).sort(SESSION).select(HIGH, LOW, CLOSE)
    columns = {column: rows[column].to_numpy() for column in rows.columns}
    span = BY_NAME[name].look_back
    shown = values(PANEL, name, symbol)
    expected = [ORACLES[name]({key: column[end - span : end] for key, column in columns.items()}) for end in range(span, 141)]
    assert shown[span - 1 :] == pytest.approx(expected, rel=2e-6, abs=2e-7)


@pytest.mark.parametrize(("name", "apart"), [("rsi_14", 0.02), ("atr_14", 0.001), ("macd_12_26", 0.003), ("bollinger_20", 1e-6)])
def test_what_older_bars_still_weigh_is_little(name: str, apart: float) -> None:
    rows = PANEL.filter(pl.col(SYMBOL) == "S01").sort(SESSION).select(HIGH, LOW, CLOSE)
    of_everything = ORACLES[name]({column: rows[column].to_numpy() for column in rows.columns})
    assert values(PANEL, name, "S01")[-1] == pytest.approx(of_everything, abs=apart)


def test_rsi_of_nothing_but_rises_is_one_and_of_nothing_but_falls_nought() -> None:
    rising = [100.0 + i for i in range(70)]
    assert values(bars(rising), "rsi_14")[-1] == pytest.approx(1)
    assert values(bars(rising[::-1]), "rsi_14")[-1] == pytest.approx(0)
