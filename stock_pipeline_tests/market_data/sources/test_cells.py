from datetime import date

import polars as pl
import pytest

from stock_pipeline.market_data.sources.cells import both_readings, dates, doubtful_date, doubtful_number, numbers, sure_signs

AUGUST = date(2010, 8, 20)


@pytest.mark.parametrize(
    "text",
    [
        "2010-08-20",
        "2010/8/20",
        "2010.08.20",
        "20100820",
        "08/20/2010",
        "8/20/2010",
        "8-20-2010",
        "20/08/2010",
        "20.8.2010",
        "20-Aug-2010",
        "20 August 2010",
        "20-AUG-10",
        "Aug 20, 2010",
        "August 20 2010",
        "2010-08-20T00:00:00-04:00",
        "2010-08-20 16:00",
        "8/20/2010 16:00:00",
        "8/20/2010 4:00:00 PM",
        "  2010-08-20 ",
    ],
)
def test_a_date_may_be_written_in_the_usual_ways(text: str) -> None:
    assert dates(pl.Series([text])).to_list() == [AUGUST]


@pytest.mark.parametrize("text", ["yesterday", "2010-02-30", "8/20/10", "0010-08-20", "10-08-20", "1282262400", "2010-08", "16:00"])
def test_what_is_no_date_is_not_made_one(text: str) -> None:
    assert dates(pl.Series([text])).to_list() == [None]


def test_dates_of_one_column_are_read_in_the_format_that_reads_most() -> None:
    assert dates(pl.Series(["03/01/2010", "04/01/2010", None, "13/01/2010"])).to_list() == [
        date(2010, 1, 3),
        date(2010, 1, 4),
        None,
        date(2010, 1, 13),
    ]
    assert dates(pl.Series(["03/01/2010", "01/13/2010", "x"])).to_list() == [date(2010, 3, 1), date(2010, 1, 13), None]
    assert dates(pl.Series([None], dtype=pl.String)).to_list() == [None]


@pytest.mark.parametrize(
    ("texts", "doubtful"),
    [
        (["03/04/2010"], "03/04/2010"),
        (["05/05/2010", "04/03/2010", "03/04/2010"], "03/04/2010"),
        (["03/04/2010", "13/04/2010"], None),
        (["03/04/2010", "04/13/2010"], None),
        (["05/05/2010", "6/6/2010"], None),  # the same day either way
        (["2010-03-04"], None),
        (["3 Apr 2010"], None),
        (["03/04/2010", "never"], None),  # refused for another reason
        ([None], None),
    ],
)
def test_a_date_is_doubtful_when_nothing_tells_day_from_month(texts: list[str | None], doubtful: str | None) -> None:
    assert doubtful_date(pl.Series(texts, dtype=pl.String)) == doubtful


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12.0),
        (" 12.5 ", 12.5),
        ("-1e3", -1000.0),
        ("1,234.5", 1234.5),
        ("-1,234,567", -1234567.0),
        ("12,345", 12345.0),
        ("$12.3", 12.3),
        ("-$12.3", -12.3),
        ("$-12.3", -12.3),
        ("$ 1,234.50", 1234.5),
        ("€5", 5.0),
        ("67.94M", 67.94e6),
        ("1.2B", 1.2e9),
        ("900K", 900e3),
        ("inf", float("inf")),
        ("12,34", None),
        ("1 234 567", 1234567.0),
        ("1\u00a0234.5", 1234.5),
        ("1'234", 1234.0),
        ("1 23", None),
        ("1,2345", None),
        ("1234,567", None),
        (",123", None),
        ("1.234,5", None),
        ("12%", None),
        ("ten", None),
        ("M", None),
        ("$", None),
    ],
)
def test_a_number_may_be_written_in_the_usual_ways(text: str, number: float | None) -> None:
    assert numbers(pl.Series(["1", text])).to_list() == pytest.approx([1.0, number])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10,0", 10.0),
        ("-1,5", -1.5),
        (",5", 0.5),
        ("12", 12.0),
        ("1.234", 1234.0),
        ("1.234,5", 1234.5),
        ("1.234.567", 1234567.0),
        ("1 234,5", 1234.5),
        ("1\u00a0234\u00a0567,25", 1234567.25),
        ("1'234,5", 1234.5),
        ("1\u2019234", 1234.0),
        ("€12,50", 12.5),
        ("67,94M", 67.94e6),
        ("inf", float("inf")),
        ("10.5", None),
        ("1.2345", None),
        ("1,234,567", None),
        ("1,234.5", None),
    ],
)
def test_a_number_may_have_a_decimal_comma(text: str, number: float | None) -> None:
    assert numbers(pl.Series(["1", None, text]), ",").to_list() == pytest.approx([1.0, None, number])


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("10.5", {"."}),
        ("10.25", {"."}),
        ("1.2345", {"."}),
        ("0.125", {"."}),
        (".125", {"."}),
        ("1234.500", {"."}),
        ("1,234.5", {"."}),
        ("1,234,567", {"."}),
        ("1 234.500", {"."}),
        ("$10.5", {"."}),
        ("1.5e3", {"."}),
        ("10,5", {","}),
        ("1.234,567", {","}),
        ("1.234.567", {","}),
        ("0,125", {","}),
        ("67,9M", {","}),
        ("10,500", set()),
        ("10.500", set()),
        ("10500", set()),
        ("1 234", set()),
        ("1.2.3", set()),
        ("ten", set()),
    ],
)
def test_some_numbers_tell_what_the_decimal_sign_is(text: str, signs: set[str]) -> None:
    assert sure_signs(pl.Series(["7", None, text])) == signs


@pytest.mark.parametrize(
    ("texts", "doubtful"),
    [
        (["10,500", "7"], "10,500"),
        (["10.500", None, "11.500"], "10.500"),
        (["$10,500"], "$10,500"),
        (["10,500", "10,5"], None),
        (["0.500"], None),
        (["1234,500"], None),
        (["7"], None),
        ([None], None),
    ],
)
def test_a_number_is_doubtful_where_all_with_a_sign_may_be_read_in_two_ways(texts: list[str | None], doubtful: str | None) -> None:
    assert doubtful_number(pl.Series(texts, dtype=pl.String)) == doubtful


@pytest.mark.parametrize("doubtful", ["10,500", "10.500", "$10,500"])
def test_both_readings_of_a_doubtful_number_are_told(doubtful: str) -> None:
    assert both_readings(doubtful) == "10500 or 10.5000"


def test_a_number_far_below_the_others_may_be_the_one_that_tells() -> None:
    assert sure_signs(pl.Series(["10.500"] * 2000 + ["10.5"])) == {"."}
    assert sure_signs(pl.Series(["10.5"] * 2000 + ["10,5"])) == {".", ","}
