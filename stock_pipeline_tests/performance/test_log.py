"""The log of performance, against plain loops."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.stats import pearsonr, spearmanr

from stock_pipeline.core.columns import FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL
from stock_pipeline.core.ratios import sharpe_ratio, sortino_ratio
from stock_pipeline.core.scores import interval_by_session
from stock_pipeline.performance.log import SESSION_RETURN, TRADES, performance_log, top_decile_by_session
from stock_pipeline.performance.tables import PERFORMANCE_LOG
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.laws import law

DAYS = sessions(300)
STOCKS = 40
AS_OF = DAYS[-1]


def made_up(model: str, count: int, seed: int = 1, stocks: int = STOCKS) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Scores of a model on so many sessions, some of them tied, and outcomes, some of them missing."""
    rng = np.random.default_rng(seed)
    keys = pl.DataFrame(
        {SESSION: [day for day in DAYS[:count] for _ in range(stocks)], SYMBOL: [f"S{i:02d}" for i in range(stocks)] * count}
    )
    scores = keys.with_columns(pl.lit(model).alias(MODEL), pl.Series(SCORE, rng.normal(size=len(keys)).round(1)))
    outcomes = keys.with_columns(pl.Series(FORWARD_RETURN, rng.normal(0.001, 0.02, len(keys))))
    return scores, outcomes.filter(pl.Series(rng.random(len(keys)) > 0.1))


def by_hand(scores: pl.DataFrame, outcomes: pl.DataFrame, cost: float, last: int | None) -> dict[str, Any]:
    """The figures of one model over its last sessions, stock by stock."""
    told = {(row[SESSION], row[SYMBOL]): row[FORWARD_RETURN] for row in outcomes.iter_rows(named=True)}
    days = sorted({day for day, _ in told} & set(scores[SESSION]))
    days = days[-last:] if last else days
    trades, by_session, ics, rank_ics, counts = [], [], [], [], []
    for day in days:
        said = [(row[SCORE], row[SYMBOL]) for row in scores.iter_rows(named=True) if row[SESSION] == day]
        edge = sorted((score for score, _ in said), reverse=True)[max(1, len(said) // 10) - 1]
        bought = [told[day, symbol] - cost for score, symbol in said if score >= edge and (day, symbol) in told]
        trades += bought
        counts.append((sum(trade > 0 for trade in bought), len(bought)))
        by_session.append(sum(bought) / len(bought) if bought else 0.0)
        pairs = [(score, told[day, symbol]) for score, symbol in said if (day, symbol) in told]
        ics.append(pearsonr(*zip(*pairs, strict=True)).statistic)
        rank_ics.append(spearmanr(*zip(*pairs, strict=True)).statistic)
    wins = sum(trade > 0 for trade in trades)
    low, high = interval_by_session(*np.array(counts).T)
    return {
        "first_session": days[0],
        "last_session": days[-1],
        "sessions": len(days),
        "trades": len(trades),
        "win_rate": wins / len(trades),
        "win_rate_low": low,
        "win_rate_high": high,
        "mean_return": pytest.approx(sum(by_session) / len(days)),
        "sharpe": pytest.approx(sharpe_ratio(np.array(by_session))),
        "sortino": pytest.approx(sortino_ratio(np.array(by_session))),
        "profit_factor": pytest.approx(sum(t for t in trades if t > 0) / -sum(t for t in trades if t < 0)),
        "ic": pytest.approx(sum(ics) / len(days)),
        "rank_ic": pytest.approx(sum(rank_ics) / len(days)),
    }


def test_the_figures_of_every_model_and_period_by_a_plain_loop() -> None:
    parts = {"lightgbm": made_up("lightgbm", 65, 1)[0], "stack": made_up("stack", 25, 2)[0]}
    outcomes = made_up("", 65, 3)[1]
    daily = top_decile_by_session(pl.concat(parts.values()), outcomes, outcomes, 10.0)
    log = PERFORMANCE_LOG.validate(performance_log(daily, AS_OF))
    periods: dict[str, dict[str, int | None]] = {"lightgbm": {"20 sessions": 20, "60 sessions": 60, "all": None}}
    periods["stack"] = {"20 sessions": 20, "all": None}
    assert log.select(MODEL, "period").rows() == [(model, period) for model, named in periods.items() for period in named]
    for row in log.iter_rows(named=True):
        expected = by_hand(parts[row[MODEL]], outcomes, 2 * 0.001, periods[row[MODEL]][row["period"]])
        assert row == {"as_of": AS_OF, MODEL: row[MODEL], "period": row["period"], **expected}


def test_the_last_sessions_are_the_latest_whatever_the_order_of_rows() -> None:
    scores = pl.concat([made_up("lightgbm", 65, 1)[0], made_up("stack", 25, 2)[0]])
    outcomes = made_up("", 65, 3)[1]
    daily = top_decile_by_session(scores, outcomes, outcomes, 10.0)
    shuffled = daily.sample(fraction=1, shuffle=True, seed=1)
    assert_frame_equal(performance_log(shuffled, AS_OF), performance_log(daily, AS_OF), check_exact=True)


def test_a_period_is_told_once_there_are_as_many_sessions() -> None:
    scores, outcomes = made_up("stack", 250, stocks=10)
    daily = top_decile_by_session(scores, outcomes, outcomes, 0.0)
    whole = ["20 sessions", "250 sessions", "60 sessions", "all"]
    assert performance_log(daily, AS_OF)["period"].to_list() == whole
    assert performance_log(daily.tail(249), AS_OF)["period"].to_list() == [name for name in whole if name != "250 sessions"]
    assert performance_log(daily.tail(1), AS_OF)["period"].to_list() == ["all"]


def one_session(scores: Sequence[float], returns: Sequence[float | None], cost_bps_per_side: float = 0.0) -> pl.DataFrame:
    named = pl.DataFrame({SYMBOL: [f"S{i:02d}" for i in range(len(scores))], SESSION: [DAYS[0]] * len(scores)})
    outcomes = named.with_columns(pl.Series(FORWARD_RETURN, returns, pl.Float64)).drop_nulls()
    said = named.with_columns(pl.lit("stack").alias(MODEL), pl.Series(SCORE, scores))
    return top_decile_by_session(said, outcomes, outcomes, cost_bps_per_side)


def test_stocks_are_chosen_before_it_is_known_whose_outcome_will_be() -> None:
    # Of twenty stocks two are chosen; one has no outcome, and the third best does not take its place.
    daily = one_session([float(i) for i in range(20)], [0.5] * 18 + [0.01, None])
    assert daily.select(TRADES, SESSION_RETURN).row(0) == (1, 0.01)


def test_a_session_of_which_nothing_could_be_bought_earned_nothing() -> None:
    daily = one_session([1.0, 2.0, 3.0, 4.0], [0.1, 0.2, -0.1, None])
    assert daily.select(TRADES, SESSION_RETURN).row(0) == (0, 0.0)
    assert_frame_equal(performance_log(daily, AS_OF), PERFORMANCE_LOG.empty())


def test_costs_turn_a_small_gain_into_a_loss() -> None:
    (row,) = performance_log(one_session([1.0, 2.0, 3.0], [0.0, 0.0, 0.0015], 10.0), AS_OF).iter_rows(named=True)
    assert (row["trades"], row["win_rate"], row["profit_factor"]) == (1, 0.0, 0.0)
    assert row["mean_return"] == pytest.approx(-0.0005)


def test_without_losses_there_is_no_profit_factor_and_without_two_sessions_no_risk() -> None:
    (row,) = performance_log(one_session([1.0, 2.0, 3.0], [0.0, 0.0, 0.02]), AS_OF).iter_rows(named=True)
    assert (row["win_rate"], row["profit_factor"], row["sharpe"], row["sortino"]) == (1.0, None, None, None)


def test_a_session_on_which_a_model_tells_no_stocks_apart_buys_nothing_and_earns_nothing() -> None:
    tied = one_session([0.51] * 5, [0.01, -0.01, 0.02, 0.0, 0.01])
    assert tied.select(TRADES, SESSION_RETURN, "ic", "rank_ic").rows() == [(0, 0.0, None, None)]
    assert performance_log(tied, AS_OF).is_empty()
    traded = one_session([0.52, *[0.51] * 4], [0.01, -0.01, 0.02, 0.0, 0.01]).with_columns(pl.lit(DAYS[1]).alias(SESSION))
    (row,) = performance_log(pl.concat([tied, traded]), AS_OF).iter_rows(named=True)
    assert (row["sessions"], row["trades"], row["mean_return"]) == (2, 1, pytest.approx(0.005))


def test_where_no_outcome_is_known_the_log_is_empty() -> None:
    scores, outcomes = made_up("stack", 3)
    assert_frame_equal(
        performance_log(top_decile_by_session(scores, outcomes.clear(), outcomes.clear(), 10.0), AS_OF), PERFORMANCE_LOG.empty()
    )
    assert_frame_equal(performance_log(top_decile_by_session(scores.clear(), outcomes, outcomes, 10.0), AS_OF), PERFORMANCE_LOG.empty())


@law(20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.integers(3, 30))
def test_whatever_the_scores_the_table_takes_the_log_and_the_order_of_rows_is_of_no_account(seed: int, count: int, stocks: int) -> None:
    scores, outcomes = made_up("stack", count, seed, stocks)
    log = PERFORMANCE_LOG.validate(performance_log(top_decile_by_session(scores, outcomes, outcomes, 10.0), AS_OF))
    shuffled = top_decile_by_session(scores.sample(fraction=1, shuffle=True, seed=seed % 99), outcomes.reverse(), outcomes, 10.0)
    assert_frame_equal(performance_log(shuffled, AS_OF), log, check_exact=True)


def test_the_sessions_of_the_log_are_those_with_outcomes() -> None:
    scores, outcomes = made_up("stack", 30)
    known: date = DAYS[27]
    told = outcomes.filter(pl.col(SESSION) <= known)
    log = performance_log(top_decile_by_session(scores, told, told, 10.0), AS_OF)
    assert log.select("sessions", "last_session").rows() == [(20, known), (28, known)]
