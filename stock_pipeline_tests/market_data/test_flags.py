from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL, VALUE, VOLUME
from stock_pipeline.market_data import flags as rules
from stock_pipeline.market_data.flags import CONTEXT, FLAGS, FlagRules, disagreements, flags, follow_up
from stock_pipeline.market_data.tables import BAR_FLAGS, BASIS, CLEARED_ON, DIVIDEND, FLAG, FLAGGED_ON, RAW, SPLIT, SPLIT_ADJUSTED
from stock_pipeline_tests.factories.market_rows import actions
from stock_pipeline_tests.harness.laws import law

SESSIONS = [date(2012, 1, 1) + timedelta(days=i) for i in range(60)]
TOLERANT = FlagRules(jump_ratio=1.4, source_tolerance=0.01)
NOTHING = actions()
Found = list[tuple[str, date, str, float]]


def bars(closes: Sequence[float | None], volumes: Sequence[float] = (), symbol: str = "A", basis: str = RAW) -> pl.DataFrame:
    """Bars of consecutive sessions; None stands for a session without a bar."""
    held = [i for i, close in enumerate(closes) if close is not None]
    rows = {
        SYMBOL: [symbol] * len(held),
        SESSION: [SESSIONS[i] for i in held],
        CLOSE: [closes[i] for i in held],
        VOLUME: [volumes[i] if volumes else 100.0 for i in held],
        BASIS: [basis] * len(held),
    }
    return pl.DataFrame(rows, schema={SYMBOL: pl.String, SESSION: pl.Date, CLOSE: pl.Float64, VOLUME: pl.Float64, BASIS: pl.String})


def judged(frame: pl.DataFrame, told: pl.DataFrame = NOTHING, sessions: Sequence[date] = SESSIONS) -> Found:
    found = flags(frame, told, sessions, TOLERANT)
    assert set(found[FLAG]) <= set(FLAGS)
    return sorted(found.select(SYMBOL, SESSION, FLAG, VALUE).rows())


def raised(
    flag: str, closes: Sequence[float | None], volumes: Sequence[float] = (), told: pl.DataFrame = NOTHING
) -> list[tuple[int, float]]:
    """Where the flag is raised, and with which value."""
    return [(SESSIONS.index(day), round(value, 9)) for _, day, name, value in judged(bars(closes, volumes), told) if name == flag]


def test_a_quiet_series_raises_nothing() -> None:
    assert judged(bars([10.0, 10.1, 9.9, 10.0, 10.2, 10.1, 10.0])) == []
    assert judged(bars([])) == []


def test_missing_sessions_are_counted_on_the_bar_after_them() -> None:
    assert raised(rules.GAP, [None, 10.0, None, 11.0, 10.0, None, None, 11.0, None]) == [(3, 1), (7, 2)]


def test_only_sessions_of_the_exchange_are_missing() -> None:
    without_third = [day for day in SESSIONS if day != SESSIONS[2]]
    assert judged(bars([10.0, 11.0, None, 12.0]), sessions=without_third) == []


def test_the_fifth_equal_close_in_a_row_and_those_after_it_are_flagged() -> None:
    assert raised(rules.EQUAL_CLOSES, [9.0, *[10.0] * 4, 11.0, *[10.0] * 4]) == []
    assert raised(rules.EQUAL_CLOSES, [9.0, *[10.0] * 6, 11.0]) == [(5, 10.0), (6, 10.0)]


def test_a_bar_without_volume_is_flagged() -> None:
    assert raised(rules.ZERO_VOLUME, [10.0, 11.0, 10.0], [100.0, 0.0, 1.0]) == [(1, 0.0)]


@pytest.mark.parametrize(
    ("close", "flagged"),
    [(14.01, True), (13.99, False), (14.0, False), (7.14, True), (7.15, False), (10 / 1.401, True), (10 / 1.399, False)],
)
def test_a_close_that_moves_beyond_the_ratio_is_flagged(close: float, flagged: bool) -> None:
    assert raised(rules.JUMP_FLAG, [10.0, close]) == ([(1, round(close / 10, 9))] if flagged else [])


@pytest.mark.parametrize(("close", "flagged"), [(8.01, True), (7.99, False), (11.99, True), (12.01, False), (10.0, True)])
def test_a_jump_that_the_next_session_takes_back_is_flagged(close: float, flagged: bool) -> None:
    assert raised(rules.REVERSAL, [10.0, 20.0, close]) == ([(1, 2.0)] if flagged else [])


def test_a_reversal_takes_two_jumps_one_session_apart() -> None:
    assert raised(rules.REVERSAL, [10.0, 14.01, 10.0]) == [(1, 1.401)]
    assert raised(rules.REVERSAL, [10.0, 13.99, 9.0]) == []  # the way back is a jump, the way there is none
    assert raised(rules.REVERSAL, [10.0, 14.5, 11.0]) == []  # and the other way round
    assert raised(rules.REVERSAL, [10.0, 20.0, 20.0, 10.0]) == []
    assert raised(rules.REVERSAL, [10.0, 5.0, 10.0, 5.0]) == [(1, 0.5), (2, 2.0)]


@pytest.mark.parametrize("scale", [10.0, 100.0])
@pytest.mark.parametrize(("share", "flagged"), [(0.951, True), (0.949, False), (1.0, True), (1.049, True), (1.051, False)])
def test_a_ten_or_hundredfold_price_or_its_inverse_is_flagged(scale: float, share: float, flagged: bool) -> None:
    move = scale * share
    assert raised(rules.SCALE, [10.0, 10.0 * move]) == ([(1, round(move, 9))] if flagged else [])
    assert raised(rules.SCALE, [10.0 * move, 10.0]) == ([(1, round(1 / move, 9))] if flagged else [])


@pytest.mark.parametrize(
    ("ratio", "flagged"), [(60.0, True), (59.9, False), (170.0, True), (170.1, False), (1 / 61, True), (1 / 59, False)]
)
def test_a_hundredfold_volume_or_its_inverse_is_flagged(ratio: float, flagged: bool) -> None:
    volumes = [1e6, 3e6, 2e6, 2.5e6, 1.5e6, 2e6 * ratio]  # their median is 2e6
    assert raised(rules.VOLUME_SCALE, [10.0, 11.0] * 3, volumes) == ([(5, round(ratio, 9))] if flagged else [])
    assert raised(rules.VOLUME_SCALE, [10.0, 11.0] * 3, [*volumes[1:5], 2e6 * ratio, 2e6]) == []  # four volumes are too few


def test_volume_is_usual_by_the_twenty_sessions_before() -> None:
    closes = [10.0, 11.0] * 11
    median_of_20 = (1.0 + 100.0) / 2  # of 19 it would be 100, of 21 it would be 1
    assert raised(rules.VOLUME_SCALE, closes, [*[1.0] * 11, *[100.0] * 10, 100 * median_of_20])[-1:] == [(21, 100.0)]
    assert raised(rules.VOLUME_SCALE, closes[:7], [*[0.0] * 5, 100.0, 0.0]) == []  # nothing is usual where nothing is traded


@pytest.mark.parametrize("ratio", [100.0, 0.01])
def test_a_volume_that_a_split_explains_is_usual_and_one_that_it_does_not_is_flagged_with_its_value(ratio: float) -> None:
    volumes = [2e6, 3e6, 1e6, 2e6, 2e6, 2e6 * ratio, 3e6 * ratio]
    usual = bars([10.0, 11.0, 10.0, 11.0, 10.0, 10.0 / ratio, 11.0 / ratio], volumes)
    unmoved = bars([10.0, 11.0, 10.0, 11.0, 10.0, 10.0 / ratio], [*volumes[:5], 2e6], symbol="B")
    told = actions(*((symbol, SESSIONS[5], SPLIT, ratio) for symbol in "AB"))
    ((*flagged, value),) = judged(pl.concat([usual, unmoved]), told)
    assert flagged == ["B", SESSIONS[5], rules.VOLUME_SCALE]
    assert value == pytest.approx(1 / ratio)


@pytest.mark.parametrize(
    ("closes", "told"),
    [
        pytest.param([700.0, 100.0], [("A", SESSIONS[1], SPLIT, 7.0)], id="split"),
        pytest.param([1.0, 10.0], [("A", SESSIONS[1], SPLIT, 0.1)], id="reverse split"),
        pytest.param([10.0, 6.0], [("A", SESSIONS[1], DIVIDEND, 4.0)], id="dividend"),
        pytest.param([20.0, 6.0], [("A", SESSIONS[1], SPLIT, 2.0), ("A", SESSIONS[1], DIVIDEND, 4.0)], id="both"),
        pytest.param([60.0, 10.0], [("A", SESSIONS[1], SPLIT, 2.0), ("A", SESSIONS[1], SPLIT, 3.0)], id="two splits"),
    ],
)
def test_a_jump_that_actions_explain_raises_nothing(closes: list[float], told: list[tuple[str, date, str, float]]) -> None:
    assert judged(bars(closes), actions(*told)) == []
    others = actions(*[("B", *rest) for _, *rest in told])  # type: ignore[arg-type]
    assert rules.JUMP_FLAG in [name for *_, name, _ in judged(bars(closes), others)]


def test_a_split_without_its_step_is_a_jump_but_not_where_prices_were_adjusted_for_it() -> None:
    split = actions(("A", SESSIONS[1], SPLIT, 2.0))
    assert judged(bars([10.0, 10.0]), split) == [("A", SESSIONS[1], rules.JUMP_FLAG, 2.0)]
    assert judged(bars([10.0, 10.0], basis=SPLIT_ADJUSTED), split) == []


def test_a_dividend_of_the_whole_price_is_not_measured() -> None:
    assert judged(bars([10.0, 10.0]), actions(("A", SESSIONS[1], DIVIDEND, 10.0))) == []


def test_symbols_are_judged_apart_whatever_the_order_of_the_bars() -> None:
    mixed = pl.concat([bars([10.0, 10.0, 20.0, 10.0]), bars([100.0, 20.0, 90.0], symbol="B"), bars([None, 1.0], symbol="C")])
    apart = sorted(found for symbol in "ABC" for found in judged(mixed.filter(pl.col(SYMBOL) == symbol)))
    assert judged(mixed.reverse()) == apart
    assert {symbol for symbol, *_ in apart} == {"A", "B"}
    one_ends, one_begins = bars([9.0, *[10.0] * 4]), bars([*[None] * 6, 10.0], [1e4] * 7, symbol="B")
    assert judged(pl.concat([one_ends, one_begins])) == []


CLOSES = st.sampled_from([10.0, 10.0, 11.0, 16.0, 100.0, 1050.0])
VOLUMES = st.lists(st.sampled_from([0.0, 1.0, 100.0, 100.0, 7000.0]), min_size=60, max_size=60)
SPLITS = st.dictionaries(st.sampled_from(SESSIONS), st.sampled_from([2.0, 0.1]), max_size=3)


def splits(told: dict[date, float]) -> pl.DataFrame:
    return actions(*(("A", session, SPLIT, ratio) for session, ratio in told.items()))


@law(60)
@given(st.lists(st.none() | CLOSES, min_size=2, max_size=60), VOLUMES, SPLITS, st.data())
def test_flags_depend_on_no_later_bar_but_for_a_reversal_on_the_one_after(
    closes: list[float | None], volumes: list[float], told: dict[date, float], data: st.DataObject
) -> None:
    frame, last = bars(closes, volumes), data.draw(st.sampled_from(SESSIONS[: len(closes)]))
    before = frame.filter(pl.col(SESSION) <= last)
    everything, then = judged(frame, splits(told)), judged(before, splits(told))
    latest = before[SESSION].max()
    assert then == [found for found in everything if found[1] <= last and (found[1] != latest or found[2] != rules.REVERSAL)]


@law(60)
@given(st.lists(CLOSES, min_size=CONTEXT + 1, max_size=60), VOLUMES, SPLITS)
def test_the_last_sessions_alone_are_judged_as_among_all(closes: list[float], volumes: list[float], told: dict[date, float]) -> None:
    frame = bars(closes, volumes)
    window = SESSIONS[: len(closes)][-CONTEXT:]
    alone = judged(frame.filter(pl.col(SESSION) >= window[0]), splits(told), window)
    for session in window[-2:]:  # the last one, and the one before, whose jump the last one may reverse
        assert [found for found in alone if found[1] == session] == [found for found in judged(frame, splits(told)) if found[1] == session]


def test_a_difference_of_the_tolerance_itself_is_none() -> None:
    ours = pl.concat([bars([10.0]), bars([10.0], symbol="B")])
    others = pl.concat([bars([8.0]), bars([7.9], symbol="B")])
    assert disagreements(ours, others, 0.25)[SYMBOL].to_list() == ["B"]


@pytest.mark.parametrize(("other", "flagged"), [(9.9, True), (9.902, False), (10.0, False), (10.1, False), (10.102, True)])
def test_sources_disagree_beyond_the_tolerance(other: float, flagged: bool) -> None:
    expected = [("A", SESSIONS[0], rules.DISAGREEMENT, pytest.approx(10 / other))] if flagged else []
    assert disagreements(bars([10.0]), bars([other]), 0.01).rows() == expected


def test_only_bars_of_equal_basis_symbol_and_session_are_compared() -> None:
    ours = bars([10.0, None, 10.0])
    for others in (bars([20.0], basis=SPLIT_ADJUSTED), bars([20.0], symbol="B"), bars([None, 20.0]), bars([])):
        assert disagreements(ours, others, 0.01).is_empty()
    twice = pl.concat([bars([20.0, None, 40.0]), bars([5.0, None, 10.0])])
    assert disagreements(ours, twice, 0.01)[VALUE].to_list() == [0.5, 0.25]  # one row a bar, and of two others the first counts


KEY = ("A", SESSIONS[0], rules.GAP)


def following(*nights: Sequence[tuple[str, date, str, float]]) -> list[list[tuple[Any, ...]]]:
    """What the table holds after each night, on which those flags are found."""
    held, after = BAR_FLAGS.empty(), []
    for night, found in enumerate(nights):
        news = pl.DataFrame(found, schema={SYMBOL: pl.String, SESSION: pl.Date, FLAG: pl.String, VALUE: pl.Float64}, orient="row")
        held = BAR_FLAGS.validate(follow_up(held, news, SESSIONS[night]))
        after.append(held.select(SYMBOL, SESSION, FLAG, VALUE, FLAGGED_ON, CLEARED_ON).rows())
    return after


def test_a_flag_keeps_the_night_on_which_it_was_raised_and_takes_the_value_of_now() -> None:
    assert following([(*KEY, 1.0)], [(*KEY, 1.0)], [(*KEY, 2.0)])[1:] == [[(*KEY, value, SESSIONS[0], None)] for value in (1.0, 2.0)]


def test_a_flag_is_withdrawn_once_and_raised_again_later() -> None:
    withdrawn = (*KEY, 1.0, SESSIONS[0], SESSIONS[1])
    after = following([(*KEY, 1.0)], [], [], [(*KEY, 3.0)], [(*KEY, 3.0)], [])
    assert after[1:3] == [[withdrawn], [withdrawn]]
    assert after[3:5] == [[(*KEY, 3.0, SESSIONS[3], None)]] * 2
    assert after[5] == [(*KEY, 3.0, SESSIONS[3], SESSIONS[5])]


OTHERS = [(*KEY, 1.0), ("A", SESSIONS[0], rules.SCALE, 10.0), ("A", SESSIONS[1], rules.GAP, 1.0), ("B", SESSIONS[0], rules.GAP, 1.0)]


@law(40)
@given(st.lists(st.sets(st.sampled_from(OTHERS)), min_size=1, max_size=6))
def test_every_flag_is_followed_by_itself(nights: list[set[tuple[str, date, str, float]]]) -> None:
    after = following(*[sorted(found) for found in nights])
    alone = [following(*[[flag] if flag in found else [] for found in nights])[-1] for flag in OTHERS]
    assert sorted(after[-1], key=str) == sorted((row for rows in alone for row in rows), key=str)
    for found, (before, now) in zip(nights[1:], pairwise(after), strict=True):
        assert {row[:4] for row in now if row[5] is None} == found
        assert {row[:3] for row in before} <= {row[:3] for row in now}
