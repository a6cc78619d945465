"""What trading costs, dollar by dollar: the same change of position costs the same in the backtest and in the performance log."""

import polars as pl
import pytest

from stock_pipeline.backtest.engine import daily_returns
from stock_pipeline.core.columns import FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL
from stock_pipeline.performance.log import SESSION_RETURN, top_decile_by_session
from stock_pipeline_tests.factories.panels import sessions

BEST = ("A", "B", "C", "A", "A")  # of three stocks, the one that is held from each session's next open to the open after


def scored(earned: float) -> pl.DataFrame:
    rows = [
        (day, symbol, float(symbol == best), earned, "stack")
        for day, best in zip(sessions(len(BEST)), BEST, strict=True)
        for symbol in "ABC"
    ]
    return pl.DataFrame(rows, schema=[SESSION, SYMBOL, SCORE, FORWARD_RETURN, MODEL], orient="row")


def log_of(frame: pl.DataFrame, cost_bps_per_side: float) -> pl.DataFrame:
    returns = frame.drop(SCORE, MODEL)
    return top_decile_by_session(frame.drop(FORWARD_RETURN), returns, returns, cost_bps_per_side)


def dollars_paid(before: str | None, after: str, cost_bps_per_side: float) -> float:
    """What it costs to sell a dollar of one stock and to buy a dollar of another; nothing where it is the same."""
    orders = [] if before == after else [1.0 for symbol in (before, after) if symbol is not None]
    return sum(dollars * cost_bps_per_side / 10_000 for dollars in orders)


@pytest.mark.parametrize("cost_bps_per_side", [0.0, 7.5, 10.0, 40.0])
@pytest.mark.parametrize("earned", [0.0, 0.02])
def test_a_dollar_sold_and_a_dollar_bought_cost_the_same_in_both(cost_bps_per_side: float, earned: float) -> None:
    frame = scored(earned)
    traded = daily_returns(frame.drop(MODEL), top_share=0.1, cost_bps_per_side=cost_bps_per_side)["cost"].to_list()
    assert traded == pytest.approx(
        [dollars_paid(before, after, cost_bps_per_side) for before, after in zip((None, *BEST), BEST, strict=False)]
    )
    logged = log_of(frame, cost_bps_per_side)
    paid = [earned - net for net in logged[SESSION_RETURN]]
    # The log knows no book that goes on: every trade is a dollar bought and a dollar sold.
    assert paid == pytest.approx([dollars_paid("bought before", "sold later", cost_bps_per_side)] * len(BEST))
    assert paid[1:3] == pytest.approx(traded[1:3])  # where the book is another from one session to the next
    assert traded[4] == 0 and traded[0] == pytest.approx(paid[0] / 2)


@pytest.mark.parametrize("cost", [10.0, 25.0])
def test_a_trade_that_earns_just_its_two_sides_is_no_gain(cost: float) -> None:
    frame = scored(2 * cost / 10_000)
    logged = log_of(frame, cost)
    assert logged[SESSION_RETURN].to_list() == pytest.approx([0.0] * len(BEST), abs=1e-12)
