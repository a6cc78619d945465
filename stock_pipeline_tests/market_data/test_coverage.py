from collections.abc import Iterable
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.market_data.coverage import SESSIONS_BEFORE, Coverage, coverage_of, expected_symbols
from stock_pipeline.market_data.tables import SYMBOL_HISTORY, UNIVERSE_MEMBERS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.market_rows import DAYS
from stock_pipeline_tests.factories.rows import put
from stock_pipeline_tests.harness.laws import law
from stock_pipeline_tests.harness.plain_settings import plain_settings

LONG = [date(2012, 1, day) for day in range(1, 32)]
NOBODY = UNIVERSE_MEMBERS.empty()


def bars(**sessions: Iterable[date]) -> pl.DataFrame:
    """Bars of each symbol on those sessions."""
    rows = [(symbol, session) for symbol, days in sessions.items() for session in days]
    return pl.DataFrame(rows, schema={SYMBOL: pl.String, SESSION: pl.Date}, orient="row")


def members(*rows: tuple[str, date, date | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=UNIVERSE_MEMBERS.dtypes, orient="row")


def settings_for(stores: Stores, **source: Any) -> Settings:
    return plain_settings(stores.home, source=source)


def test_the_chosen_symbols_are_expected_and_no_others() -> None:
    belongs = members(("C", LONG[0], None))
    assert expected_symbols(("A", "B"), belongs, bars(D=LONG), LONG[-1]) == {"A", "B"}
    assert expected_symbols((), belongs, bars(D=LONG), LONG[-1]) == set()


def test_members_are_expected_from_their_first_day_to_their_last() -> None:
    belongs = members(
        ("A", LONG[0], None),
        ("B", LONG[0], LONG[5]),
        ("C", LONG[0], LONG[4]),
        ("D", LONG[5], None),
        ("E", LONG[6], None),
        ("F", LONG[0], LONG[1]),
        ("F", LONG[4], LONG[8]),
    )
    assert expected_symbols(None, belongs, bars(Z=LONG[:6]), LONG[5]) == {"A", "B", "D", "F"}


def test_without_a_list_those_that_traded_on_most_of_the_sessions_before_are_expected() -> None:
    before, session = LONG[:SESSIONS_BEFORE], LONG[SESSIONS_BEFORE]
    half = SESSIONS_BEFORE // 2
    traded = bars(ALL=before, HALF=before[:half], MORE=before[: half + 1], NEW=[session])
    assert expected_symbols(None, NOBODY, traded, session) == {"ALL", "MORE"}


def test_what_traded_before_those_sessions_or_on_the_last_does_not_count() -> None:
    session, half = LONG[30], SESSIONS_BEFORE // 2
    recent = LONG[30 - SESSIONS_BEFORE : 30]
    traded = bars(ALL=LONG, GONE=LONG[: 30 - half], LATE=[*recent[-half:], session], BACK=recent[-half - 1 :])
    assert expected_symbols(None, NOBODY, traded, session) == {"ALL", "BACK"}


def test_sessions_without_any_bar_are_not_counted() -> None:
    assert expected_symbols(None, NOBODY, bars(A=[LONG[0], LONG[9]], B=[LONG[9]]), LONG[20]) == {"A"}
    assert expected_symbols(None, NOBODY, bars(A=[LONG[0]]), LONG[0]) == set()


@law(40)
@given(st.dictionaries(st.sampled_from("ABC"), st.sets(st.sampled_from(LONG)), min_size=1))
def test_expected_is_who_traded_on_more_than_half_of_the_latest_sessions_before(traded: dict[str, set[date]]) -> None:
    session = LONG[-1]
    before = sorted({day for days in traded.values() for day in days if day < session})[-SESSIONS_BEFORE:]
    expected = {symbol for symbol, days in traded.items() if len(days & set(before)) > len(before) / 2}
    assert expected_symbols(None, NOBODY, bars(**traded), session) == expected


def test_missing_are_the_expected_symbols_without_a_bar_of_the_last_session(stores: Stores) -> None:
    traded = bars(A=DAYS[:3], C=DAYS[:2], B=DAYS[:2], D=DAYS[2:3])
    found = coverage_of(stores, settings_for(stores, symbols=("C", "B", "A", "X")), traded)
    assert found == Coverage(DAYS[2], 4, ("B", "C", "X"), listed=True)
    assert found.share == 0.25


def test_the_members_of_the_store_are_expected(stores: Stores) -> None:
    put(stores, UNIVERSE_MEMBERS, members(("A", DAYS[0], None), ("B", DAYS[0], DAYS[2]), ("C", DAYS[0], DAYS[1])), DAYS[2])
    assert coverage_of(stores, settings_for(stores), bars(A=DAYS[:3], D=DAYS[:3])) == Coverage(DAYS[2], 2, ("B",), listed=True)


def test_the_renamed_and_the_delisted_are_not_expected_after_their_last_session(stores: Stores) -> None:
    held = [
        ("DEAD", DAYS[0], DAYS[1], "DEAD"),
        ("OLD", DAYS[0], DAYS[1], "OLD"),
        ("NEW", DAYS[2], None, "OLD"),
        ("USED", DAYS[0], DAYS[0], "USED"),  # somebody else has it now
        ("USED", DAYS[1], None, f"USED@{DAYS[1]}"),
        ("LAST", DAYS[0], DAYS[2], "LAST"),
    ]
    put(stores, SYMBOL_HISTORY, pl.DataFrame(held, schema=SYMBOL_HISTORY.dtypes, orient="row"), DAYS[2])
    settings = settings_for(stores, symbols=("DEAD", "OLD", "NEW", "USED", "LAST", "A"))
    assert coverage_of(stores, settings, bars(A=DAYS[:3])) == Coverage(DAYS[2], 4, ("LAST", "NEW", "USED"), listed=True)
    assert coverage_of(stores, settings, bars(A=DAYS[:2])).missing == ("DEAD", "LAST", "OLD", "USED")


def test_a_renamed_symbol_is_expected_under_the_name_of_the_session(stores: Stores) -> None:
    held = [("OLD", DAYS[0], DAYS[1], "OLD"), ("NEW", DAYS[2], None, "OLD")]
    put(stores, SYMBOL_HISTORY, pl.DataFrame(held, schema=SYMBOL_HISTORY.dtypes, orient="row"), DAYS[2])
    for name in ("OLD", "NEW"):
        settings = settings_for(stores, symbols=(name,))
        assert coverage_of(stores, settings, bars(A=DAYS[:3])).missing == ("NEW",)
        assert coverage_of(stores, settings, bars(A=DAYS[:2])).missing == ("OLD",)
        assert coverage_of(stores, settings, bars(OLD=DAYS[:2], NEW=DAYS[2:3])).missing == ()


def test_a_symbol_means_its_last_holder_or_before_the_first_the_next_company_to_take_it(stores: Stores) -> None:
    held = [
        ("ONE", DAYS[0], DAYS[3], "ONE"),
        ("TWO", DAYS[0], DAYS[5], "TWO"),
        ("NEW", DAYS[6], None, "TWO"),  # told out of order: the next holder is not the last one
        ("NEW", DAYS[4], DAYS[5], "ONE"),
        ("ELSE", DAYS[6], None, "ONE"),
    ]
    put(stores, SYMBOL_HISTORY, pl.DataFrame(held, schema=SYMBOL_HISTORY.dtypes, orient="row"), DAYS[6])
    settings = settings_for(stores, symbols=("NEW", "ALONE"))
    for reached, borne in ((3, "ONE"), (4, "NEW"), (5, "NEW"), (6, "NEW")):
        assert coverage_of(stores, settings, bars(A=DAYS[: reached + 1])).missing == tuple(sorted(("ALONE", borne))), reached
    # From the seventh session on NEW is the second company, so that the first is not expected under it.
    with_bars = bars(A=DAYS[:7], NEW=DAYS[6:7], ALONE=DAYS[6:7])
    assert coverage_of(stores, settings, with_bars) == Coverage(DAYS[6], 2, (), listed=True)


def test_a_list_of_which_nobody_is_left_is_not_covered(stores: Stores) -> None:
    put(stores, UNIVERSE_MEMBERS, members(("A", DAYS[0], DAYS[1])), DAYS[2])
    found = coverage_of(stores, settings_for(stores), bars(A=DAYS[:3]))
    assert (found.expected, found.share) == (0, 0)


def test_the_recent_majority_is_expected_where_nothing_else_is_said(stores: Stores) -> None:
    found = coverage_of(stores, settings_for(stores), bars(A=DAYS[:4], B=DAYS[:3], C=DAYS[:1]))
    assert found == Coverage(DAYS[3], 2, ("B",))
    assert found.share == 0.5


def test_without_any_bar_nothing_is_covered(stores: Stores) -> None:
    found = coverage_of(stores, settings_for(stores, symbols=("A",)), bars())
    assert found == Coverage(None, 0, ())
    assert found.share == 0


@pytest.mark.parametrize(
    ("coverage", "share"),
    [(Coverage(DAYS[0], 0, ()), 1.0), (Coverage(DAYS[0], 4, ()), 1.0), (Coverage(DAYS[0], 4, ("A", "B", "C", "D")), 0.0)],
)
def test_the_share_lies_between_none_and_all(coverage: Coverage, share: float) -> None:
    assert coverage.share == share
