from typing import Any

import pytest

from stock_pipeline.core.columns import HIGH, LOW, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.checks import doubly_in_force, unsound_bars
from stock_pipeline_tests.market_data.made_up import DAYS, bar, bars, series


def test_sound_bars_are_not_found_unsound() -> None:
    assert unsound_bars(bars(bar(), bar("B") | {VOLUME: 0.0}), 0.005).is_empty()


@pytest.mark.parametrize("change", [{LOW: 0.0}, {LOW: -1.0}, {HIGH: 9.0}, {VOLUME: -1.0}], ids=str)
def test_an_unsound_bar_is_found(change: dict[str, Any]) -> None:
    assert unsound_bars(bars(bar(), bar("B") | change), 0.005)[SYMBOL].to_list() == ["B"]


def test_two_versions_in_force_at_once_are_found() -> None:
    frame = bars(*series("A", [1.0, 2.0]), *series("B", [1.0]), bar("A", DAYS[1], 3.0))
    assert doubly_in_force(frame).select(SYMBOL, SESSION, "len").rows() == [("A", DAYS[1], 2)]
    assert doubly_in_force(frame.head(3)).is_empty()
