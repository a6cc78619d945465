from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL
from stock_pipeline.core.lookahead import lookahead_violations
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.seasonality import SEASONALITY_FEATURES
from stock_pipeline_tests.factories.feature_bars import bars, compute_night, values, with_actions
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions

NAME = "same_weekday_20"
COUNT = 140
DAYS = sessions(COUNT)
CLOSES = list(50 * np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.02, COUNT))))


def expected(days: list[date], moves: list[float | None], position: int) -> float | None:
    """The mean of the moves of 100 sessions on the weekday that comes next."""
    weekday = days[position].weekday()
    following = weekday + 1 if weekday < 4 else 0
    chosen = [moves[place] for place in range(position - 99, position + 1) if days[place].weekday() == following]
    there = [move for move in chosen if move is not None]
    return float(np.mean(there)) if len(there) >= 15 else None


def moves_of(closes: list[float]) -> list[float | None]:
    return [None, *(after / before - 1 for before, after in pairwise(closes))]


def test_it_is_the_mean_move_on_the_weekday_that_comes_next_holiday_or_not() -> None:
    shown = values(bars(CLOSES), NAME)
    assert shown[:100] == [None] * 100
    before_the_fourth = DAYS.index(date(2012, 7, 3))
    assert before_the_fourth > 100 and DAYS[before_the_fourth + 1] == date(2012, 7, 5)
    for position in range(100, COUNT):
        assert shown[position] == pytest.approx(expected(DAYS, moves_of(CLOSES), position), rel=1e-5), DAYS[position]
    # The holiday's weekday counts, a Wednesday, and not that of the session that came.
    window = range(before_the_fourth - 99, before_the_fourth + 1)
    wednesdays = [CLOSES[place] / CLOSES[place - 1] - 1 for place in window if DAYS[place].weekday() == 2]
    assert shown[before_the_fourth] == pytest.approx(np.mean(wednesdays), rel=1e-5)


def test_a_session_of_the_weekend_comes_before_monday_and_counts_for_no_day() -> None:
    plain = pl.lit(date(2024, 1, 1)).dt.add_business_days(pl.int_range(pl.len()))
    weekdays = bars(CLOSES).with_columns(plain.alias(SESSION))
    on_fridays, day = weekdays[SESSION].dt.weekday() == 5, pl.col(SESSION)
    # Every third Friday's session is held on the day after.
    third = pl.Series((np.cumsum(on_fridays.to_numpy()) % 3 == 0) & on_fridays.to_numpy())
    panel = weekdays.with_columns(pl.when(third).then(day.dt.offset_by("1d")).otherwise(day).alias(SESSION))
    days, shown = panel[SESSION].to_list(), values(panel, NAME)
    saturday = next(place for place in range(100, COUNT) if days[place].weekday() == 5)
    assert shown[saturday] == pytest.approx(expected(days, moves_of(CLOSES), saturday), rel=1e-5)
    thursday = next(place for place in range(100, COUNT) if days[place].weekday() == 3)
    fridays = sum(days[place].weekday() == 4 for place in range(thursday - 99, thursday + 1))
    assert fridays == 14 and shown[thursday] is None


def test_after_a_long_pause_too_few_weeks_are_left() -> None:
    panel = pl.concat([bars(CLOSES), bars([5.0] * COUNT, symbol="B")])
    for missing, null in ((20, False), (37, True)):
        gone = (pl.col(SYMBOL) == "A") & pl.col(SESSION).is_in(DAYS[60 : 60 + missing])
        shown = panel.filter(~gone)
        closes = shown.filter(pl.col(SYMBOL) == "A")[CLOSE].to_list()
        moves: list[float | None] = moves_of(closes)
        moves[60] = None  # the price before the pause is stale by then
        padded = [*moves[:60], *[0.0] * 5, *[None] * (missing - 5), *moves[60:]]
        last = values(shown, NAME)[-1]
        assert last == (None if null else pytest.approx(expected(DAYS, padded, COUNT - 1), rel=1e-5))
        assert (expected(DAYS, padded, COUNT - 1) is None) == null


def test_a_night_is_the_bulk_build_and_nothing_is_seen_of_the_future() -> None:
    panel = with_actions(adjusted_panel(4, 125, missing_share=0.08))
    days = panel[SESSION].unique().sort()
    whole = compute_features(panel, SEASONALITY_FEATURES)
    for position in (99, 104, 110, 124):
        night = compute_night(panel, days[position], SEASONALITY_FEATURES)
        assert night.equals(whole.filter(pl.col(SESSION) == days[position]))
    assert whole.filter(pl.col(SESSION) > days[105])[NAME].null_count() == 0
    cuts = [days[position] for position in (50, 106, 117)]
    assert lookahead_violations(lambda frame: compute_features(frame, SEASONALITY_FEATURES), panel, cuts, seed=2) == []
