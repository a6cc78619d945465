from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL
from stock_pipeline.market_data.symbol_history import RENAMES, follow_symbols, renames_by_contract, under_latest_symbol
from stock_pipeline.market_data.tables import CONTRACT, SYMBOL_HISTORY
from stock_pipeline_tests.harness.laws import law

Told = tuple[str, str, date]
Tenures = list[tuple[str, date, date | None, str]]
D = [date(2012, 1, day) for day in range(1, 29)]
YEAR = timedelta(days=365)
DAY = timedelta(days=1)


def history(*tenures: tuple[str, date, date | None, str]) -> pl.DataFrame:
    return pl.DataFrame(tenures, schema=SYMBOL_HISTORY.dtypes, orient="row")


def seen(*bars: tuple[str, date]) -> pl.DataFrame:
    return pl.DataFrame(bars, schema={SYMBOL: pl.String, SESSION: pl.Date}, orient="row")


def renames(*told: Told) -> pl.DataFrame:
    return pl.DataFrame(told, schema=RENAMES, orient="row")


class Nights:
    """What a store would hold from one night to the next."""

    def __init__(self) -> None:
        self.history = history()
        self.bars = seen()

    def comes(self, *bars: tuple[str, date], told: tuple[Told, ...] = (), delisted: Mapping[str, date] | None = None) -> Tenures:
        last_held = dict(self.bars.group_by(SYMBOL).agg(pl.col(SESSION).max()).iter_rows())
        self.history = follow_symbols(self.history, last_held, seen(*bars), renames(*told), delisted or {})
        self.bars = pl.concat([self.bars, seen(*bars)]).unique()
        return self.history.rows()


@pytest.fixture
def nights() -> Nights:
    return Nights()


RENAMED: Tenures = [("FB", D[0], D[2], "FB"), ("META", D[3], None, "FB")]


def test_a_rename_told_with_the_bars_keeps_the_instrument(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("FB", D[2]))
    assert nights.comes(("META", D[3]), told=(("FB", "META", D[3]),)) == RENAMED


def test_a_rename_told_before_its_first_bar_keeps_the_instrument(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("FB", D[2]))
    assert nights.comes(told=(("FB", "META", D[3]),)) == RENAMED
    assert nights.comes(("META", D[3])) == RENAMED


def test_a_rename_told_after_its_first_bars_takes_them_over(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("FB", D[2]))
    assert nights.comes(("META", D[3])) == [("FB", D[0], None, "FB"), ("META", D[3], None, "META")]
    assert nights.comes(("META", D[4]), told=(("FB", "META", D[3]),)) == RENAMED


def test_a_past_told_again_under_the_new_symbol_is_not_taken_for_a_company(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("FB", D[2]))
    again = [("META", D[0]), ("META", D[2]), ("META", D[3])]
    assert nights.comes(*again, told=(("FB", "META", D[3]),)) == RENAMED
    assert nights.comes(*again) == RENAMED  # nor does it move the beginning of the new symbol


def test_renames_are_followed_one_after_the_other_and_back(nights: Nights) -> None:
    nights.comes(("C", D[0]))
    told = (("A", "C", D[3]), ("B", "A", D[2]), ("C", "B", D[1]))
    expected = [("A", D[2], D[2], "C"), ("B", D[1], D[1], "C"), ("C", D[0], D[0], "C"), ("C", D[3], None, "C")]
    assert nights.comes(("B", D[1]), ("A", D[2]), told=told) == expected
    assert nights.comes(("C", D[3])) == expected
    assert nights.comes(told=told) == expected


def test_a_rename_of_a_symbol_that_did_not_trade_before_it_says_nothing(nights: Nights) -> None:
    nights.comes(("A", D[3]))
    assert nights.comes(told=(("A", "B", D[3]), ("X", "Y", D[4]))) == [("A", D[3], None, "A")]


def test_a_symbol_given_up_by_a_rename_and_taken_by_another_company_is_that_company(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("FB", D[2]))
    nights.comes(("META", D[3]), told=(("FB", "META", D[3]),))
    taken = nights.comes(("FB", D[5]), told=(("FB", "META", D[3]),))
    assert taken == [RENAMED[0], ("FB", D[5], None, f"FB@{D[5]}"), RENAMED[1]]
    assert nights.comes(("FB", D[6]), ("META", D[6]), told=(("FB", "META", D[3]),)) == taken


def test_a_symbol_taken_with_its_past_told_again_begins_after_the_first_holder(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("FB", D[2]), told=(("FB", "META", D[3]),))
    first_holder, other, _ = nights.comes(("FB", D[0]), ("FB", D[2]), ("FB", D[3]))
    assert (first_holder, other) == (RENAMED[0], ("FB", D[3], None, f"FB@{D[3]}"))


def test_a_symbol_that_another_company_had_given_up_changes_hands_with_the_rename(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("META", D[0]), ("META", D[1]), ("FB", D[2]))
    expected = [RENAMED[0], ("META", D[0], D[1], "META"), RENAMED[1]]
    assert nights.comes(told=(("FB", "META", D[3]),)) == expected
    assert nights.comes(("META", D[3]), told=(("FB", "META", D[3]),)) == expected


def test_a_contract_number_that_comes_back_under_another_symbol_is_a_rename() -> None:
    told = pl.DataFrame({SYMBOL: ["META", "A", "B", "C"], CONTRACT: ["1", "2", None, "4"]})
    bars = seen(("META", D[1]), ("META", D[2]), ("META", D[4]), ("META", D[3]), ("A", D[4]), ("C", D[4]))
    held = {"1": "FB", "2": "A", "3": "B"}
    assert renames_by_contract(held, told, bars, {"FB": D[2], "A": D[2], "B": D[2]}).rows() == [("FB", "META", D[3])]
    assert renames_by_contract(held, told, bars, {"FB": D[4]}).rows() == []  # nothing yet that the old symbol does not have
    assert renames_by_contract(held, told, bars, {}).rows() == []
    assert renames_by_contract({}, told, bars, {"FB": D[2]}).schema == renames().schema


def test_a_delisting_ends_the_tenure_and_stays_as_first_told(nights: Nights) -> None:
    nights.comes(("A", D[0]), ("A", D[2]), ("B", D[2]))
    ended = [("A", D[0], D[2], "A"), ("B", D[2], None, "B")]
    assert nights.comes(delisted={"A": D[2], "X": D[2]}) == ended
    assert nights.comes(("A", D[1]), delisted={"A": D[9]}) == ended
    assert nights.comes(delisted={"B": D[0]}) == [ended[0], ("B", D[2], D[2], "B")]  # no tenure ends before it begins


@pytest.mark.parametrize(("pause", "is_another"), [(DAY, False), (YEAR, False), (YEAR + DAY, True)])
def test_a_bar_within_a_year_revives_the_delisted_and_a_later_one_is_another_company(
    pause: timedelta, is_another: bool, nights: Nights
) -> None:
    nights.comes(("A", D[0]), ("A", D[2]))
    nights.comes(delisted={"A": D[2]})
    back = D[2] + pause
    another = [("A", D[0], D[2], "A"), ("A", back, None, f"A@{back}")]
    assert nights.comes(("A", back)) == (another if is_another else [("A", D[0], None, "A")])


@pytest.mark.parametrize(("pause", "is_another"), [(YEAR, False), (YEAR + DAY, True)])
def test_a_symbol_that_was_silent_for_more_than_a_year_is_another_company(pause: timedelta, is_another: bool, nights: Nights) -> None:
    back = D[2] + pause
    another = [("GM", D[0], D[2], "GM"), ("GM", back, None, f"GM@{back}")]
    expected = another if is_another else [("GM", D[0], None, "GM")]
    assert Nights().comes(("GM", D[0]), ("GM", D[2]), ("GM", back), ("GM", back + DAY)) == expected
    nights.comes(("GM", D[0]), ("GM", D[2]))
    assert nights.comes(("GM", back)) == expected
    assert nights.comes(("GM", back + DAY)) == expected


def test_earlier_bars_lengthen_the_first_tenure_and_later_ones_change_nothing(nights: Nights) -> None:
    nights.comes(("A", D[5]), ("B", D[5]))
    expected = [("A", D[1], None, "A"), ("B", D[5], None, "B")]
    assert nights.comes(("A", D[1]), ("A", D[3])) == expected
    assert nights.comes(("A", D[2]), ("A", D[6]), ("B", D[7]), told=(("B", "C", D[8]),))[0] == expected[0]
    assert nights.comes(("B", D[2])) == [expected[0], ("B", D[2], D[7], "B"), ("C", D[8], None, "B")]


@dataclass(frozen=True)
class World:
    """What happened: the tenures by company, a bar for each (symbol, session), and the renames."""

    companies: list[Tenures]
    bars: list[tuple[str, date]]
    told: tuple[Told, ...]

    @property
    def tenures(self) -> Tenures:
        return sorted(tenure for company in self.companies for tenure in company)


MONTH = timedelta(days=30)
LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=3)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Companies that change to symbols never used before, and a symbol R that companies bear one after the other."""
    companies: list[Tenures] = []
    for number, lengths in enumerate(draw(st.lists(LENGTHS, max_size=3))):
        first = [D[0] + MONTH * draw(st.integers(0, 12))]
        for length in lengths:
            first.append(first[-1] + MONTH * length)
        ends: list[date | None] = [begin - DAY for begin in first[1:-1]]
        companies.append([(f"S{number}{i}", first[i], last, f"S{number}0") for i, last in enumerate([*ends, None])])
    begins = D[0]
    reused = draw(st.lists(st.integers(0, 6), min_size=0 if companies else 1, max_size=3))
    for i, length in enumerate(reused):
        ended = begins + MONTH * length
        companies.append([("R", begins, None if i == len(reused) - 1 else ended, "R" if i == 0 else f"R@{begins}")])
        begins = ended + YEAR + DAY * draw(st.integers(1, 60))
    tenures = [tenure for company in companies for tenure in company]
    bars = [(symbol, day) for symbol, first, last, _ in tenures for i in range(7) if (day := first + MONTH * i) <= (last or date.max)]
    told = tuple((old, new, first) for company in companies for (old, *_), (new, first, *_) in pairwise(company))
    return World(companies, bars, told)


@law(60)
@given(worlds())
def test_night_by_night_all_at_once_and_told_twice_the_history_is_what_happened(world: World) -> None:
    at_once, by_night = Nights(), Nights()
    for night in sorted({session for _, session in world.bars}):
        by_night.comes(*(bar for bar in world.bars if bar[1] == night), told=tuple(told for told in world.told if told[2] <= night))
    assert at_once.comes(*world.bars, told=world.told) == world.tenures
    assert by_night.history.rows() == world.tenures
    for nights in (at_once, by_night):
        assert nights.comes(*world.bars, told=world.told) == world.tenures


def shown(rows: pl.DataFrame, held: pl.DataFrame, night: date) -> list[tuple[str, date]]:
    found = under_latest_symbol(rows.filter(pl.col(SESSION) <= night), held, night)
    assert found.columns == rows.columns
    return sorted(found.select(SYMBOL, SESSION).rows())


def test_a_renamed_instrument_is_shown_under_the_symbol_of_the_night() -> None:
    rows, held = seen(("META", D[3]), ("FB", D[2]), ("A", D[3]), ("FB", D[0])), history(*RENAMED, ("A", D[3], None, "A"))
    assert shown(rows, held, D[2]) == [("FB", D[0]), ("FB", D[2])]
    assert shown(rows, held, D[3]) == [("A", D[3]), ("META", D[0]), ("META", D[2]), ("META", D[3])]


def test_what_was_told_again_under_the_new_symbol_is_shown_once() -> None:
    rows = seen(("FB", D[0]), ("FB", D[2]), ("META", D[0]), ("META", D[2]), ("META", D[3])).with_row_index(CLOSE).reverse()
    found = under_latest_symbol(rows, history(*RENAMED), D[3])
    assert found.select(SYMBOL, SESSION, CLOSE).rows() == [("META", D[0], 0), ("META", D[2], 1), ("META", D[3], 4)]
    after_the_last = under_latest_symbol(seen(("FB", D[3])), history(*RENAMED), D[3])
    assert after_the_last.is_empty()


def test_an_earlier_holder_of_a_symbol_bears_its_first_session_besides() -> None:
    back = date(2014, 1, 2)
    held = history(("GM", D[0], D[2], "GM"), ("GM", back, None, f"GM@{back}"))
    rows = seen(("GM", D[0]), ("GM", D[2]), ("GM", back))
    assert shown(rows, held, D[2]) == [("GM", D[0]), ("GM", D[2])]
    assert shown(rows, held, back) == [("GM", back), (f"GM@{D[0]}", D[0]), (f"GM@{D[0]}", D[2])]


@law(60)
@given(worlds(), st.integers(0, 60))
def test_on_every_night_each_company_has_one_symbol_and_all_of_its_bars(world: World, months: int) -> None:
    night = D[0] + MONTH * months
    found = shown(seen(*world.bars), history(*world.tenures), night)
    expected: list[tuple[str, date]] = []
    for company in world.companies:
        begun = [tenure for tenure in company if tenure[1] <= night]
        for symbol, first, last, _ in begun:
            latest, latest_first = begun[-1][:2]
            is_holder = latest_first == max(t[1] for t in world.tenures if t[0] == latest and t[1] <= night)
            name = latest if is_holder else f"{latest}@{latest_first}"
            expected += [(name, day) for bearer, day in world.bars if bearer == symbol and first <= day <= min(last or night, night)]
    assert found == sorted(expected)


def test_another_company_that_gave_the_symbol_up_keeps_its_past(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("META", D[0]), ("META", D[1]), ("FB", D[2]))
    assert nights.comes(("META", D[3]), told=(("FB", "META", D[3]),)) == [RENAMED[0], ("META", D[0], D[1], "META"), RENAMED[1]]


def test_all_at_once_a_long_pause_tells_another_company_from_the_same_one_told_twice(nights: Nights) -> None:
    bars = [("META", D[0]), ("FB", D[0]), ("FB", D[20]), ("META", D[21])]
    expected = [("FB", D[0], D[20], "FB"), ("META", D[0], D[0], "META"), ("META", D[21], None, "FB")]
    assert nights.comes(*bars, told=(("FB", "META", D[21]),)) == expected


def test_a_symbol_given_up_and_taken_again_all_at_once_and_told_twice(nights: Nights) -> None:
    bars, told = [("FB", D[0]), ("FB", D[2]), ("META", D[3]), ("FB", D[5])], (("FB", "META", D[3]),)
    expected = [RENAMED[0], ("FB", D[5], None, f"FB@{D[5]}"), RENAMED[1]]
    assert nights.comes(*bars, told=told) == expected
    assert nights.comes(*bars, told=told) == expected


def test_an_overlap_told_again_does_not_change_the_name_of_the_next_holder(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("FB", D[2]), told=(("FB", "META", D[3]),))
    assert ("FB", D[5], None, f"FB@{D[5]}") in nights.comes(("FB", D[2]), ("FB", D[5]))


def test_a_renamed_and_delisted_instrument_that_trades_again_is_the_same(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("FB", D[2]))
    nights.comes(("META", D[3]), told=(("FB", "META", D[3]),))
    nights.comes(delisted={"META": D[3]})
    assert nights.comes(("META", D[5])) == RENAMED


def test_a_rename_told_after_the_old_symbol_was_found_delisted_counts(nights: Nights) -> None:
    nights.comes(("FB", D[0]), ("FB", D[2]))
    nights.comes(("META", D[3]))
    nights.comes(("META", D[4]), delisted={"FB": D[2]})
    assert nights.comes(("META", D[5]), told=(("FB", "META", D[3]),)) == RENAMED


def test_a_symbol_taken_years_after_another_company_gave_it_up_is_the_renamed_one(nights: Nights) -> None:
    nights.comes(("META", D[0]), ("FB", D[0]))
    later = D[0] + 2 * YEAR
    nights.comes(("FB", later))
    told = (("FB", "META", later + DAY),)
    tenures = nights.comes(("META", later + DAY), told=told)
    assert ("META", D[0], D[0], "META") in tenures
    of_fb = [("FB", later, later, f"FB@{later}"), ("META", later + DAY, None, f"FB@{later}")]
    assert [tenure for tenure in tenures if tenure[1] >= later] == of_fb


def test_a_past_told_again_under_a_later_symbol_is_left_out_on_earlier_nights_too() -> None:
    rows = seen(("FB", D[0]), ("FB", D[2]), ("META", D[0]), ("META", D[2]), ("META", D[3]))
    assert shown(rows, history(*RENAMED), D[2]) == [("FB", D[0]), ("FB", D[2])]


LIVES = st.dictionaries(st.sampled_from("ABCDEFGZ"), st.integers(1, 5), min_size=2)  # symbol to the sessions that it traded before


@st.composite
def renames_of_one_day(draw: st.DrawFn) -> tuple[dict[str, int], dict[str, str]]:
    """Which symbols traded before, and what some of them become on one day: no two the same, and none that another keeps."""
    lives = draw(LIVES)
    moving = draw(st.lists(st.sampled_from(sorted(lives)), min_size=1, unique=True))
    free = [*moving, *(name for name in ("M", "N", "Y") if name not in lives)]
    new = draw(st.permutations(free))
    return lives, {old: name for old, name in zip(moving, new, strict=False) if old != name}


@law(60)
@given(renames_of_one_day(), st.booleans())
def test_renames_of_one_day_keep_every_bar_and_every_company(drawn: tuple[dict[str, int], dict[str, str]], told_late: bool) -> None:
    lives, become = drawn
    cut = 10
    before = {symbol: [D[cut - back] for back in range(1, count + 1)] for symbol, count in lives.items()}
    bars = [(symbol, day) for symbol, days in before.items() for day in days]
    bars += [(become.get(symbol, symbol), day) for symbol in lives for day in D[cut : cut + 4]]
    told = tuple((old, new, D[cut]) for old, new in become.items())
    nights = Nights()
    nights.comes(*bars, told=() if told_late else told)
    nights.comes(told=told)
    expected = [(become.get(symbol, symbol), day) for symbol, days in before.items() for day in (*days, *D[cut : cut + 4])]
    assert shown(nights.bars, nights.history, D[cut + 3]) == sorted(expected)
    assert nights.comes(told=told) == nights.comes(*bars, told=told)
    assert shown(nights.bars, nights.history, D[cut + 3]) == sorted(expected)


@pytest.mark.parametrize("told", [(("A", "C", D[5]), ("B", "C", D[5])), (("A", "C", D[5]), ("A", "B", D[5]))])
def test_of_renames_that_contradict_each_other_the_first_counts(told: tuple[Told, ...], nights: Nights) -> None:
    nights.comes(("A", D[0]), ("B", D[0]), ("A", D[4]), ("B", D[4]))
    expected = [("A", D[0], D[4], "A"), ("B", D[0], None, "B"), ("C", D[5], None, "A")]
    assert nights.comes(("B", D[5]), ("C", D[5]), told=told) == expected
