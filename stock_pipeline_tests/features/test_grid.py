import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, HIGH, SESSION, SYMBOL, VOLUME
from stock_pipeline.features.bars import FILL_SESSIONS, RETURN, usable_bars
from stock_pipeline.features.grid import AGE, DOLLAR_VOLUME, LOG_RETURN, TRUE_RANGE, TYPICAL, WEEKDAY, on_grid
from stock_pipeline.features.market import MARKET_RETURN, market_series
from stock_pipeline.features.segments import segments
from stock_pipeline_tests.factories.feature_bars import bars


def _without(panel: pl.DataFrame, symbol: str, *positions: int) -> pl.DataFrame:
    days = panel[SESSION].unique().sort()
    gone = [days[position] for position in positions]
    return panel.filter(~((pl.col(SYMBOL) == symbol) & pl.col(SESSION).is_in(gone)))


def grid_of(panel: pl.DataFrame, span: int) -> pl.DataFrame:
    usable = usable_bars(panel)
    return on_grid(pl.concat(segments(usable, 0, span, 1000)), market_series(usable))


def _rows(grid: pl.DataFrame, symbol: str = "A") -> pl.DataFrame:
    return grid.filter((pl.col(SYMBOL) == symbol) & (pl.col(AGE) >= 0))


def test_a_missing_bar_is_a_row_with_the_prices_before_it_and_no_volume() -> None:
    panel = _without(pl.concat([bars([1, 2, 3, 4]), bars([5, 5, 5, 5], symbol="B")]), "A", 1, 2)
    grid = _rows(grid_of(panel, span=1))
    assert grid[CLOSE].to_list() == [1, 1, 1, 4]
    assert grid[HIGH].to_list() == [1, 1, 1, 4]
    assert grid[VOLUME].to_list() == [100, None, None, 100]
    assert grid[AGE].to_list() == [0, 1, 2, 0]


def test_prices_are_carried_forward_five_sessions_and_no_more() -> None:
    panel = _without(pl.concat([bars([2.0] * 9), bars([5.0] * 9, symbol="B")]), "A", *range(1, 8))
    assert _rows(grid_of(panel, span=1))[CLOSE].to_list() == [2] * (1 + FILL_SESSIONS) + [None, None, 2]


def test_a_session_without_any_bar_is_no_row() -> None:
    panel = _without(bars([1, 2, 3, 4]), "A", 1)
    assert grid_of(panel, span=1)[CLOSE].to_list() == [1, 3, 4]


def test_empty_rows_keep_the_symbols_apart() -> None:
    grid = grid_of(pl.concat([bars([1, 2]), bars([7, 8], symbol="B")]), span=4)
    assert grid[CLOSE].to_list() == [None, None, None, 1, 2, None, None, None, 7, 8]
    assert grid.filter(pl.col(AGE) == 0)[RETURN].to_list() == [None, 1, None, pytest.approx(8 / 7 - 1)]


def test_the_derived_series() -> None:
    panel = bars([10, 12], volumes=[5, 7], ranges=[(10, 10, 10), (13, 14, 11)])
    row = grid_of(panel, span=2).row(-1, named=True)
    assert row[RETURN] == pytest.approx(0.2)
    assert row[LOG_RETURN] == pytest.approx(0.1823215567939546)
    assert row[TYPICAL] == pytest.approx((14 + 11 + 12) / 3)
    assert row[TRUE_RANGE] == pytest.approx(14 - 10)
    assert row[DOLLAR_VOLUME] == 84


def test_the_return_of_a_price_carried_forward_is_nought() -> None:
    panel = _without(pl.concat([bars([2.0, 2, 2, 3]), bars([5.0, 6, 6, 6], symbol="B")]), "A", 1, 2)
    grid = _rows(grid_of(panel, span=1))
    assert grid[RETURN].to_list() == [None, 0, 0, pytest.approx(0.5)]
    assert grid[MARKET_RETURN].to_list() == [None, pytest.approx(0.2), 0, pytest.approx(0.25)]


def test_every_row_bears_the_weekday_of_its_own_session() -> None:
    panel = _without(pl.concat([bars([2.0] * 5), bars([5.0] * 5, symbol="B")]), "A", 1, 2)
    grid = grid_of(panel, span=2)
    assert grid.filter(pl.col(SYMBOL) == "A")[WEEKDAY].to_list() == [None, 2, 3, 4, 5, 1]  # from Tuesday, 3 January 2012
