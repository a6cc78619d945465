"""Tables laid out for any width: figures are whole, what may be shortened is shortened in its order."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.command_line.layout import Column, LaidOut, day, figure, identifier, laid_out, words

COLUMNS = (identifier("symbol"), words("name"), day("trained as of"), figure("rows"), figure("rank IC"))
# letters of all sorts, wide ones among them, but no white space, which the place that prints has made into single spaces
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=40)
ROWS = st.lists(
    st.tuples(
        WORDS,
        WORDS,
        st.dates(date(1990, 1, 1), date(2030, 1, 1)).map(str),
        st.integers(-(10**12), 10**12).map("{:,}".format),
        st.floats(-10, 10).map("{:.4f}".format),
    ),
    min_size=1,
    max_size=4,
)


def lines(table: LaidOut) -> list[str]:
    return [line for block in table.blocks for line in block.rows]


@given(ROWS, st.integers(20, 200))
def test_no_figure_is_cut_at_any_width(rows: list[tuple[str, ...]], width: int) -> None:
    table = laid_out(COLUMNS, rows, width)
    for number, row in enumerate(rows):
        told = " ".join(block.rows[number] for block in table.blocks).split()
        assert row[3] in told and row[4] in told
        assert row[2] in told or row[2][5:] in told


@given(ROWS, st.integers(80, 200))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    from rich.cells import cell_len

    table = laid_out(COLUMNS, rows, width)
    assert max(cell_len(line) for block in table.blocks for line in (*block.header, *block.rows)) <= width


def one(width: int, columns: tuple[Column, ...] = COLUMNS) -> str:
    (line,) = lines(laid_out(columns, [("BRK.B", "Berkshire Hathaway", "2010-08-20", "117,974", "0.0061")], width))
    return line


def test_what_fits_is_shown_in_full_and_headers_wrap_before_anything_is_cut() -> None:
    assert one(70) == "BRK.B   Berkshire Hathaway  2010-08-20     117,974   0.0061"
    assert one(56) == "BRK.B   Berkshire Hathaway  2010-08-20  117,974   0.0061"


def test_names_give_way_first_then_years_then_identifiers() -> None:
    assert "Berkshire" in one(54) and "Berkshire Hathaway" not in one(54) and "2010-08-20" in one(54)
    assert "Berkshi…" in one(42) and "2010-08-20" not in one(42) and "08-20" in one(42)
    (line,) = lines(laid_out((identifier("model"), figure("rows")), [("a_model_of_a_long_name", "117,974")], 21))
    assert line.startswith("a_model_of_…") and line.endswith("117,974")


def test_the_widest_dates_lose_their_year_first() -> None:
    row = ("x" * 30, "2010-08-20", "2026-11-30 05:20")
    columns = (figure("id"), day("reached"), day("run"))
    table = laid_out(columns, [row], 58)
    assert "2010-08-20" in lines(table)[0] and " 11-30 05:20" in lines(table)[0] and table.without_years
    assert not laid_out(columns, [row], 60).without_years


def test_columns_that_find_no_room_stand_below_beside_the_keys() -> None:
    table = laid_out((identifier("symbol"), *map(figure, "abcdef")), [("AAA", *("1234567890",) * 6)], 40)
    assert len(table.blocks) > 1
    assert all(block.rows[0].startswith("AAA") for block in table.blocks)
    assert sum(line.count("1234567890") for line in lines(table)) == 6


@pytest.mark.parametrize("width", [1, 5, 80])
def test_a_table_without_rows_has_its_header(width: int) -> None:
    header = " ".join(word for block in laid_out(COLUMNS, [], width).blocks for line in block.header for word in line.split())
    assert {"symbol", "name", "rows"} <= set(header.split())
