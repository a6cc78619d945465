from datetime import date

import polars as pl
import pytest

from stock_pipeline.core.columns import SYMBOL
from stock_pipeline.market_data.membership import as_named_then, member_periods
from stock_pipeline.market_data.symbol_history import RENAMES
from stock_pipeline.market_data.tables import SYMBOL_HISTORY, UNIVERSE_MEMBERS

D = [date(2012, 1, day) for day in range(1, 29)]
Period = tuple[str, date, date | None]


def periods(members: list[Period], *history: tuple[str, date, date | None, str]) -> list[Period]:
    listed = pl.DataFrame(members, schema=UNIVERSE_MEMBERS.dtypes, orient="row")
    return member_periods(listed, pl.DataFrame(history, schema=SYMBOL_HISTORY.dtypes, orient="row")).rows()


RENAMED = (("FB", D[5], D[9], "FB"), ("META", D[10], None, "FB"))


def test_a_list_may_use_the_symbols_of_their_time() -> None:
    members: list[Period] = [("FB", D[6], D[9]), ("META", D[10], None), ("IBM", D[0], D[3])]
    assert periods(members, *RENAMED) == [("FB", D[6], D[9]), ("FB", D[10], None), ("IBM", D[0], D[3])]


def test_a_list_may_use_today_s_symbols_or_keep_the_old_one() -> None:
    assert periods([("META", D[6], D[20])], *RENAMED) == [("FB", D[6], D[20])]
    assert periods([("FB", D[6], None)], *RENAMED) == [("FB", D[6], None)]


def test_a_symbol_given_to_another_company_means_each_in_its_time() -> None:
    reused = (("GM", D[2], D[8], "GM"), ("GM", D[14], None, "GM@2012-01-15"))
    assert periods([("GM", D[0], None)], *reused) == [("GM", D[0], D[8]), ("GM@2012-01-15", D[9], None)]
    assert periods([("GM", D[3], D[5]), ("GM", D[16], D[17])], *reused) == [("GM", D[3], D[5]), ("GM@2012-01-15", D[16], D[17])]
    assert periods([("GM", D[10], D[12])], *reused) == [("GM@2012-01-15", D[10], D[12])]  # of the one that comes next


def test_a_symbol_passed_on_by_a_rename_means_the_one_that_bears_it() -> None:
    alcoa = (("AA", D[0], D[9], "AA"), ("ARNC", D[10], None, "AA"), ("AA", D[10], None, "AA@2012-01-11"))
    assert periods([("AA", D[0], None), ("ARNC", D[10], None)], *alcoa) == [
        ("AA", D[0], D[9]),
        ("AA", D[10], None),
        ("AA@2012-01-11", D[10], None),
    ]


def test_a_symbol_without_a_history_is_an_instrument_of_its_own() -> None:
    assert periods([("XYZ", D[1], None)]) == [("XYZ", D[1], None)]
    assert member_periods(UNIVERSE_MEMBERS.empty(), SYMBOL_HISTORY.empty()).columns[0] != SYMBOL


def test_a_list_made_later_may_name_a_company_by_a_symbol_to_come() -> None:
    listed = pl.DataFrame(
        [("CBRE", D[0], None), ("LAST", D[2], D[9]), ("IBM", D[0], None), ("TAKEN", D[3], None)],
        schema=UNIVERSE_MEMBERS.dtypes,
        orient="row",
    )
    told = [("CBG", "CBRE", D[20]), ("ONE", "TWO", D[21]), ("TWO", "LAST", D[22]), ("X", "TAKEN", D[23]), ("IBM", "BIM", D[24])]
    renames = pl.DataFrame(told, schema=RENAMES, orient="row")
    borne = {"CBG", "ONE", "IBM", "X", "TAKEN"}
    assert as_named_then(listed, renames, D[19], borne)[SYMBOL].to_list() == ["CBG", "ONE", "IBM", "TAKEN"]
    assert as_named_then(listed, renames, D[21], borne)[SYMBOL].to_list() == ["CBRE", "TWO", "IBM", "TAKEN"]
    assert as_named_then(listed, renames, D[24], borne).equals(listed)
    twice = pl.concat([listed, listed.head(1).with_columns(symbol=pl.lit("CBG"), last_session=pl.lit(D[5]))])
    assert as_named_then(twice, renames, D[19], borne).filter(pl.col(SYMBOL) == "CBG").rows() == [("CBG", D[0], D[5])]


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_later_renames_of_one_day_are_undone_together(order: tuple[str, str]) -> None:
    become = {"A": "B", "B": "C"}
    renames = pl.DataFrame([(old, become[old], D[20]) for old in order], schema=RENAMES, orient="row")
    listed = pl.DataFrame([("B", D[0], None), ("C", D[0], None)], schema=UNIVERSE_MEMBERS.dtypes, orient="row")
    assert as_named_then(listed, renames, D[19], ())[SYMBOL].to_list() == ["A", "B"]
