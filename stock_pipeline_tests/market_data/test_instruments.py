from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import AS_OF, NAME, SECTOR, SESSION, SOURCE, SYMBOL
from stock_pipeline.market_data.instruments import Identities, ListingNews, found_delisted, identify
from stock_pipeline.market_data.sources.errors import NoDataError, ReportedDelistedError
from stock_pipeline.market_data.sources.source import INSTRUMENTS as TOLD
from stock_pipeline.market_data.symbol_history import RENAMES
from stock_pipeline.market_data.tables import CONTRACT, DELISTED_ON, INSTRUMENT, INSTRUMENTS, REASON, SYMBOL_HISTORY
from stock_pipeline_tests.factories.market_rows import DAYS

LATER = date(2014, 3, 3)  # more than a year after DAYS
SAID, SILENT = ReportedDelistedError.word, NoDataError.word


def about(symbol: str, source: str = "files", **particulars: str) -> dict[str, str]:
    return {SYMBOL: symbol, SOURCE: source} | particulars


class Nights:
    """What the tables would hold from one night to the next."""

    def __init__(self) -> None:
        self.held = Identities(SYMBOL_HISTORY.empty(), INSTRUMENTS.empty())
        self.last: dict[str, date] = {}

    def comes(
        self,
        night: date,
        *told: dict[str, str],
        bars: str = "",
        renames: tuple[tuple[str, str, date], ...] = (),
        delisted: Mapping[str, date] | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Bars of tonight for each letter of ``bars``; the instruments by name."""
        new = pl.DataFrame([(symbol, night) for symbol in bars], schema={SYMBOL: pl.String, SESSION: pl.Date}, orient="row")
        told_now = pl.DataFrame(told, schema=TOLD | {SOURCE: pl.String})
        renamed = pl.DataFrame(renames, schema=RENAMES, orient="row")
        self.held = identify(self.held, self.last, ListingNews(night, new, told_now, renamed, delisted or {}))
        self.last |= dict.fromkeys(bars, night)
        assert INSTRUMENTS.validate(self.held.instruments).equals(self.held.instruments)
        return {row[INSTRUMENT]: row for row in self.held.instruments.to_dicts()}


@pytest.fixture
def nights() -> Nights:
    return Nights()


def test_what_is_not_told_now_stays_as_it_was_held(nights: Nights) -> None:
    nights.comes(DAYS[0], about("A", name="Able", sector="Energy", contract="7"), about("B", name="Baker"), bars="AB")
    found = nights.comes(DAYS[1], about("A", "yahoo", name="Able Inc", exchange="NYSE"), bars="A")
    nothing = dict.fromkeys([*TOLD, DELISTED_ON])
    able = {NAME: "Able Inc", "exchange": "NYSE", SECTOR: "Energy", CONTRACT: "7", SOURCE: "yahoo"}
    assert found["A"] == nothing | able | {INSTRUMENT: "A", SYMBOL: "A"}
    assert found["B"] == nothing | {INSTRUMENT: "B", SYMBOL: "B", NAME: "Baker", SOURCE: "files"}


def test_a_night_that_tells_nothing_changes_nothing(nights: Nights) -> None:
    before = nights.comes(DAYS[0], about("A", name="Able"), about("B"), bars="AB")
    assert nights.comes(DAYS[1]) == before


def test_an_instrument_of_which_nobody_has_told_is_left_for_later(nights: Nights) -> None:
    assert nights.comes(DAYS[0], about("A"), bars="AB").keys() == {"A"}
    assert nights.comes(DAYS[1], about("B", name="Baker"))["B"][NAME] == "Baker"


def test_after_a_rename_the_particulars_follow_the_instrument_to_its_new_symbol(nights: Nights) -> None:
    nights.comes(DAYS[0], about("A", name="Able", sector="Energy"), bars="A")
    found = nights.comes(DAYS[1], about("B", name="Abler"), bars="B", renames=(("A", "B", DAYS[1]),))
    assert found.keys() == {"A"}
    assert (found["A"][SYMBOL], found["A"][NAME], found["A"][SECTOR]) == ("B", "Abler", "Energy")


def test_a_rename_shows_in_the_contract_number(nights: Nights) -> None:
    nights.comes(DAYS[0], about("A", contract="7"), about("C", contract="8"), bars="AC")
    found = nights.comes(DAYS[1], about("B", contract="7"), about("C", contract="8"), bars="BC")
    assert {name: row[SYMBOL] for name, row in found.items()} == {"A": "B", "C": "C"}
    assert nights.held.history.rows() == [("A", DAYS[0], DAYS[0], "A"), ("B", DAYS[1], None, "A"), ("C", DAYS[0], None, "C")]


def test_a_rename_of_a_session_to_come_waits_for_it(nights: Nights) -> None:
    nights.comes(DAYS[0], about("A"), bars="A")
    told = (("A", "B", DAYS[2]),)
    assert nights.comes(DAYS[1], bars="A", renames=told)["A"][SYMBOL] == "A"
    assert nights.comes(DAYS[2], renames=told)["A"][SYMBOL] == "B"


def test_what_is_said_of_a_symbol_goes_to_its_present_holder(nights: Nights) -> None:
    nights.comes(DAYS[0], about("A", name="Able"), bars="A")
    found = nights.comes(LATER, about("A", name="Another"), bars="A")
    assert {name: row[NAME] for name, row in found.items()} == {"A": "Able", f"A@{LATER}": "Another"}
    assert {row[SYMBOL] for row in found.values()} == {"A"}
    assert {row[DELISTED_ON] for row in found.values()} == {None}  # nobody has said so of the first


def test_what_is_said_of_a_symbol_given_up_goes_to_nobody_but_who_took_it(nights: Nights) -> None:
    nights.comes(DAYS[0], about("A", name="Able"), bars="A")
    nights.comes(DAYS[1], bars="B", renames=(("A", "B", DAYS[1]),))
    assert nights.comes(DAYS[2], about("A", name="Who"))["A"][NAME] == "Able"
    taken = nights.comes(DAYS[3], about("A", name="Another"), bars="A")
    assert {name: (row[SYMBOL], row[NAME]) for name, row in taken.items()} == {"A": ("B", "Able"), f"A@{DAYS[3]}": ("A", "Another")}


def test_a_delisting_bears_the_night_on_which_it_was_first_found(nights: Nights) -> None:
    nights.comes(DAYS[0], about("A"), about("B"), bars="AB")
    found = nights.comes(DAYS[3], bars="B", delisted={"A": DAYS[0]})
    assert {name: row[DELISTED_ON] for name, row in found.items()} == {"A": DAYS[3], "B": None}
    assert nights.held.history.rows() == [("A", DAYS[0], DAYS[0], "A"), ("B", DAYS[0], None, "B")]
    assert nights.comes(DAYS[4], delisted={"A": DAYS[0]})["A"][DELISTED_ON] == DAYS[3]
    assert nights.comes(DAYS[5], about("A", name="Able"))["A"][DELISTED_ON] == DAYS[3]


def test_a_delisting_is_forgotten_once_the_symbol_trades_again(nights: Nights) -> None:
    nights.comes(DAYS[0], about("A"), bars="A")
    nights.comes(DAYS[2], delisted={"A": DAYS[0]})
    assert nights.comes(DAYS[3], bars="A")["A"][DELISTED_ON] is None
    assert nights.comes(DAYS[5], delisted={"A": DAYS[3]})["A"][DELISTED_ON] == DAYS[5]


def test_another_company_under_the_symbol_of_a_delisted_one_leaves_it_delisted(nights: Nights) -> None:
    nights.comes(DAYS[0], about("A"), bars="A")
    nights.comes(DAYS[2], delisted={"A": DAYS[0]})
    found = nights.comes(LATER, about("A"), bars="A")
    assert {name: row[DELISTED_ON] for name, row in found.items()} == {"A": DAYS[2], f"A@{LATER}": None}


def said(*rows: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={SYMBOL: pl.String, REASON: pl.String}, orient="row")


def on(night: date, failures: pl.DataFrame) -> pl.DataFrame:
    return failures.with_columns(pl.lit(night).alias(AS_OF))


def test_what_was_said_on_a_night_whose_bar_came_after_all_does_not_count() -> None:
    failures = said(("A", SAID))
    assert found_delisted(failures, on(DAYS[1], failures), traded(), {"A": DAYS[1]}) == {}
    assert found_delisted(failures, on(DAYS[2], failures), traded(), {"A": DAYS[1]}) == {"A": DAYS[1]}


def test_bars_of_the_past_told_again_keep_no_symbol_alive() -> None:
    failures, again = said(("A", SAID)), pl.DataFrame({SYMBOL: ["A"], SESSION: [DAYS[1]]})
    assert found_delisted(failures, on(DAYS[2], failures), again, {"A": DAYS[1]}) == {"A": DAYS[1]}


def traded(*symbols: str) -> pl.DataFrame:
    return pl.DataFrame({SYMBOL: symbols, SESSION: [DAYS[2]] * len(symbols)}, schema={SYMBOL: pl.String, SESSION: pl.Date})


@pytest.mark.parametrize(
    ("tonight", "earlier", "bars", "expected"),
    [
        pytest.param([("A", SAID)], [("A", SAID), ("A", SAID)], "", {"A": DAYS[1]}, id="said on two nights"),
        pytest.param([("A", SAID), ("A", SAID)], [], "", {}, id="said tonight alone, if by two sources"),
        pytest.param([], [("A", SAID), ("A", SAID)], "", {}, id="said earlier alone"),
        pytest.param([("A", SAID)], [("B", SAID)], "", {}, id="said of another symbol earlier"),
        pytest.param([("A", SAID)], [("A", SILENT)], "", {}, id="another reason earlier"),
        pytest.param([("A", SILENT)], [("A", SAID)], "", {}, id="another reason tonight"),
        pytest.param([("A", SAID)], [("A", SAID)], "A", {}, id="it trades tonight"),
        pytest.param([("A", SAID)], [("A", SAID)], "B", {"A": DAYS[1]}, id="another trades tonight"),
        pytest.param([("X", SAID)], [("X", SAID)], "", {}, id="never held"),
        pytest.param([("B", SAID), ("A", SAID)], [("A", SAID), ("B", SAID)], "", {"A": DAYS[1], "B": DAYS[0]}, id="two symbols"),
    ],
)
def test_a_delisting_is_believed_when_said_on_two_nights_of_a_symbol_without_bars(
    tonight: list[tuple[str, str]], earlier: list[tuple[str, str]], bars: str, expected: dict[str, date]
) -> None:
    assert found_delisted(said(*tonight), on(DAYS[2], said(*earlier)), traded(*bars), {"A": DAYS[1], "B": DAYS[0]}) == expected


def test_a_delisting_is_that_of_the_present_holder() -> None:
    nights = Nights()
    nights.comes(DAYS[0], about("A"), bars="A")
    nights.comes(LATER, about("A"), bars="A")
    found = nights.comes(date(2014, 3, 5), delisted={"A": LATER})
    assert {name: row[DELISTED_ON] for name, row in found.items()} == {"A": None, f"A@{LATER}": date(2014, 3, 5)}
