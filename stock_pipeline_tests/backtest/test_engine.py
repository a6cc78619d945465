from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stock_pipeline.backtest.engine import daily_returns, sessions_left_out
from stock_pipeline.backtest.tables import DAILY_RETURNS
from stock_pipeline.core.errors import InputError, SchemaError
from stock_pipeline_tests.factories.panels import sessions


def by_hand(rows: Sequence[tuple[int, str, float | None, float | None]]) -> pl.DataFrame:
    """Rows of place of the session, symbol, score, forward return."""
    days = sessions(10)
    return pl.DataFrame(
        [(days[place], *rest) for place, *rest in rows],
        schema={"session": pl.Date, "symbol": pl.String, "score": pl.Float64, "forward_return": pl.Float64},
        orient="row",
    )


def made_up(seed: int, stocks: int = 12, count: int = 15, missing: float = 0.1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    size = stocks * count
    frame = pl.DataFrame(
        {
            "session": [day for day in sessions(count) for _ in range(stocks)],
            "symbol": [f"S{i:02d}" for i in range(stocks)] * count,
            "score": rng.normal(size=size),
            "forward_return": rng.normal(0, 0.03, size),
        }
    )
    lost = [pl.when(pl.Series(rng.random(size) >= missing)).then(pl.col(name)).alias(name) for name in ("score", "forward_return")]
    return frame.with_columns(lost).filter(pl.col("forward_return").is_not_null().any().over("session"))


seeds = st.integers(0, 2**32 - 1)


def test_two_sessions_by_hand() -> None:
    found = daily_returns(
        by_hand(
            [
                (0, "A", 3.0, 0.10),
                (0, "B", 2.0, -0.02),
                (0, "C", 1.0, 0.01),
                (0, "D", 0.0, 0.03),
                (1, "A", 3.0, 0.00),
                (1, "B", 0.0, 0.04),
                (1, "C", 2.0, 0.02),
                (1, "D", 1.0, -0.06),
            ]
        ),
        top_share=0.5,
        cost_bps_per_side=20.0,
    )
    first, second = found.iter_rows(named=True)
    assert (first["holdings"], first["unfilled"], first["turnover"]) == (2, 0, 1.0)
    assert first["gross_return"] == pytest.approx(0.04)
    assert first["net_return"] == pytest.approx(1.04 * 0.998 - 1)
    assert first["benchmark_return"] == pytest.approx(0.03)
    # A has grown from 0.5 to 0.55 / 1.04 of the book and is cut back to 0.5, B is sold, C is bought.
    turnover = (0.55 / 1.04 - 0.5) + 0.49 / 1.04 + 0.5
    assert second["turnover"] == pytest.approx(turnover)
    assert second["cost"] == pytest.approx(turnover * 0.002)
    assert second["gross_return"] == pytest.approx(0.01)
    assert second["equity"] == pytest.approx((1 + first["net_return"]) * (1 + second["net_return"]))
    assert found["fill"].to_list() == ["next_open", "next_open"]


def test_holding_the_same_stocks_costs_what_the_market_has_moved_them() -> None:
    rows = [(place, symbol, score, earned) for place in (0, 1) for symbol, score, earned in (("A", 2.0, 0.10), ("B", 1.0, -0.02))]
    found = daily_returns(by_hand(rows), top_share=1.0)
    assert found["turnover"].to_list() == pytest.approx([1.0, (0.55 / 1.04 - 0.5) + (0.5 - 0.49 / 1.04)])


def test_the_result_fits_the_table() -> None:
    found = daily_returns(made_up(0)).with_columns(as_of=pl.lit(date(2020, 1, 2)), model=pl.lit("ridge"))
    stored = found.select(DAILY_RETURNS.column_names)
    assert_frame_equal(DAILY_RETURNS.validate(stored), stored)


def test_picks_without_a_return_are_left_out_and_counted_not_replaced() -> None:
    found = daily_returns(by_hand([(0, "A", 3.0, None), (0, "B", 2.0, 0.02), (0, "C", 1.0, 0.05), (0, "D", 0.0, 0.0)]), top_share=0.5)
    assert found.select("holdings", "unfilled", "gross_return").row(0) == (1, 1, 0.02)


def test_only_picks_count_as_unfilled_and_a_score_that_is_no_number_is_none() -> None:
    nan = float("nan")
    found = daily_returns(
        by_hand(
            [
                (0, "A", 3.0, None),
                (0, "B", 2.0, 0.02),
                (0, "C", 1.0, None),
                (0, "D", nan, 0.5),
                (1, "A", nan, 0.1),
                (1, "B", 1.0, nan),
                (1, "C", 0.5, 0.3),
            ]
        ),
        top_share=0.67,
    )
    assert found.select("holdings", "unfilled", "gross_return").rows() == [(1, 1, 0.02), (0, 1, 0.0)]
    assert found["benchmark_return"].to_list() == pytest.approx([(0.02 + 0.5) / 2, (0.1 + 0.3) / 2])


def test_cash_that_stays_cash_trades_nothing() -> None:
    rows = [(place, symbol, None, 0.01) for place in (0, 1) for symbol in "AB"]
    found = daily_returns(by_hand([*rows, (2, "A", 1.0, 0.0), (2, "B", None, 0.0)]), cost_bps_per_side=100.0)
    assert found["turnover"].to_list() == [0.0, 0.0, 1.0]
    assert found["equity"].to_list() == pytest.approx([1.0, 1.0, 0.99])


def test_a_book_without_stocks_is_cash_and_its_sale_costs() -> None:
    found = daily_returns(
        by_hand([(0, "A", 1.0, 0.0), (0, "B", None, 0.0), (1, "A", None, 0.5), (2, "A", 1.0, 0.0)]), cost_bps_per_side=100.0
    )
    assert found["holdings"].to_list() == [1, 0, 1]
    assert found["turnover"].to_list() == [1.0, 1.0, 1.0]
    assert found["gross_return"].to_list() == [0.0, 0.0, 0.0]


def test_sessions_without_any_outcome_are_not_in_the_record() -> None:
    known = made_up(1)
    unknown = known.filter(pl.col("session") == pl.col("session").max()).with_columns(
        session=pl.lit(date(2030, 1, 2)), forward_return=pl.lit(None, pl.Float64)
    )
    assert_frame_equal(daily_returns(pl.concat([known, unknown])), daily_returns(known))


def test_sessions_left_out_within_a_record_are_told() -> None:
    days = sessions(12)
    kept = {"ridge": [1, 2, 5, 6, 10], "stack": [0, 1, 2, 4], "whole": [3, 4, 5]}
    daily = pl.DataFrame([(model, days[place]) for model, places in kept.items() for place in places], ["model", "session"], orient="row")
    expected = [("ridge", days[2], days[5], 2), ("ridge", days[6], days[10], 3), ("stack", days[2], days[4], 1)]
    assert sessions_left_out(daily.reverse(), days).rows() == expected
    assert sessions_left_out(daily.clear(), days).is_empty()


def test_a_total_loss_stays_one() -> None:
    found = daily_returns(by_hand([(0, "A", 1.0, -1.0), (1, "A", 1.0, 0.5), (1, "B", 0.0, 0.1)]))
    assert found["equity"].to_list() == [0.0, 0.0]
    assert found["drawdown"].to_list() == [-1.0, -1.0]


def test_a_session_on_which_all_scores_tie_is_cash_and_selling_the_book_before_it_costs() -> None:
    told = made_up(2, missing=0.0)
    first = pl.col("session") == pl.col("session").min()
    found = daily_returns(told.with_columns(score=pl.when(first).then("score").otherwise(0.51)), cost_bps_per_side=100.0)
    assert found["holdings"].to_list() == [1] + [0] * 14
    assert found["turnover"].to_list() == [1.0, 1.0] + [0.0] * 13
    assert set(found["gross_return"].to_list()[1:]) == {0.0}


def test_one_stock_at_least_is_held() -> None:
    assert daily_returns(made_up(3, stocks=3, missing=0.0))["holdings"].unique().to_list() == [1]


@pytest.mark.parametrize(("share", "cost"), [(0.0, 10.0), (1.5, 10.0), (0.1, -1.0), (0.1, float("nan"))])
def test_parameters_out_of_range_are_refused(share: float, cost: float) -> None:
    with pytest.raises(InputError, match="out of range"):
        daily_returns(made_up(0), share, cost)


def test_a_stock_scored_twice_is_refused() -> None:
    with pytest.raises(SchemaError, match="one score per stock and session"):
        daily_returns(pl.concat([made_up(0), made_up(0)]))


def test_no_scores_give_no_rows() -> None:
    nothing = daily_returns(made_up(0).head(0))
    assert nothing.is_empty()
    assert nothing.schema == daily_returns(made_up(0)).schema


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_costs_never_pay(seed: int) -> None:
    frame = made_up(seed)
    free, dear = daily_returns(frame, cost_bps_per_side=0.0), daily_returns(frame, cost_bps_per_side=25.0)
    assert (free["cost"] == 0).all()
    assert (free["equity"] >= dear["equity"]).all()
    assert dear["gross_return"].equals(free["gross_return"])


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from([0.1, 0.4, 1.0]))
def test_accounts_add_up(seed: int, share: float) -> None:
    found = daily_returns(made_up(seed), share)
    equity = np.cumprod(1 + found["net_return"].to_numpy())
    assert found["equity"].to_numpy() == pytest.approx(equity)
    assert found["drawdown"].to_numpy() == pytest.approx(equity / np.maximum(np.maximum.accumulate(equity), 1) - 1)
    assert found["net_return"].to_numpy() == pytest.approx(((1 + found["gross_return"]) * (1 - found["cost"]) - 1).to_numpy())
    assert found["turnover"].is_between(0, 2 + 1e-12).all()


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_the_order_of_rows_is_of_no_account(seed: int) -> None:
    frame = made_up(seed)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=seed % 1000)
    assert_frame_equal(daily_returns(shuffled), daily_returns(frame), check_exact=True)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_perfect_foresight_is_never_beaten(seed: int) -> None:
    frame = made_up(seed)
    foresight = daily_returns(frame.with_columns(score="forward_return"), cost_bps_per_side=0.0)
    blind = daily_returns(frame, cost_bps_per_side=0.0)
    assert (foresight["gross_return"] >= foresight["benchmark_return"] - 1e-12).all()
    assert foresight["equity"][-1] > foresight["benchmark_equity"][-1]
    assert foresight["equity"][-1] >= blind["equity"][-1]


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(-0.05, 0.05))
def test_equal_returns_are_what_is_earned(seed: int, earned: float) -> None:
    frame = made_up(seed, missing=0.0).with_columns(forward_return=pl.lit(earned))
    found = daily_returns(frame, cost_bps_per_side=0.0)
    for column in ("gross_return", "net_return", "benchmark_return"):
        assert found[column].to_list() == pytest.approx([earned] * 15, abs=1e-14)


def test_only_the_outcome_of_a_session_moves_with_its_returns() -> None:
    frame = made_up(4)
    last = frame["session"].max()
    other = frame.with_columns(forward_return=pl.when(pl.col("session") == last).then(9.0).otherwise(pl.col("forward_return")))
    assert_frame_equal(daily_returns(frame).head(-1), daily_returns(other).head(-1), check_exact=True)
