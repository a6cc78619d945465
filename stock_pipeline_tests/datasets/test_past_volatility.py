"""The volatility of the past 20 returns: what NumPy says of the same closes."""

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, PAST_VOLATILITY, PRICE_FACTOR, SESSION, SYMBOL
from stock_pipeline.datasets.reading import SPAN, WINDOW, past_volatility
from stock_pipeline_tests.factories.panels import sessions

COUNT = 60
DAYS = sessions(COUNT)


def bars_of(closes: list[float], steps: list[float] | None = None, symbol: str = "A") -> pl.DataFrame:
    count = len(closes)
    return pl.DataFrame({SYMBOL: [symbol] * count, SESSION: DAYS[:count], CLOSE: closes, PRICE_FACTOR: steps or [1.0] * count})


def random_closes(seed: int, count: int = COUNT) -> list[float]:
    closes: list[float] = (50 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, count)))).tolist()
    return closes


def values_of(bars: pl.DataFrame) -> list[float | None]:
    return past_volatility(bars)[PAST_VOLATILITY].to_list()


def test_it_is_the_deviation_of_the_last_twenty_log_returns() -> None:
    closes = random_closes(0)
    returns = np.diff(np.log(closes))
    expected = [None] * WINDOW + [float(np.std(returns[at - WINDOW : at], ddof=1)) for at in range(WINDOW, COUNT)]
    assert values_of(bars_of(closes)) == [None if value is None else pytest.approx(value, rel=1e-9) for value in expected]


def test_each_stock_has_its_own_and_the_order_of_the_rows_does_not_matter() -> None:
    one, two = bars_of(random_closes(1)), bars_of(random_closes(2, 40), symbol="B")
    found = past_volatility(pl.concat([two, one]).reverse())
    assert found.columns == [SYMBOL, SESSION, PAST_VOLATILITY]
    assert found.select(SYMBOL, SESSION).equals(pl.concat([one, two]).select(SYMBOL, SESSION))
    assert found[PAST_VOLATILITY].to_list() == [*values_of(one), *values_of(two)]


def test_a_split_is_no_return() -> None:
    closes = random_closes(3)
    after = [value if at < 30 else value / 2 for at, value in enumerate(closes)]
    steps = [0.5 if at == 30 else 1.0 for at in range(COUNT)]
    assert values_of(bars_of(after, steps))[WINDOW:] == pytest.approx(values_of(bars_of(closes))[WINDOW:], rel=1e-9)
    assert values_of(bars_of(after))[35] > 3 * (values_of(bars_of(closes))[35] or 0)  # type: ignore[operator]


def test_a_missing_bar_makes_one_return_over_two_sessions() -> None:
    bars = bars_of(random_closes(4))
    without = bars.filter(pl.col(SESSION) != DAYS[30])
    returns = np.diff(np.log(without[CLOSE].to_numpy()))
    assert values_of(without)[40] == pytest.approx(float(np.std(returns[20:40], ddof=1)), rel=1e-9)


def test_a_close_that_cannot_be_leaves_no_value_until_it_is_out_of_the_window() -> None:
    closes = random_closes(5)
    broken = [0.0 if at == 25 else value for at, value in enumerate(closes)]
    found, plain = values_of(bars_of(broken)), values_of(bars_of(closes))
    assert found[25 : 26 + WINDOW] == [None] * (WINDOW + 1)
    assert found[26 + WINDOW :] == pytest.approx(plain[26 + WINDOW :], rel=1e-9)
    assert found[:25] == plain[:25]


def test_nothing_later_moves_a_value_and_the_span_is_enough_for_the_last() -> None:
    bars = bars_of(random_closes(6))
    assert values_of(bars.head(45)) == values_of(bars)[:45]
    assert values_of(bars.tail(SPAN))[-1] == pytest.approx(values_of(bars)[-1], rel=1e-9)
