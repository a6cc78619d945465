from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.side_files import matching_files
from stock_pipeline.market_data.sources.tabular import Column, find_columns, read_columns, read_table

WHO = Column(SYMBOL, pl.String, ("symbol", "ticker"), needed=True)
DAY = Column(SESSION, pl.Date, ("date",), ("time",), needed=True)
COUNT = Column("count", pl.Float64, ("count", "adjcount"))
COLOUR = Column("colour", pl.String, ("colour",), words={"red": "R", "dark blue": "B"})
REMARK = Column("remark", pl.String, ("remark",))
AUGUST = date(2010, 8, 20)


def written(folder: Path, text: str, name: str = "some.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, *columns: Column) -> str:
    with pytest.raises(InputError) as caught:
        read_columns(path, columns)
    return str(caught.value).removeprefix(f"{path}: ")


def test_doubtful_dates_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = written(tmp_path, "ticker,date\nA,01/04/2010\nA,01/05/2010\n")
    told = "column date has '01/04/2010', and nothing in the file tells the day from the month; write dates such as 2010-08-20"
    assert refusal(path, WHO, DAY) == told
    assert read_columns(written(tmp_path, "ticker,date\nA,01/04/2010\nA,01/15/2010\n"), [WHO, DAY])[SESSION].to_list() == [
        date(2010, 1, 4),
        date(2010, 1, 15),
    ]


def test_an_empty_column_has_its_type(tmp_path: Path) -> None:
    path = written(tmp_path, "ticker,date,count,colour\nA,,,\n")
    frame = read_columns(path, [WHO, DAY, COUNT, COLOUR, REMARK])
    assert frame.rows() == [("A", None, None, None, None)]
    assert frame.dtypes == [pl.String, pl.Date, pl.Float64, pl.String, pl.String]
    assert read_columns(written(tmp_path, "ticker,date\n"), [WHO, DAY, COUNT]).shape == (0, 3)


def test_second_best_names_count_only_where_there_is_no_other(tmp_path: Path) -> None:
    both = read_table(written(tmp_path, "time,ticker,Date\n"))
    assert find_columns(both, [WHO, DAY]) == {SYMBOL: "ticker", SESSION: "Date"}
    assert find_columns(read_table(written(tmp_path, "time,ticker\n")), [WHO, DAY]) == {SYMBOL: "ticker", SESSION: "time"}


def test_names_are_known_without_their_signs_but_not_in_percent(tmp_path: Path) -> None:
    assert find_columns(read_table(written(tmp_path, "<TICKER>,Adj. Count*\n")), [WHO, COUNT]) == {
        SYMBOL: "<TICKER>",
        "count": "Adj. Count*",
    }
    assert find_columns(read_table(written(tmp_path, "ticker,count %\n")), [WHO, COUNT]) == {SYMBOL: "ticker"}


def test_words_are_known_in_any_case_and_others_refused_with_those_to_choose_from(tmp_path: Path) -> None:
    path = written(tmp_path, "colour\nRED\n Dark Blue \nn/a\nNA\n")
    assert refusal(path, COLOUR) == "column colour has 'n/a' in line 4, which is none of red, dark blue"
    path = written(tmp_path, "colour\nRED\n Dark Blue \nNA\n")
    assert read_columns(path, [COLOUR])["colour"].to_list() == ["R", "B", None]


def test_text_is_stripped_and_a_symbol_is_never_a_word_for_nothing(tmp_path: Path) -> None:
    frame = read_columns(written(tmp_path, "ticker,remark\n NA ,  much ado \nB,NA\n"), [WHO, REMARK])
    assert frame.rows() == [("NA", "much ado"), ("B", None)]


def test_a_cell_that_must_be_filled_is_named_when_it_is_empty(tmp_path: Path) -> None:
    who = Column(SYMBOL, pl.String, ("symbol",), needed=True, filled=True)
    when = Column(SESSION, pl.Date, ("date",), filled=True)
    path = written(tmp_path, "symbol,date\nA,2010-08-20\nB,\n")
    assert refusal(path, who, when) == "column date is empty in line 3; fill it in or leave the row out"
    assert refusal(written(tmp_path, "symbol\nA\n"), who, when) == "column date is empty in line 2; fill it in or leave the row out"


def test_a_row_of_empty_cells_is_left_out(tmp_path: Path) -> None:
    assert read_columns(written(tmp_path, "ticker,count\n,\nA,1\n\n,\n"), [WHO, COUNT]).rows() == [("A", 1.0)]


@pytest.mark.parametrize(
    ("name", "separator"), [("a.csv", ","), ("a.csv", ";"), ("a.txt", "\t"), ("a.tsv", "\t"), ("a.csv", "|"), ("a.parquet", None)]
)
def test_a_table_knows_what_separates_its_cells(tmp_path: Path, name: str, separator: str | None) -> None:
    path = tmp_path / name
    frame = pl.DataFrame({"ticker": ["A"], "count": ["1"]})
    if separator is None:
        frame.write_parquet(path)
    else:
        frame.write_csv(path, separator=separator)
    table = read_table(path)
    assert table.separator == separator
    assert table.frame.equals(frame)


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        (
            DAY,
            pl.Series([11_000_000], dtype=pl.Int32).cast(pl.Date),
            "column date has '+32086-12-23' in row 1, which is not a date such as",
        ),
        (DAY, pl.Series([True]), "column date is of type Boolean, which does not fit"),
        (COUNT, pl.Series([AUGUST]), "column count is of type Date, which does not fit"),
        (COLOUR, pl.Series([1.5]), "column colour is of type Float64, which does not fit"),
    ],
)
def test_a_parquet_cell_that_does_not_fit_is_named(tmp_path: Path, column: Column, values: pl.Series, told: str) -> None:
    path = tmp_path / "some.parquet"
    values.alias(column.names[0]).to_frame().write_parquet(path)
    assert refusal(path, column).startswith(told)


@pytest.mark.parametrize(
    ("column", "value", "read"),
    [
        (DAY, datetime(2010, 8, 20, 16), AUGUST),
        (DAY, 20100820, AUGUST),
        (DAY, "Aug 20, 2010", AUGUST),
        (COUNT, 3, 3.0),
        (COUNT, float("nan"), None),
        (COUNT, "1,234.5", 1234.5),
        (REMARK, 265598, "265598"),
    ],
    ids=str,
)
def test_a_parquet_cell_may_be_of_another_type_that_means_the_same(tmp_path: Path, column: Column, value: Any, read: Any) -> None:
    path = tmp_path / "some.parquet"
    pl.DataFrame({column.names[0]: [value]}).write_parquet(path)
    frame = read_columns(path, [column])
    assert frame.rows() == [(read,)]
    assert frame.dtypes == [column.dtype]


def test_files_are_found_in_the_order_of_their_names_or_the_setting_is_named(tmp_path: Path) -> None:
    paths = [written(tmp_path, "", name) for name in ("b.csv", "a.csv")]
    (tmp_path / "c.csv").mkdir()
    assert matching_files(f"{tmp_path}/*.csv", "setting here") == sorted(paths)
    with pytest.raises(InputError) as caught:
        matching_files("nowhere/*.csv", "setting here")
    assert str(caught.value) == "setting here 'nowhere/*.csv' matches no file; give a CSV or Parquet file or a glob"


def test_an_empty_file_is_refused_in_the_words_of_its_reader(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    with pytest.raises(InputError, match="is empty; give a file with a header and bars"):
        read_table(path, "bars")
    assert refusal(path, WHO) == f"{path} is empty; give a file with a header and rows"
