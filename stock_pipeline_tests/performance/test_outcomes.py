from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.stats import spearmanr

from stock_pipeline.performance.outcomes import daily_performance, with_outcomes
from stock_pipeline.performance.tables import DAILY_PERFORMANCE
from stock_pipeline_tests.factories.panels import sessions

DAY = date(2020, 3, 5)


def scored(scores: list[float], session: date = DAY, model: str = "ridge", training_id: str = "t1", origin: str = "live") -> pl.DataFrame:
    return pl.DataFrame({"symbol": [f"S{i:03d}" for i in range(len(scores))], "score": scores}).with_columns(
        session=pl.lit(session), model=pl.lit(model), training_id=pl.lit(training_id), origin=pl.lit(origin)
    )


def labels(returns: Sequence[float | None], session: date = DAY) -> pl.DataFrame:
    return pl.DataFrame(
        {"symbol": [f"S{i:03d}" for i in range(len(returns))], "forward_return": returns},
        schema_overrides={"forward_return": pl.Float64},
    ).with_columns(session=pl.lit(session))


def one_row(scores: list[float], returns: list[float | None], share: float = 0.1) -> dict[str, object]:
    return daily_performance(scored(scores), labels(returns), labels(returns), share).row(0, named=True)


def test_figures_of_one_session_by_hand() -> None:
    row = one_row([0.3, 0.1, -0.2, -0.4, 0.0], [0.05, -0.01, -0.02, 0.00, 0.03])
    # The mean return is 0.01, so the excess returns are 0.04, -0.02, -0.03, -0.01 and 0.02; the zero score is left out.
    assert row["stocks"] == 5
    assert row["sign_accuracy"] == pytest.approx(3 / 4)
    assert row["long_short_return"] == pytest.approx(0.05 - 0.00)
    assert row["rank_ic"] == pytest.approx(spearmanr([0.3, 0.1, -0.2, -0.4, 0.0], [0.05, -0.01, -0.02, 0.00, 0.03]).statistic)


def test_a_tenth_of_the_stocks_is_on_each_side() -> None:
    row = one_row([float(i) for i in range(29)], [i * i / 1000 for i in range(29)])
    assert row["long_short_return"] == pytest.approx(((28 * 28 + 27 * 27) - (0 + 1)) / 2000)


def test_stocks_without_outcome_or_score_are_left_out() -> None:
    row = one_row([0.9, 0.1, -0.1, -0.2, float("nan")], [None, 0.02, 0.01, 0.00, 0.9])
    assert row["stocks"] == 3
    assert row["rank_ic"] == 1.0


def test_who_will_have_a_return_does_not_choose_the_sides_of_the_long_short_return() -> None:
    scores, returns = [0.9, 0.1, -0.1, -0.2, float("nan")], [None, 0.02, 0.01, 0.03, 0.9]
    assert one_row(scores, returns, share=0.5)["long_short_return"] == pytest.approx(0.02 - (0.01 + 0.03) / 2)
    # The best stock cannot be bought, so that side earns nothing.
    assert one_row(scores, returns)["long_short_return"] == pytest.approx(0.0 - 0.03)


def test_a_session_without_outcomes_gives_no_row() -> None:
    assert_frame_equal(daily_performance(scored([0.1, 0.2]), labels([None, None]), labels([0.1, 0.2])), DAILY_PERFORMANCE.empty())


def test_a_book_earns_other_returns_than_those_that_scores_are_judged_by() -> None:
    scores, predicted, earned = [0.3, 0.1, -0.2, -0.4], [0.05, 0.02, -0.02, -0.07], [-0.01, None, 0.0, 0.02]
    row = daily_performance(scored(scores), labels(predicted), labels(earned)).row(0, named=True)
    assert (row["stocks"], row["rank_ic"], row["sign_accuracy"]) == (4, pytest.approx(1.0), 1.0)
    assert row["long_short_return"] == pytest.approx(-0.01 - 0.02)
    unknown = daily_performance(scored(scores), labels(predicted), labels([None] * 4))
    assert DAILY_PERFORMANCE.validate(unknown)["long_short_return"].to_list() == [None]
    assert daily_performance(scored(scores), labels([None] * 4), labels(earned)).is_empty()


def test_a_constant_model_has_no_skill_and_no_luck() -> None:
    row = one_row([0.0] * 20, [i / 1000 for i in range(20)])
    assert (row["rank_ic"], row["sign_accuracy"], row["long_short_return"]) == (None, None, 0.0)


def test_each_training_and_origin_is_measured_apart() -> None:
    up, down = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]
    days = sessions(2)
    predictions = pl.concat(
        [
            scored(up, days[0]),
            scored(down, days[1]),
            scored(down, days[0], origin="out_of_fold"),
            scored(up, days[0], training_id="t2"),
            scored(down, days[0], model="lightgbm"),
        ]
    )
    outcomes = pl.concat([labels([0.0, 0.01, 0.02, 0.03], day) for day in days])
    found = daily_performance(predictions, outcomes, outcomes)
    assert found.select("model", "training_id", "origin", "session", "rank_ic").rows() == [
        ("lightgbm", "t1", "live", days[0], -1.0),
        ("ridge", "t1", "live", days[0], 1.0),
        ("ridge", "t1", "live", days[1], -1.0),
        ("ridge", "t1", "out_of_fold", days[0], -1.0),
        ("ridge", "t2", "live", days[0], 1.0),
    ]
    assert_frame_equal(DAILY_PERFORMANCE.validate(found), found)


def test_trainings_that_score_different_stocks_are_measured_by_their_own() -> None:
    days = sessions(2)
    outcomes = pl.concat([labels([0.06, 0.03, -0.03, 0.10, 0.14], days[0]), labels([0.02, 0.01, 0.03, -0.01, 0.0], days[1])])
    first = scored([1.0, -1.0, -1.0], days[0])
    other = scored([9.0, 9.0, -1.0, 2.0, 3.0], days[0], training_id="t2").tail(3)
    found = daily_performance(pl.concat([first, other, scored([2.0, 3.0, 1.0], days[1])]), outcomes, outcomes)
    # The mean returns are 0.02, 0.02 and 0.07: of S001 the first training says the wrong sign, and the second all the right ones.
    # Over the stocks of both the mean would be 0.045.
    figures = found.select("training_id", "session", "stocks", "sign_accuracy", "long_short_return").rows()
    assert figures == [
        ("t1", days[0], 3, pytest.approx(2 / 3), pytest.approx(0.06 - 0.0)),
        ("t1", days[1], 3, pytest.approx(1 / 3), pytest.approx(0.01 - 0.03)),
        ("t2", days[0], 3, 1.0, pytest.approx(0.14 + 0.03)),
    ]
    assert found["rank_ic"].to_list() == pytest.approx([spearmanr([1, -1, -1], [0.06, 0.03, -0.03]).statistic, -1.0, 1.0])


def test_with_outcomes_keeps_what_is_known() -> None:
    known = with_outcomes(scored([0.1, 0.2, 0.3]), labels([0.01, None]))
    assert known.select("symbol", "score", "forward_return").rows() == [("S000", 0.1, 0.01)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
def test_laws_under_foresight_and_a_flip_of_the_scores(seed: int, stocks: int) -> None:
    returns = np.random.default_rng(seed).normal(0, 0.02, stocks)
    excess = (returns - returns.mean()).tolist()
    right = one_row(excess, returns.tolist())
    wrong = one_row([-score for score in excess], returns.tolist())
    assert (right["rank_ic"], right["sign_accuracy"]) == (pytest.approx(1), pytest.approx(1))
    assert (wrong["rank_ic"], wrong["sign_accuracy"]) == (pytest.approx(-1), pytest.approx(0))
    assert right["long_short_return"] == pytest.approx(-wrong["long_short_return"])  # type: ignore[operator]


def test_the_order_of_rows_is_of_no_account() -> None:
    rng = np.random.default_rng(1)
    predictions = pl.concat([scored(rng.normal(size=30).tolist(), day) for day in sessions(5)])
    outcomes = pl.concat([labels(rng.normal(size=30).tolist(), day) for day in sessions(5)])
    shuffled = daily_performance(predictions.sample(fraction=1, shuffle=True, seed=3), outcomes.reverse(), outcomes.reverse())
    assert_frame_equal(shuffled, daily_performance(predictions, outcomes, outcomes), check_exact=True)
