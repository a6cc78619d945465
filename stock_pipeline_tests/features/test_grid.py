import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, HIGH, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.features.grid import (
    AGE,
    DOLLAR_VOLUME,
    FILL_SESSIONS,
    LOG_RETURN,
    MARKET_RETURN,
    RETURN,
    TRUE_RANGE,
    TYPICAL,
    on_grid,
)
from stock_pipeline_tests.features.bars import bars


def _without(panel: pl.DataFrame, symbol: str, *positions: int) -> pl.DataFrame:
    days = panel[SESSION].unique().sort()
    gone = [days[position] for position in positions]
    return panel.filter(~((pl.col(SYMBOL) == symbol) & pl.col(SESSION).is_in(gone)))


def _rows(grid: pl.DataFrame, symbol: str = "A") -> pl.DataFrame:
    return grid.filter((pl.col(SYMBOL) == symbol) & (pl.col(AGE) >= 0))


def test_a_missing_bar_is_a_row_with_the_prices_before_it_and_no_volume() -> None:
    panel = _without(pl.concat([bars([1, 2, 3, 4]), bars([5, 5, 5, 5], symbol="B")]), "A", 1, 2)
    grid = _rows(on_grid(panel, padding=0))
    assert grid[CLOSE].to_list() == [1, 1, 1, 4]
    assert grid[HIGH].to_list() == [1, 1, 1, 4]
    assert grid[VOLUME].to_list() == [100, None, None, 100]
    assert grid[AGE].to_list() == [0, 1, 2, 0]


def test_prices_are_carried_forward_five_sessions_and_no_more() -> None:
    panel = _without(pl.concat([bars([2.0] * 9), bars([5.0] * 9, symbol="B")]), "A", *range(1, 8))
    assert _rows(on_grid(panel, padding=0))[CLOSE].to_list() == [2] * (1 + FILL_SESSIONS) + [None, None, 2]


def test_a_session_without_any_bar_is_no_row() -> None:
    panel = _without(bars([1, 2, 3, 4]), "A", 1)
    assert on_grid(panel, padding=0)[CLOSE].to_list() == [1, 3, 4]


def test_empty_rows_keep_the_symbols_apart() -> None:
    grid = on_grid(pl.concat([bars([1, 2]), bars([7, 8], symbol="B")]), padding=3)
    assert grid[CLOSE].to_list() == [None, None, None, 1, 2, None, None, None, 7, 8]
    assert grid.filter(pl.col(AGE) == 0)[RETURN].to_list() == [None, 1, None, pytest.approx(8 / 7 - 1)]


def test_the_derived_series() -> None:
    panel = bars([10, 12], volumes=[5, 7], ranges=[(10, 10, 10), (13, 14, 11)])
    row = on_grid(panel, padding=1).row(-1, named=True)
    assert row[RETURN] == pytest.approx(0.2)
    assert row[LOG_RETURN] == pytest.approx(0.1823215567939546)
    assert row[TYPICAL] == pytest.approx((14 + 11 + 12) / 3)
    assert row[TRUE_RANGE] == pytest.approx(14 - 10)
    assert row[DOLLAR_VOLUME] == 84


def test_the_market_is_the_mean_of_the_stocks_with_a_bar() -> None:
    panel = pl.concat([bars([10, 11, 11]), bars([10, 13, 13], symbol="B"), bars([10, 99, 10], symbol="C")])
    grid = _rows(on_grid(_without(panel, "C", 1), padding=1))
    assert grid[MARKET_RETURN].to_list() == [None, pytest.approx(0.2), pytest.approx(0.0)]


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf"), None])
def test_a_bar_with_an_impossible_price_is_missing(price: float | None) -> None:
    panel = bars([1, 2, 3]).with_columns(pl.Series(HIGH, [1.0, price, 3.0]))
    assert _rows(on_grid(panel, padding=0)).select(CLOSE, AGE).rows() == [(1, 0), (1, 1), (3, 0)]


@pytest.mark.parametrize("volume", [-1.0, float("nan"), float("inf"), None])
def test_an_impossible_volume_is_null(volume: float | None) -> None:
    assert _rows(on_grid(bars([1, 2], volumes=[0, volume]), padding=0))[VOLUME].to_list() == [0, None]


def test_two_bars_in_one_session_are_refused_by_name() -> None:
    panel = bars([1, 2, 3])
    with pytest.raises(InputError, match=r"A has two bars in the panel for session 2012-01-05"):
        on_grid(pl.concat([panel, panel.tail(1)]), padding=0)
