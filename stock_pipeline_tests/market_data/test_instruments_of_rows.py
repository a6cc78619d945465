"""The instrument of each bar and of each report, by the symbol that they came under."""

from datetime import date

import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL
from stock_pipeline.market_data.symbol_history import BORNE, reporting_instruments, with_instruments
from stock_pipeline.market_data.tables import INSTRUMENT, SYMBOL_HISTORY

D = [date(2012, 1, day) for day in range(1, 20)]
REPORTED = "reported"
# OLD became NEW, and another company had borne NEW before and a third bears OLD now; ALONE has always been itself.
HISTORY = pl.DataFrame(
    [
        ("NEW", D[0], D[2], "NEW"),
        ("NEW", D[6], None, "OLD"),
        ("OLD", D[1], D[5], "OLD"),
        ("OLD", D[9], None, "OLD@9"),
        ("ALONE", D[3], D[8], "ALONE"),
    ],
    schema=SYMBOL_HISTORY.dtypes,
    orient="row",
).reverse()


def rows(*told: tuple[str, int], day: str = SESSION) -> pl.DataFrame:
    schema = {SYMBOL: pl.String, day: pl.Date, CLOSE: pl.Float64}
    return pl.DataFrame([(symbol, D[place], float(number)) for number, (symbol, place) in enumerate(told)], schema=schema, orient="row")


def test_a_bar_is_of_the_instrument_that_bore_its_symbol_on_the_session() -> None:
    told = rows(("OLD", 9), ("NEW", 0), ("ALONE", 9), ("OLD", 5), ("NEW", 2), ("OTHER", 0), ("NEW", 6), ("OLD", 1), ("ALONE", 0))
    found = with_instruments(told, HISTORY)
    assert found.columns == [*told.columns, INSTRUMENT]
    assert found.sort(CLOSE)[INSTRUMENT].to_list() == ["OLD@9", "NEW", "ALONE", "OLD", "NEW", "OTHER", "OLD", "OLD", "ALONE"]
    assert found.drop(INSTRUMENT).sort(CLOSE).equals(told)


@pytest.mark.parametrize("stray", [("NEW", 3), ("NEW", 5), ("OLD", 0), ("OLD", 6), ("OLD", 8)])
def test_a_bar_outside_of_every_period_of_a_symbol_of_several_is_nobody_s(stray: tuple[str, int]) -> None:
    assert with_instruments(rows(stray, ("NEW", 7)), HISTORY)[INSTRUMENT].to_list() == ["OLD"]


@pytest.mark.parametrize(
    ("symbol", "place", "instrument", "borne"),
    [
        ("OLD", 0, "OLD", False),  # before its first bar
        ("OLD", 1, "OLD", True),
        ("OLD", 5, "OLD", True),
        ("OLD", 6, "OLD@9", False),  # between two holders: the next one
        ("OLD", 9, "OLD@9", True),
        ("OLD", 15, "OLD@9", True),
        ("NEW", 2, "NEW", True),
        ("NEW", 3, "OLD", False),
        ("ALONE", 8, "ALONE", True),
        ("ALONE", 9, "ALONE", False),  # after the last one
        ("OTHER", 4, "OTHER", False),
    ],
)
def test_a_report_is_of_the_holder_of_its_symbol_or_else_of_the_next_or_the_last(
    symbol: str, place: int, instrument: str, borne: bool
) -> None:
    told = rows(("NEW", 7), (symbol, place), ("OLD", 4), ("OTHER", 0), day=REPORTED)
    found = reporting_instruments(told, HISTORY, REPORTED)
    assert found.columns == [*told.columns, INSTRUMENT, BORNE]
    assert found.sort(CLOSE).select(INSTRUMENT, BORNE).rows() == [("OLD", True), (instrument, borne), ("OLD", True), ("OTHER", False)]
