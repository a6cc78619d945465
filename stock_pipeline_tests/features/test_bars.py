import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, HIGH, PRICE_FACTOR, SESSION, SYMBOL, VOLUME, VOLUME_FACTOR
from stock_pipeline.core.errors import InputError
from stock_pipeline.features.bars import FILL_SESSIONS, FIRST_OF_SYMBOL, PLACE, RETURN, usable_bars
from stock_pipeline_tests.factories.feature_bars import bars


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf"), None])
def test_a_bar_with_an_impossible_price_is_missing(price: float | None) -> None:
    panel = bars([1, 2, 3]).with_columns(pl.Series(HIGH, [1.0, price, 3.0]))
    assert usable_bars(panel).select(CLOSE, PLACE).rows() == [(1, 0), (3, 2)]


@pytest.mark.parametrize("volume", [-1.0, float("nan"), float("inf"), None])
def test_an_impossible_volume_is_null(volume: float | None) -> None:
    assert usable_bars(bars([1, 2], volumes=[0, volume]))[VOLUME].to_list() == [0, None]


def test_two_bars_in_one_session_are_refused_by_name() -> None:
    panel = bars([1, 2, 3])
    with pytest.raises(InputError, match=r"A has two bars in the panel for session 2012-01-05"):
        usable_bars(pl.concat([panel, panel.tail(1)]))


def test_bars_are_numbered_by_the_panel_s_sessions_in_any_order() -> None:
    panel = pl.concat([bars([1, 2, 3]), bars([5, 6], symbol="B").head(1), bars([7, 8, 9], symbol="C").tail(1)])
    found = usable_bars(panel.sample(fraction=1, shuffle=True, seed=1))
    assert found.select(SYMBOL, PLACE, FIRST_OF_SYMBOL).rows() == [
        ("A", 0, True),
        ("A", 1, False),
        ("A", 2, False),
        ("B", 0, True),
        ("C", 2, True),
    ]


def test_without_steps_prices_are_taken_for_adjusted() -> None:
    assert usable_bars(bars([1, 2])).select(PRICE_FACTOR, VOLUME_FACTOR).rows() == [(1, 1), (1, 1)]


def test_the_return_counts_what_took_effect_overnight() -> None:
    panel = bars([10, 5.5, 6.6]).with_columns(pl.Series(PRICE_FACTOR, [1.0, 0.5, 1.0]), pl.lit(1.0).alias(VOLUME_FACTOR))
    assert usable_bars(panel)[RETURN].to_list() == [None, pytest.approx(0.1), pytest.approx(0.2)]


@pytest.mark.parametrize(("missing", "expected"), [(FILL_SESSIONS, 6.0), (FILL_SESSIONS + 1, None)])
def test_the_return_after_a_pause_is_from_the_price_before_it_unless_that_is_stale(missing: int, expected: float | None) -> None:
    panel = pl.concat([bars([float(i) for i in range(1, 12)]), bars([5.0] * 11, symbol="B")])
    days = panel[SESSION].unique().sort()
    gone = (pl.col(SYMBOL) == "A") & pl.col(SESSION).is_between(days[1], days[missing])
    after = usable_bars(panel.filter(~gone))[RETURN].to_list()[1]
    assert after == (None if expected is None else pytest.approx(expected))
