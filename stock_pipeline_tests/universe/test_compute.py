from datetime import date
from statistics import median
from typing import Any

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, SESSION, SUSPECT, SYMBOL, VOLUME
from stock_pipeline.core.lookahead import lookahead_violations
from stock_pipeline.market_data.tables import FIRST, LAST
from stock_pipeline.settings import UniverseSettings
from stock_pipeline.universe.compute import EXCLUDED, MEMBER, UniverseRules, compute_universe, with_members
from stock_pipeline.universe.tables import (
    EXCLUDED_KIND,
    ILLIQUID,
    INSIDE,
    LOW_PRICE,
    NOT_MEMBER,
    SHORT_HISTORY,
    STATUS,
    SUSPECT_BAR,
    TOO_FEW,
)
from stock_pipeline_tests.factories.panels import sessions

DAYS = sessions(60)
RULES = UniverseRules(minimum_price=5.0, minimum_dollar_volume=1000.0, minimum_history=10, minimum_stocks=1)


def stock(symbol: str = "A", places: range = range(60), close: float = 10.0, volume: float = 100.0, **marks: Any) -> pl.DataFrame:
    """Bars of one stock on the sessions of those places; ``marks`` are the places where suspect, member or excluded is not as usual."""
    usual = {SUSPECT: False, MEMBER: True, EXCLUDED: False}
    return pl.DataFrame(
        {
            SYMBOL: [symbol] * len(places),
            SESSION: [DAYS[place] for place in places],
            CLOSE: [close] * len(places),
            VOLUME: [volume] * len(places),
            **{name: [value != (place in marks.get(name, ())) for place in places] for name, value in usual.items()},
        }
    )


def statuses(panel: pl.DataFrame, symbol: str = "A", rules: UniverseRules = RULES) -> list[str]:
    return compute_universe(panel, rules).filter(pl.col(SYMBOL) == symbol)[STATUS].to_list()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, INSIDE),
        ({"member": range(60)}, NOT_MEMBER),
        ({"excluded": range(60)}, EXCLUDED_KIND),
        ({"close": 5.0, "volume": 200.0}, INSIDE),
        ({"close": 4.99, "volume": 1000.0}, LOW_PRICE),
        ({"volume": 99.9}, ILLIQUID),
        ({"suspect": [59]}, SUSPECT_BAR),
        ({"suspect": [59], "member": range(60), "close": 1.0}, NOT_MEMBER),  # the first reason is told
        ({"suspect": [59], "close": 1.0}, SUSPECT_BAR),
    ],
)
def test_a_stock_is_inside_or_the_first_reason_is_told(changed: dict[str, Any], expected: str) -> None:
    panel = pl.concat([stock(**changed), stock("B")])
    assert statuses(panel)[-1] == expected
    assert statuses(panel, "B")[-1] == INSIDE


def test_each_session_is_judged_by_itself() -> None:
    panel = pl.concat([stock(member=[30, 31], excluded=[40]), stock("B", member=[50])])
    assert [place for place, status in enumerate(statuses(panel)) if status != INSIDE] == [30, 31, 40]
    assert [place for place, status in enumerate(statuses(panel, "B")) if status != INSIDE] == [50]


def test_a_stock_that_is_new_needs_bars_on_three_quarters_of_the_sessions() -> None:
    panel = pl.concat([stock("B"), stock("A", range(20, 60))])
    # Of ten sessions, two may lack a bar.
    assert statuses(panel)[:9] == [SHORT_HISTORY] * 7 + [INSIDE] * 2
    assert statuses(panel, "B") == [INSIDE] * 60  # the panel began with it, so that it may be old
    late = pl.concat([stock("B"), stock("A", range(2, 60)), stock("C", range(3, 60), suspect=[4]), stock("D", range(3, 60))])
    assert (statuses(late), statuses(late, "D")[:8]) == ([INSIDE] * 58, [SHORT_HISTORY] * 7 + [INSIDE])
    assert statuses(late, "C")[1:11] == [SUSPECT_BAR, *[SHORT_HISTORY] * 7, INSIDE, INSIDE]


def test_after_a_pause_a_stock_is_new_again_and_a_gap_does_not_matter() -> None:
    panel = pl.concat([stock("B"), stock(), stock("C")])
    gaps = (pl.col(SYMBOL) == "A") & pl.col(SESSION).is_in(DAYS[20:35])
    gaps |= (pl.col(SYMBOL) == "C") & pl.col(SESSION).is_in(DAYS[20:22])
    judged = compute_universe(panel.filter(~gaps), RULES)
    outside = judged.filter(pl.col(STATUS) != INSIDE)
    assert outside.rows() == [("A", day, SHORT_HISTORY) for day in DAYS[35:42]]


def test_a_suspect_bar_keeps_a_stock_out_until_it_has_traded_quietly_for_so_long() -> None:
    found = statuses(pl.concat([stock("B"), stock(suspect=[30, 31, 36])]))
    assert found[29:46] == [INSIDE, SUSPECT_BAR, SUSPECT_BAR, *[SHORT_HISTORY] * 4, SUSPECT_BAR, *[SHORT_HISTORY] * 7, INSIDE, INSIDE]


def test_liquidity_is_the_median_of_the_last_twenty_sessions() -> None:
    rng = np.random.default_rng(3)
    panel = pl.concat([stock("B"), stock()]).with_columns(pl.Series(VOLUME, rng.lognormal(4.6, 0.3, 120)))
    judged = compute_universe(panel, RULES)
    for symbol in ("A", "B"):
        dollars = [10 * volume for volume in panel.filter(pl.col(SYMBOL) == symbol)[VOLUME]]
        by_hand = [median(dollars[max(0, place - 19) : place + 1]) >= 1000 for place in range(60)]
        assert [status == INSIDE for status in judged.filter(pl.col(SYMBOL) == symbol)[STATUS]] == by_hand
        assert 10 < sum(by_hand) < 50


def test_of_a_session_with_too_few_stocks_none_is_inside() -> None:
    panel = pl.concat([stock("A"), stock("B", member=range(30, 40)), stock("C", range(10, 60), volume=1.0)])
    rules = UniverseRules(5.0, 1000.0, 10, minimum_stocks=2)
    judged = compute_universe(panel, rules)
    assert judged.filter(pl.col(STATUS) == TOO_FEW).rows() == [("A", day, TOO_FEW) for day in DAYS[30:40]]
    assert judged.filter(pl.col(STATUS) == INSIDE).height == 2 * 50
    assert statuses(panel, "C", rules) == [SHORT_HISTORY] * 7 + [ILLIQUID] * 43


def random_panel() -> pl.DataFrame:
    rng = np.random.default_rng(8)
    parts = [stock(symbol, range(start, 60), close=6.0) for symbol, start in (("A", 0), ("B", 0), ("C", 13), ("D", 0))]
    panel = pl.concat(parts)
    count = panel.height
    marked = {SUSPECT: 0.04, MEMBER: 0.9, EXCLUDED: 0.03}
    return panel.with_columns(
        pl.Series(VOLUME, rng.lognormal(5.2, 0.4, count)),
        pl.Series(CLOSE, rng.lognormal(1.8, 0.2, count)),
        *(pl.Series(name, rng.random(count) < share) for name, share in marked.items()),
    ).filter(pl.Series(rng.random(count) < 0.9))


def test_a_night_makes_the_rows_of_the_bulk_from_its_window_alone() -> None:
    panel, rules = random_panel(), UniverseRules(5.0, 1000.0, 25, 2)
    whole = compute_universe(panel.sample(fraction=1, shuffle=True, seed=1), rules)
    assert whole.equals(whole.sort(SYMBOL, SESSION))
    assert set(whole[STATUS]) == {INSIDE, NOT_MEMBER, EXCLUDED_KIND, SUSPECT_BAR, SHORT_HISTORY, LOW_PRICE, ILLIQUID, TOO_FEW}
    for place in (0, 5, 30, 59):
        window = panel.filter(pl.col(SESSION).is_between(DAYS[max(0, place - rules.span + 1)], DAYS[place]))
        assert compute_universe(window, rules, DAYS[place]).equals(whole.filter(pl.col(SESSION) == DAYS[place]))


def test_no_status_sees_the_future() -> None:
    panel = random_panel().with_columns(open=pl.col(CLOSE), high=pl.col(CLOSE), low=pl.col(CLOSE))
    cuts = [DAYS[place] for place in (8, 30, 55)]
    assert lookahead_violations(lambda bars: compute_universe(bars, RULES), panel, cuts, seed=1) == []


def test_members_are_those_of_the_session_its_first_and_last_day_included() -> None:
    panel = pl.concat([stock(symbol, range(10)).drop(MEMBER) for symbol in ("A", "B", "C")])
    periods: list[tuple[str, date, date | None]] = [
        ("A", DAYS[2], DAYS[4]),
        ("A", DAYS[4], DAYS[5]),
        ("A", DAYS[8], None),
        ("B", DAYS[39], None),
    ]
    members = pl.DataFrame(periods, schema={SYMBOL: pl.String, FIRST: pl.Date, LAST: pl.Date}, orient="row")
    inside = with_members(panel, members)
    assert inside.drop(MEMBER).equals(panel)
    assert inside.filter(MEMBER).select(SYMBOL, SESSION).rows() == [("A", DAYS[place]) for place in (2, 3, 4, 5, 8, 9)]
    assert with_members(panel, members.clear())[MEMBER].any() is False
    assert with_members(panel, None)[MEMBER].all()


def test_the_defaults_are_those_of_the_settings() -> None:
    assert UniverseRules.of(UniverseSettings()) == UniverseRules(1.0, 1e6, 20, 5)
    assert [UniverseRules(0, 0, history, 1).span for history in (1, 20, 61)] == [20, 20, 61]
