from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from math import log

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_pipeline.core.columns import (
    CLOSE,
    DIRECTION,
    FORWARD_RETURN,
    FORWARD_VOLATILITY,
    JUMP,
    OPEN,
    PRICES,
    SESSION,
    SYMBOL,
)
from stock_pipeline.core.errors import InputError
from stock_pipeline.labels.compute import RETURN_REACH, compute_labels, label_reach
from stock_pipeline_tests.panels import adjusted_panel, sessions

DAYS = sessions(200)
NEXT = dict(pairwise(DAYS))


def panel(opens: Sequence[float], closes: Sequence[float] | None = None, jumps: Sequence[int] = (), symbol: str = "A") -> pl.DataFrame:
    """Consecutive bars; ``jumps`` are the positions of those that are jumps."""
    count = len(opens)
    return pl.DataFrame(
        {
            SYMBOL: [symbol] * count,
            SESSION: DAYS[:count],
            OPEN: [float(value) for value in opens],
            CLOSE: [float(value) for value in closes or opens],
            JUMP: [position in jumps for position in range(count)],
        }
    )


def without(bars: pl.DataFrame, *positions: int) -> pl.DataFrame:
    return bars.filter(~pl.col(SESSION).is_in([DAYS[position] for position in positions]))


def column(bars: pl.DataFrame, name: str, horizon: int = 5) -> list[float | None]:
    return compute_labels(bars, NEXT, horizon)[name].to_list()


OPENS = [100.0, 50.0, 55.0, 44.0, 44.0]


def test_the_return_is_from_the_next_open_to_the_one_after() -> None:
    assert column(panel(OPENS), FORWARD_RETURN) == [pytest.approx(0.1), pytest.approx(-0.2), 0.0, None, None]


def test_the_direction_is_up_or_not() -> None:
    labels = compute_labels(panel(OPENS), NEXT)
    assert labels[DIRECTION].to_list() == [1, 0, 0, None, None]
    assert labels[DIRECTION].dtype == pl.Int8


@pytest.mark.parametrize(("gone", "expected"), [(1, [None, 0, None, None]), (2, [None] * 4), (3, [0.1, None, None, None])])
def test_a_missing_bar_makes_the_returns_over_it_null(gone: int, expected: list[float | None]) -> None:
    shown = column(without(panel(OPENS), gone), FORWARD_RETURN)
    assert shown == [None if value is None else pytest.approx(value) for value in expected]


def test_the_exchange_s_calendar_counts_and_not_the_panel_s() -> None:
    skipping = {DAYS[0]: DAYS[1], DAYS[1]: DAYS[2], DAYS[2]: DAYS[4]}
    assert compute_labels(without(panel(OPENS), 3), skipping)[FORWARD_RETURN].to_list() == [
        pytest.approx(0.1),
        pytest.approx(44 / 55 - 1),
        None,
        None,
    ]


def test_a_jump_at_the_way_out_is_not_trusted_but_one_before_the_fill_is_no_matter() -> None:
    assert column(panel(OPENS, jumps=[2]), FORWARD_RETURN) == [None, pytest.approx(-0.2), 0.0, None, None]
    assert column(panel(OPENS, jumps=[0, 1]), FORWARD_RETURN)[0] == pytest.approx(0.1)


def test_the_volatility_is_the_deviation_of_the_returns_ahead() -> None:
    closes = [100.0, 110.0, 99.0, 99.0, 120.0, 90.0, 91.0]
    returns = [log(closes[i + 1] / closes[i]) for i in range(6)]
    expected = [float(np.std(returns[i : i + 5], ddof=1)) for i in range(2)]
    assert column(panel(closes), FORWARD_VOLATILITY) == [*(pytest.approx(value) for value in expected), *[None] * 5]


def test_the_horizon_of_the_volatility_can_be_chosen() -> None:
    closes = [100.0, 110.0, 99.0, 99.0]
    shown = column(panel(closes), FORWARD_VOLATILITY, horizon=2)
    assert shown == [pytest.approx(np.std([log(1.1), log(0.9)], ddof=1)), pytest.approx(abs(log(0.9)) / 2**0.5), None, None]


@pytest.mark.parametrize("position", range(6))
def test_a_missing_close_makes_the_volatility_null(position: int) -> None:
    closes = [100.0 + i * i for i in range(6)]
    assert column(panel(closes), FORWARD_VOLATILITY)[0] is not None
    assert column(without(panel(closes), position), FORWARD_VOLATILITY) == [None] * 5


@pytest.mark.parametrize("position", range(7))
def test_a_jump_in_the_horizon_makes_the_volatility_null(position: int) -> None:
    first = column(panel([100.0 + i * i for i in range(7)], jumps=[position]), FORWARD_VOLATILITY)[0]
    assert (first is None) == (1 <= position <= 5)


@pytest.mark.parametrize("price", [0.0, -3.0, float("nan"), float("inf"), None])
def test_an_impossible_price_gives_null(price: float | None) -> None:
    bars = panel([100.0 + i * i for i in range(8)])
    at_two = pl.col(SESSION) == DAYS[2]
    broken = bars.with_columns(pl.when(at_two).then(pl.lit(price, pl.Float64)).otherwise(name).alias(name) for name in (OPEN, CLOSE))
    labels = compute_labels(broken, NEXT)
    assert labels[FORWARD_RETURN].is_null().to_list() == [True, True, False, False, False, False, True, True]
    assert labels[DIRECTION].is_null().to_list() == labels[FORWARD_RETURN].is_null().to_list()
    assert labels[FORWARD_VOLATILITY].to_list()[:3] == [None] * 3


def test_symbols_do_not_run_into_each_other() -> None:
    both = pl.concat([panel(OPENS, symbol="B"), panel([7.0, 7.0, 7.7], symbol="A")])
    labels = compute_labels(both, NEXT)
    assert labels[SYMBOL].to_list() == ["A"] * 3 + ["B"] * 5
    assert labels[FORWARD_RETURN].to_list()[:3] == [pytest.approx(0.1), None, None]
    assert labels.filter(pl.col(SYMBOL) == "B").equals(compute_labels(panel(OPENS, symbol="B"), NEXT))


def test_a_stock_that_ends_is_not_continued_by_one_that_begins() -> None:
    ended, begun = panel(OPENS[:3], symbol="A"), panel([1.0] * 8, symbol="B").slice(3)
    labels = compute_labels(pl.concat([ended, begun]), NEXT)
    assert labels[FORWARD_RETURN].to_list() == [pytest.approx(0.1), None, None, 0.0, 0.0, 0.0, None, None]
    assert labels[FORWARD_VOLATILITY].to_list() == [None] * 8


def test_a_row_outside_the_calendar_is_there_without_labels_and_breaks_no_other() -> None:
    holiday = date(2012, 1, 7)
    assert DAYS[3] < holiday < DAYS[4]
    extra = panel([1.0]).with_columns(pl.lit(holiday).alias(SESSION))
    labels = compute_labels(pl.concat([panel(OPENS), extra]), NEXT)
    assert labels.filter(pl.col(SESSION) == holiday).row(0) == ("A", holiday, None, None, None)
    assert labels.filter(pl.col(SESSION) != holiday).equals(compute_labels(panel(OPENS), NEXT))


def test_a_row_for_every_row_whatever_their_order() -> None:
    bars = adjusted_panel(symbols=4, count=30, missing_share=0.1)
    labels = compute_labels(bars, NEXT)
    assert labels.select(SYMBOL, SESSION).equals(bars.select(SYMBOL, SESSION).sort(SYMBOL, SESSION))
    assert labels.equals(compute_labels(bars.sample(fraction=1, shuffle=True, seed=5), NEXT))
    assert compute_labels(bars.clear(), NEXT).schema == labels.schema


@given(seed=st.integers(0, 10_000), factor=st.floats(1e-3, 1e3), start=st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_labels_depend_neither_on_the_scale_of_prices_nor_on_where_the_panel_starts(seed: int, factor: float, start: int) -> None:
    bars = adjusted_panel(symbols=2, count=40, seed=seed, missing_share=0.05)
    labels = compute_labels(bars, NEXT)
    later = pl.col(SESSION) >= DAYS[start]
    assert compute_labels(bars.filter(later), NEXT).equals(labels.filter(later))
    scaled = compute_labels(bars.with_columns(pl.col(price) * factor for price in PRICES), NEXT)
    for name in (FORWARD_RETURN, FORWARD_VOLATILITY):
        assert scaled[name].is_null().equals(labels[name].is_null())
        assert scaled[name].drop_nulls().to_numpy() == pytest.approx(labels[name].drop_nulls().to_numpy(), rel=1e-9, abs=1e-13)


def test_the_reach_is_the_longer_of_both() -> None:
    assert RETURN_REACH == 2
    assert [label_reach(horizon) for horizon in (2, 5, 20)] == [2, 5, 20]


@pytest.mark.parametrize("horizon", [1, 0, -5])
def test_a_horizon_without_a_deviation_is_refused(horizon: int) -> None:
    with pytest.raises(InputError, match=f"volatility_horizon of the labels is {horizon}; give 2 sessions or more"):
        compute_labels(panel(OPENS), NEXT, horizon)
