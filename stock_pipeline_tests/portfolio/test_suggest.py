from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stock_pipeline.portfolio.profiles import PROFILES, RiskProfile, chosen_profiles
from stock_pipeline.portfolio.suggest import suggest_stocks
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.predictions.tables import EXPECTATION

OPEN_PROFILE = RiskProfile("open", "Takes everything.", 0.0, 0.0, 1.0, 1.0, 0.0, 1000, 1000)
SCHEMA = {
    "symbol": pl.String,
    "name": pl.String,
    "sector": pl.String,
    "close": pl.Float64,
    "volatility": pl.Float64,
    "dollar_volume": pl.Float64,
    "score": pl.Float64,
    **dict.fromkeys(EXPECTATION, pl.Float64),
}


def candidates(count: int = 60, seed: int = 0, scored: bool = True) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    score = rng.normal(size=count).tolist() if scored else [None] * count
    return pl.DataFrame(
        {
            "symbol": [f"S{i:03d}" for i in range(count)],
            "name": [f"Company {i}" for i in range(count)],
            "sector": [("Energy", "Health", "Money", None)[i % 4] for i in range(count)],
            "close": rng.uniform(1, 100, count),
            "volatility": rng.uniform(0.1, 0.8, count),
            "dollar_volume": np.exp(rng.normal(17, 1.5, count)),
            "score": score,
            "predicted_excess_return": [None if s is None else s / 100 for s in score],
            "excess_return_low": [None if s is None else s / 100 - 0.02 for s in score],
            "excess_return_high": [None if s is None else s / 100 + 0.03 for s in score],
            "probability_positive": [None if s is None else 0.5 + s / 100 for s in score],
            "round_trip_cost": [None if s is None else 0.002 for s in score],
        },
        schema=SCHEMA,
    )


def by_symbol(frame: pl.DataFrame, column: str) -> dict[str, object]:
    return dict(frame.select("symbol", column).iter_rows())


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("scored", [True, False])
def test_suggestions_fit_profile_and_table(profile: RiskProfile, scored: bool) -> None:
    found = suggest_stocks(candidates(300, scored=scored), profile)
    assert found["rank"].to_list() == list(range(1, profile.size + 1))
    assert found["total_score"].is_sorted(descending=True)
    assert found.filter(pl.col("close") < profile.minimum_price).is_empty()
    assert found.filter(pl.col("dollar_volume") < profile.minimum_dollar_volume).is_empty()
    assert found.filter(pl.col("risk_score") > profile.maximum_volatility_rank).is_empty()
    assert found.drop_nulls("sector").group_by("sector").len()["len"].max() <= profile.maximum_per_sector  # type: ignore[operator]
    stored = found.with_columns(session=pl.lit(date(2020, 3, 5))).select(SUGGESTED_STOCKS.column_names)
    assert_frame_equal(SUGGESTED_STOCKS.validate(stored), stored)


def test_ranking_weighs_score_against_calm() -> None:
    frame = candidates(3).with_columns(score=pl.Series([3.0, 2.0, 1.0]), volatility=pl.Series([0.5, 0.2, 0.3]))
    greedy = suggest_stocks(frame, OPEN_PROFILE)
    timid = suggest_stocks(frame, replace(OPEN_PROFILE, weight_predicted_return=0.0, weight_low_risk=1.0))
    assert greedy["symbol"].to_list() == ["S000", "S001", "S002"]
    assert timid["symbol"].to_list() == ["S001", "S002", "S000"]
    mixed = suggest_stocks(frame, replace(OPEN_PROFILE, weight_predicted_return=3.0, weight_low_risk=1.0))
    assert by_symbol(mixed, "total_score") == pytest.approx({"S000": 0.75, "S001": 0.625, "S002": 0.125})
    assert by_symbol(mixed, "risk_score") == pytest.approx({"S000": 1.0, "S001": 0.0, "S002": 0.5})


def test_what_is_expected_of_a_stock_stands_beside_it_as_it_was_predicted() -> None:
    frame = candidates(6)
    found = suggest_stocks(frame, OPEN_PROFILE).sort("symbol")
    assert_frame_equal(found.select("symbol", *EXPECTATION), frame.select("symbol", *EXPECTATION))


def test_weights_are_inverse_to_volatility() -> None:
    frame = candidates(3).with_columns(volatility=pl.Series([0.1, 0.2, 0.4]))
    weights = by_symbol(suggest_stocks(frame, OPEN_PROFILE), "weight")
    assert weights == pytest.approx({"S000": 4 / 7, "S001": 2 / 7, "S002": 1 / 7})


def test_without_models_low_risk_and_liquidity_decide() -> None:
    frame = candidates(3, scored=False).with_columns(
        volatility=pl.Series([0.4, 0.2, 0.3]),
        dollar_volume=pl.Series([1e9, 2e8, 1e7]),
        predicted_excess_return=pl.lit(None),
        score=pl.lit(None),
    )
    found = suggest_stocks(frame, OPEN_PROFILE)
    assert by_symbol(found, "total_score") == pytest.approx({"S001": 0.75, "S000": 0.5, "S002": 0.25})
    assert found["symbol"].to_list() == ["S001", "S000", "S002"]
    assert found["predicted_excess_return"].null_count() == 3
    assert all("no model scores, so ranked on low risk and liquidity alone" in reason for reason in found["reason"])


def test_the_reason_gives_the_figures() -> None:
    frame = candidates(3).with_columns(
        score=pl.Series([3.0, None, 1.0]), volatility=pl.Series([0.5, 0.2, 0.3]), dollar_volume=pl.Series([310e6, 1e6, 2e6])
    )
    found = suggest_stocks(frame, OPEN_PROFILE)
    assert by_symbol(found, "total_score") == {"S000": 1.0, "S001": 0.5, "S002": 0.0}
    reasons = by_symbol(found, "reason")
    assert reasons["S000"] == (
        "model score above 100 % of 3 eligible stocks; less volatile than 0 % of all stocks; 310.0 million dollars traded a session"
    )
    assert reasons["S001"] == (
        "no model score for this stock, taken as middling; less volatile than 100 % of all stocks; 1.0 million dollars traded a session"
    )


def test_a_full_sector_is_passed_over_and_unknown_sectors_are_not_capped() -> None:
    frame = candidates(8).with_columns(
        score=pl.Series([float(8 - i) for i in range(8)]),
        sector=pl.Series(["Energy", "Energy", "Energy", "Health", None, None, None, "Energy"]),
    )
    found = suggest_stocks(frame, replace(OPEN_PROFILE, maximum_per_sector=2, size=6))
    assert found["symbol"].to_list() == ["S000", "S001", "S003", "S004", "S005", "S006"]


def test_the_minima_and_the_maximum_themselves_are_within_them() -> None:
    least = replace(OPEN_PROFILE, minimum_price=5.0, minimum_dollar_volume=1e6, maximum_volatility_rank=0.5)
    frame = candidates(7).with_columns(
        close=pl.Series([5.0, 4.99, 5.0, 5.0, 9.0, 9.0, 9.0]),
        dollar_volume=pl.Series([1e6, 1e6, 1e6 - 1, 1e6, 2e6, 2e6, 2e6]),
        volatility=pl.Series([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),  # the fourth is the median
    )
    assert sorted(suggest_stocks(frame, least)["symbol"]) == ["S000", "S003"]


@pytest.mark.parametrize("column", ["close", "volatility", "dollar_volume"])
def test_stocks_without_figures_are_not_eligible(column: str) -> None:
    frame = candidates(4).with_columns(pl.when(pl.col("symbol") == "S002").then(None).otherwise(pl.col(column)).alias(column))
    assert sorted(suggest_stocks(frame, OPEN_PROFILE)["symbol"]) == ["S000", "S001", "S003"]


def test_places_are_among_the_stocks_with_all_figures_and_equal_ones_share_theirs() -> None:
    frame = candidates(7).with_columns(
        close=pl.Series([9.0, 9.0, 9.0, 9.0, 9.0, None, 9.0]),
        dollar_volume=pl.Series([1.57e6, 1e6, 1e6, 1e6, 1e6, 1e6, None]),
        volatility=pl.Series([0.1, 0.3, 0.3, 0.3, 0.5, 0.6, 0.7]),
        score=pl.Series([1.0, 1.0, 1.0, 3.0, 4.0, 9.0, 9.0]),
    )
    found = suggest_stocks(frame, OPEN_PROFILE)
    assert by_symbol(found, "risk_score") == {"S000": 0.0, "S001": 0.5, "S002": 0.5, "S003": 0.5, "S004": 1.0}
    assert by_symbol(found, "total_score") == {"S004": 1.0, "S003": 0.75, "S000": 0.25, "S001": 0.25, "S002": 0.25}
    assert found["symbol"].to_list() == ["S004", "S003", "S000", "S001", "S002"]
    assert str(by_symbol(found, "reason")["S000"]).endswith("; 1.6 million dollars traded a session")


def test_a_stale_price_is_not_calm() -> None:
    frame = candidates(2).with_columns(volatility=pl.Series([0.0, 0.3]))
    assert suggest_stocks(frame, OPEN_PROFILE)["symbol"].to_list() == ["S001"]


def test_where_nothing_suits_there_are_no_suggestions() -> None:
    nothing = suggest_stocks(candidates(5), replace(OPEN_PROFILE, minimum_price=1e6))
    assert nothing.is_empty()
    assert nothing.schema == suggest_stocks(candidates(5), OPEN_PROFILE).schema
    assert suggest_stocks(candidates(0), OPEN_PROFILE).is_empty()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 50), st.booleans(), st.sampled_from(["default", "conservative", "aggressive"]))
def test_weights_add_up_and_row_order_is_of_no_account(seed: int, count: int, scored: bool, name: str) -> None:
    frame = candidates(count, seed, scored)
    found = suggest_stocks(frame, chosen_profiles(name)[0])
    assert found.is_empty() or found["weight"].sum() == pytest.approx(1)
    assert_frame_equal(suggest_stocks(frame.sample(fraction=1, shuffle=True, seed=seed % 1000), chosen_profiles(name)[0]), found)
