from typing import Any

import pytest

from stock_pipeline.core.columns import HIGH, LOW, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.checks import SESSIONS_BEFORE, coverage, doubly_in_force, unsound_bars
from stock_pipeline_tests.market_data.made_up import DAYS, bar, bars, series
from stock_pipeline_tests.panels import sessions


def test_sound_bars_are_not_found_unsound() -> None:
    assert unsound_bars(bars(bar(), bar("B") | {VOLUME: 0.0})).is_empty()


@pytest.mark.parametrize("change", [{LOW: 0.0}, {LOW: -1.0}, {HIGH: 9.0}, {VOLUME: -1.0}], ids=str)
def test_an_unsound_bar_is_found(change: dict[str, Any]) -> None:
    assert unsound_bars(bars(bar(), bar("B") | change))[SYMBOL].to_list() == ["B"]


def test_two_versions_in_force_at_once_are_found() -> None:
    frame = bars(*series("A", [1.0, 2.0]), *series("B", [1.0]), bar("A", DAYS[1], 3.0))
    assert doubly_in_force(frame).select(SYMBOL, SESSION, "len").rows() == [("A", DAYS[1], 2)]
    assert doubly_in_force(frame.head(3)).is_empty()


def test_coverage_is_the_last_session_s_share_of_the_median_before_it() -> None:
    full = [bar(symbol, day) for day in DAYS[:3] for symbol in "ABCD"]
    assert coverage(bars(*full)) == (DAYS[2], 1.0)
    assert coverage(bars(*full, bar("A", DAYS[3]), bar("B", DAYS[3]))) == (DAYS[3], 0.5)
    # One thin session before does not lower what is expected.
    assert coverage(bars(*full, bar("A", DAYS[3]), *(bar(symbol, DAYS[4]) for symbol in "ABC"))) == (DAYS[4], 0.75)


def test_coverage_looks_back_no_further_than_it_says() -> None:
    days = sessions(SESSIONS_BEFORE + 21)
    long_ago = [bar(symbol, day) for day in days[:-11] for symbol in "ABCDEFGH"]
    lately = [bar(symbol, day) for day in days[-11:] for symbol in "AB"]
    # Of the twenty sessions before the last, ten had eight bars and ten had two.
    assert coverage(bars(*long_ago, *lately)) == (days[-1], 2 / 5)


def test_without_anything_to_compare_with_the_first_session_is_covered_and_no_bars_are_not() -> None:
    assert coverage(bars(bar())) == (DAYS[0], 1.0)
    assert coverage(bars()) == (None, 0.0)
