from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, OPEN, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.quality import DUPLICATE, BarRules, refusals, screen
from stock_pipeline.market_data.sources.source import BARS
from stock_pipeline.market_data.tables import CAPTURED, CURRENCY, REASON
from stock_pipeline_tests.factories.market_rows import DAYS, SATURDAY, bar, bars
from stock_pipeline_tests.harness.laws import law

TOLERANCE = 0.005
RULES = BarRules(DAYS, TOLERANCE, "USD")
NAN, INFINITE = float("nan"), float("inf")


def reasons(frame: pl.DataFrame) -> list[str]:
    sound, refused = screen(frame, RULES)
    assert sound.height + refused.height == frame.height
    return refused[REASON].to_list()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({SYMBOL: None}, "missing_key"),
        ({SYMBOL: ""}, "missing_key"),
        ({SESSION: None}, "missing_key"),
        *(({name: None}, "missing_value") for name in (*PRICES, VOLUME)),
        *(({name: NAN}, "non_finite") for name in (*PRICES, VOLUME)),
        ({HIGH: INFINITE}, "non_finite"),
        ({LOW: -INFINITE}, "non_finite"),
        *(({name: 0.0}, "non_positive_price") for name in PRICES),
        ({LOW: -1.0}, "non_positive_price"),
        ({VOLUME: -1.0}, "negative_volume"),
        ({CURRENCY: "EUR"}, "wrong_currency"),
        ({HIGH: 9.9}, "high_below_low"),
        ({HIGH: 9.949, OPEN: 9.949, CLOSE: 9.949}, "high_below_low"),
        ({OPEN: 10.06}, "outside_high_low"),
        ({CLOSE: 10.06}, "outside_high_low"),
        ({OPEN: 9.94}, "outside_high_low"),
        ({CLOSE: 9.94}, "outside_high_low"),
        ({HIGH: 30.01}, "implausible_range"),
        ({SESSION: SATURDAY}, "not_a_session"),
        ({SESSION: date(2012, 1, 17)}, "future_session"),
        ({SESSION: date(2012, 1, 2)}, "not_a_session"),
    ],
    ids=str,
)
def test_a_bad_bar_is_refused_with_its_reason(change: dict[str, Any], reason: str) -> None:
    frame = bars(bar(), bar("B") | change)
    assert reasons(frame) == [reason]
    assert screen(frame, RULES)[1].drop(REASON).equals(frame.tail(1))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {CURRENCY: "USD"},
        {HIGH: 9.951, OPEN: 9.951, CLOSE: 9.951},
        {VOLUME: 0.0},
        {OPEN: 10.049},
        {CLOSE: 9.951},
        {HIGH: 30.0},
        {LOW: 3.34},
        {CAPTURED: SATURDAY},
        {OPEN: 9.951, CLOSE: 10.049},
    ],
    ids=str,
)
def test_a_bar_at_the_edge_of_a_rule_is_sound(change: dict[str, Any]) -> None:
    frame = bars(bar() | change)
    sound, refused = screen(frame, RULES)
    assert sound.equals(frame)
    assert refused.is_empty()


# Shares that binary numbers hold exactly, so that a price may lie at the tolerance itself.
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({HIGH: 7.5, LOW: 10.0, OPEN: 9.375, CLOSE: 7.5}, None),  # as far below as the low, and above the high, may be
        ({HIGH: 7.4, LOW: 10.0, OPEN: 7.5, CLOSE: 7.5}, "high_below_low"),
        ({HIGH: 7.5, LOW: 10.0, OPEN: 9.4, CLOSE: 7.5}, "outside_high_low"),
        ({HIGH: 7.5, LOW: 10.0, OPEN: 9.375, CLOSE: 7.4}, "outside_high_low"),
    ],
    ids=str,
)
def test_prices_may_contradict_each_other_by_the_tolerance_itself(change: dict[str, Any], reason: str | None) -> None:
    frame = bars(bar() | change, bar("B"))
    refused = screen(frame, replace(RULES, price_tolerance=0.25))[1]
    assert refused.select(SYMBOL, REASON).rows() == ([] if reason is None else [("A", reason)])


def test_the_first_rule_broken_is_the_reason() -> None:
    assert reasons(bars(bar(close=None), bar(symbol=None, close=None), bar(session=SATURDAY, close=-1.0))) == [
        "missing_value",
        "missing_key",
        "non_positive_price",
    ]
    assert len({reason for reason, _ in refusals(RULES)}) == len(refusals(RULES))


def test_the_tolerance_is_the_caller_s() -> None:
    frame = bars(bar() | {OPEN: 10.06})
    assert screen(frame, replace(RULES, price_tolerance=0.01))[0].height == 1
    assert screen(frame, replace(RULES, price_tolerance=0.0))[1].height == 1


def test_the_first_of_two_sound_bars_of_a_session_stays() -> None:
    frame = bars(bar(close=10.0), bar(close=11.0), bar(close=10.0), bar("B"), bar(session=DAYS[1]))
    sound, refused = screen(frame, RULES)
    assert sound.select(SYMBOL, SESSION, CLOSE).rows() == [("A", DAYS[0], 10.0), ("B", DAYS[0], 10.0), ("A", DAYS[1], 10.0)]
    assert refused.select(CLOSE, REASON).rows() == [(11.0, DUPLICATE), (10.0, DUPLICATE)]


def test_a_bad_bar_does_not_push_out_the_sound_one_of_its_session() -> None:
    sound, refused = screen(bars(bar(close=None), bar(close=11.0)), RULES)
    assert sound[CLOSE].to_list() == [11.0]
    assert refused[REASON].to_list() == ["missing_value"]


def test_captures_of_one_session_are_no_duplicates() -> None:
    frame = bars(bar(), bar() | {CAPTURED: DAYS[1]}, bar() | {CAPTURED: DAYS[2]}, bar() | {CAPTURED: DAYS[2]})
    assert reasons(frame) == [DUPLICATE]


def test_no_bars_at_all_are_all_sound() -> None:
    sound, refused = screen(pl.DataFrame(schema=BARS), RULES)
    assert sound.schema == pl.Schema(BARS)
    assert refused.schema == pl.Schema(BARS | {REASON: pl.String})


FIGURES = st.sampled_from([None, NAN, INFINITE, -1.0, 0.0, 1.0, 9.0, 10.0, 10.04, 11.0, 40.0])


@law(60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {SYMBOL: st.sampled_from([None, "", "A", "B"]), SESSION: st.sampled_from([None, SATURDAY, DAYS[0], DAYS[1]])}
            | dict.fromkeys((*PRICES, VOLUME), FIGURES)
        ),
        max_size=12,
    )
)
def test_every_bar_is_kept_or_quarantined_and_what_is_kept_is_sound(rows: list[dict[str, Any]]) -> None:
    frame = bars(*(bar() | row for row in rows))
    sound, refused = screen(frame, RULES)
    assert pl.concat([sound, refused.drop(REASON)]).sort(frame.columns).equals(frame.sort(frame.columns))
    assert refused[REASON].null_count() == 0
    for row in sound.iter_rows(named=True):
        assert row[SYMBOL]
        assert row[SESSION] in DAYS
        assert 0 < row[LOW] <= row[HIGH] <= 3 * row[LOW]
        assert row[LOW] * (1 - TOLERANCE) <= min(row[OPEN], row[CLOSE]) <= max(row[OPEN], row[CLOSE]) <= row[HIGH] * (1 + TOLERANCE)
        assert 0 <= row[VOLUME] < INFINITE
    assert sound.select(SYMBOL, SESSION).is_unique().all()
    again, none = screen(sound, RULES)
    assert again.equals(sound)
    assert none.is_empty()
