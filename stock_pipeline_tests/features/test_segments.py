import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, HIGH, PRICE_FACTOR, SESSION, SYMBOL, VOLUME, VOLUME_FACTOR
from stock_pipeline.features.bars import PLACE, usable_bars
from stock_pipeline.features.segments import EMPTY_BEFORE, SEGMENT, TARGET, segments
from stock_pipeline_tests.factories.feature_bars import bars

SPAN = 3


def stepped(closes: list[float], price_steps: list[float], share_steps: list[float] | None = None, symbol: str = "A") -> pl.DataFrame:
    steps = {PRICE_FACTOR: price_steps, VOLUME_FACTOR: share_steps or [1.0] * len(closes)}
    return bars(closes, symbol=symbol).with_columns(pl.Series(name, values, pl.Float64) for name, values in steps.items())


def found(panel: pl.DataFrame, first_place: int = 0, span: int = SPAN, most_rows: int = 1000) -> pl.DataFrame:
    return pl.concat(segments(usable_bars(panel), first_place, span, most_rows))


def test_without_actions_each_symbol_is_one_segment_as_it_was() -> None:
    panel = pl.concat([stepped([1, 2, 3], [1, 1, 1]), stepped([7, 8], [1, 1], symbol="B")])
    rows = found(panel)
    assert rows.select(SYMBOL, CLOSE, TARGET).rows() == [("A", 1, True), ("A", 2, True), ("A", 3, True), ("B", 7, True), ("B", 8, True)]
    assert rows[SEGMENT].n_unique() == 2
    assert set(rows[EMPTY_BEFORE]) == {SPAN - 1}


def test_an_action_begins_a_segment_whose_history_is_made_comparable_with_it() -> None:
    rows = found(stepped([100, 100, 50, 51, 52], [1, 1, 0.5, 1, 1], [1, 1, 2, 1, 1]))
    by_segment = [part.select(PLACE, CLOSE, VOLUME, TARGET).rows() for _, part in rows.group_by(SEGMENT, maintain_order=True)]
    assert by_segment == [
        [(0, 100, 100, True), (1, 100, 100, True)],
        [(0, 50, 200, False), (1, 50, 200, False), (2, 50, 100, True), (3, 51, 100, True), (4, 52, 100, True)],
    ]


def test_history_reaches_back_over_several_actions_and_as_far_as_the_span() -> None:
    rows = found(stepped([100, 100, 50, 25, 26], [1, 1, 0.5, 0.5, 1]), span=4)
    last = rows.filter(pl.col(SEGMENT) == rows[SEGMENT].max())
    assert last.select(PLACE, CLOSE, HIGH, TARGET).rows() == [
        (0, 25, 25, False),
        (1, 25, 25, False),
        (2, 25, 25, False),
        (3, 25, 25, True),
        (4, 26, 26, True),
    ]
    assert set(last[EMPTY_BEFORE]) == {0}


def test_only_what_the_targets_need_is_taken() -> None:
    panel = pl.concat([stepped([float(i) for i in range(1, 9)], [1.0] * 8), stepped([1.0] * 4, [1.0] * 4, symbol="Z")])
    rows = found(panel, first_place=6)
    assert rows.select(SYMBOL, PLACE, TARGET).rows() == [
        ("A", 4, False),
        ("A", 5, False),
        ("A", 6, True),
        ("A", 7, True),
    ]


def test_of_every_symbol_its_own_history_is_taken() -> None:
    panel = pl.concat([stepped([start + float(i) for i in range(9)], [1.0] * 9, symbol=symbol) for symbol, start in (("A", 1), ("B", 100))])
    rows = found(panel, first_place=7)
    assert rows.select(SYMBOL, PLACE, CLOSE, TARGET).rows() == [
        (symbol, place, start + place, place >= 7) for symbol, start in (("A", 1), ("B", 100)) for place in (5, 6, 7, 8)
    ]
    assert set(rows[EMPTY_BEFORE]) == {0}


def test_a_split_that_moves_no_price_counts_for_the_volume() -> None:
    rows = found(stepped([10, 10, 11], [1, 1, 1], [1, 1, 2]))
    last = rows.filter(pl.col(SEGMENT) == rows[SEGMENT].max())
    assert last.select(CLOSE, VOLUME, TARGET).rows() == [(10, 200, False), (10, 200, False), (11, 100, True)]


def test_a_symbol_that_is_listed_late_has_empty_sessions_before_it() -> None:
    panel = pl.concat([stepped([1.0] * 6, [1.0] * 6), stepped([1.0] * 6, [1.0] * 6, symbol="B").filter(pl.col(CLOSE).cum_count() > 4)])
    late = found(panel, first_place=5, span=5).filter(pl.col(SYMBOL) == "B")
    assert late.select(PLACE, EMPTY_BEFORE).rows() == [(4, 3), (5, 3)]


@pytest.mark.parametrize("most_rows", [1, 4, 7, 1000])
def test_blocks_do_not_tear_a_segment_and_leave_none_out(most_rows: int) -> None:
    panel = pl.concat([stepped([1.0, 2.0, 1.0, 3.0], [1, 1, 0.5, 1], symbol=symbol) for symbol in "ABCDE"])
    whole = found(panel)
    parts = list(segments(usable_bars(panel), 0, SPAN, most_rows))
    assert pl.concat(parts).equals(whole)
    largest = 4
    assert all(part.height < most_rows + largest for part in parts)
    assert sum(part[SEGMENT].n_unique() for part in parts) == whole[SEGMENT].n_unique() == 10
    targets = whole.filter(TARGET).select(SYMBOL, SESSION)
    assert targets.equals(panel.select(SYMBOL, SESSION))


def test_a_step_on_a_symbol_s_first_bar_changes_nothing() -> None:
    rows = found(stepped([10, 11], [0.5, 1]))
    assert rows.select(CLOSE, TARGET).rows() == [(10, True), (11, True)]
