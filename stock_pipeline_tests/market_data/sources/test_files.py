import gzip
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from stock_pipeline.core.columns import ADJ_CLOSE, CLOSE, OPEN, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.catalogue import open_source
from stock_pipeline.market_data.sources.errors import NoDataError, UnknownSymbolError
from stock_pipeline.market_data.sources.files import FilesSource, SideFiles
from stock_pipeline.market_data.sources.source import (
    ACTIONS,
    BARS,
    FUNDAMENTALS,
    INSTRUMENTS,
    Request,
)
from stock_pipeline.market_data.sources.tabular import SYMBOL_LIMIT
from stock_pipeline.settings import SourceSettings
from stock_pipeline_tests.factories.bar_files import BAR, HEADER, NO_SYMBOL, ROW, csv, fetched, given, parquet, refusal


def test_a_csv_file_is_read_with_the_types_of_a_bar(tmp_path: Path) -> None:
    bars = fetched(csv(tmp_path, ROW))
    assert bars.schema == pl.Schema(BARS)
    assert bars.rows() == [BAR]


def test_a_packed_csv_file_and_a_parquet_file_give_the_same(tmp_path: Path) -> None:
    packed = tmp_path / "bars.csv.gz"
    packed.write_bytes(gzip.compress(csv(tmp_path, ROW).read_bytes()))
    assert fetched(packed).rows() == fetched(parquet(tmp_path)).rows() == [BAR]


def test_a_glob_brings_every_file_in_the_order_of_the_names(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name, symbol in [("b.csv", "B"), ("a.csv", "A"), ("deep/c.csv", "C"), ("notes.txt.bak", "Z")]:
        csv(tmp_path, ROW.replace("A", symbol), name=name)
    assert fetched(tmp_path / "*.csv")[SYMBOL].to_list() == ["A", "B"]
    assert fetched(tmp_path / "**" / "*.csv")[SYMBOL].to_list() == ["A", "B", "C"]
    parquet(tmp_path)
    assert fetched(tmp_path / "*.[cp]*").height == 3
    (tmp_path / "empty.csv").write_text(HEADER + "\n", encoding="utf-8")
    assert fetched(tmp_path / "*.csv").height == 2  # one of several may hold nothing yet


def test_what_a_shell_might_take_for_a_pattern_is_found_in_a_folder_of_that_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    assert fetched(csv(folder, ROW)).height == 1


@pytest.mark.parametrize(
    "header",
    [
        "Symbol,Date,Open,High,Low,Close,Volume",
        "TICKER,SESSION,OPEN,HIGH,LOW,CLOSE,VOLUME",
        " ticker , date ,open,high,low,close, volume",
        '"symbol","date","open","high","low","close","volume"',
        "\ufeffsymbol,date,open,high,low,close,volume",
        "Ticker,Datetime,O,H,L,C,V",
        "Ticker,Timestamp,Open,High,Low,Price,Vol.",
        "<TICKER>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
        "Symbol,Date,Open,High,Low,Close/Last,Volume",
    ],
)
def test_columns_are_known_by_their_usual_names_in_any_case(tmp_path: Path, header: str) -> None:
    assert fetched(csv(tmp_path, ROW, header=header)).rows() == [BAR]


@pytest.mark.parametrize("name", ["adj_close", "Adj Close", "Adj. Close", "AdjClose", "Adj Close**", "adjusted close", "Adjusted_Close"])
def test_an_adjusted_close_is_known_by_its_usual_names(tmp_path: Path, name: str) -> None:
    bars = fetched(csv(tmp_path, f"{ROW},5.25", header=f"{HEADER},{name}"))
    assert bars[ADJ_CLOSE].to_list() == [5.25]


def test_columns_may_come_in_any_order_and_unknown_ones_are_passed_over(tmp_path: Path) -> None:
    header = "volume,close,low,remark,high,open,date,symbol,captured"
    bars = fetched(csv(tmp_path, "100,10.5,9,hello,11,10,2010-01-04,A,2010-01-06", header=header))
    assert bars.rows() == [(*BAR[:-1], date(2010, 1, 6))]


@pytest.mark.parametrize(
    "day",
    ["2010-01-04", "20100104", "2010/01/04", "4-Jan-2010", "Jan 4, 2010", " 2010-01-04 ", "2010-01-04T00:00:00-05:00", "2010-01-04 16:00"],
)
def test_dates_are_read_in_the_usual_ways_of_writing_them(tmp_path: Path, day: str) -> None:
    assert fetched(csv(tmp_path, ROW.replace("2010-01-04", f'"{day}"')))[SESSION].to_list() == [date(2010, 1, 4)]


def test_a_file_s_dates_are_all_read_in_one_format(tmp_path: Path) -> None:
    days = ["01/03/2010", "01/13/2010", "13/01/2010"]
    message = refusal(csv(tmp_path, *(ROW.replace("2010-01-04", day) for day in days)))
    assert "column date has '13/01/2010' in line 4, which is not a date such as 2010-08-20" in message


@pytest.mark.parametrize(
    "values",
    [
        [date(2010, 1, 4)],
        [datetime(2010, 1, 4, 16)],
        [datetime(2010, 1, 4, tzinfo=ZoneInfo("Asia/Tokyo"))],
        [datetime(2010, 1, 4, 23, tzinfo=ZoneInfo("America/New_York"))],
        [20100104],
        ["2010-01-04"],
    ],
    ids=str,
)
def test_a_parquet_file_may_hold_dates_of_any_type(tmp_path: Path, values: list[Any]) -> None:
    assert fetched(parquet(tmp_path, date=values)).rows() == [BAR]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("open", pl.Series(["10"])),
        ("open", pl.Series([10], dtype=pl.Int32)),
        ("open", pl.Series(["10.00"]).cast(pl.Decimal(10, 2))),
        ("symbol", pl.Series(["A"], dtype=pl.Categorical)),
    ],
    ids=str,
)
def test_a_parquet_file_may_hold_other_types_that_mean_the_same(tmp_path: Path, name: str, values: pl.Series) -> None:
    assert fetched(parquet(tmp_path, **{name: values})).rows() == [BAR]


@pytest.mark.parametrize("word", ["", "null", "NULL", "None", "nan", "NaN", "NA", "N/A", "#N/A", "-"])
def test_a_cell_that_says_nothing_is_null(tmp_path: Path, word: str) -> None:
    bars = fetched(csv(tmp_path, f"A,{word},10,11,9,{word},100,{word}", header=f"{HEADER},adj_close"))
    assert bars.row(0) == ("A", None, 10.0, 11.0, 9.0, None, 100.0, None, "raw", None, None)


def test_a_company_may_trade_under_a_word_that_says_nothing_elsewhere(tmp_path: Path) -> None:
    assert fetched(csv(tmp_path, ROW.replace("A", "NA"), ROW.replace("A", "NULL")))[SYMBOL].to_list() == ["NA", "NULL"]


def test_odd_figures_are_passed_on_for_the_quality_rules_to_judge(tmp_path: Path) -> None:
    bars = fetched(csv(tmp_path, "A,2010-01-04,-1,inf,0,1e300,0"))
    assert bars.select(OPEN, CLOSE, VOLUME).row(0) == (-1.0, 1e300, 0.0)
    assert bars["high"][0] == float("inf")
    assert fetched(parquet(tmp_path, open=[float("nan")]))[OPEN].to_list() == [None]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("A,2010-01-04,ten,11,9,10,100", "column open has 'ten' in line 3, which is not a number"),
        ('A,2010-01-04,10,11,9,10,"1,00"', "column volume has '1,00' in line 3, which is not a number"),
        ("A,2010-01-04,10,11,9,10%,100", "column close has '10%' in line 3, which is not a number"),
        ("A,yesterday,10,11,9,10,100", "column date has 'yesterday' in line 3, which is not a date such as 2010-08-20"),
        ("A,2010-02-30,10,11,9,10,100", "column date has '2010-02-30' in line 3, which is not a date such as 2010-08-20"),
        ("A,0000-01-04,10,11,9,10,100", "column date has '0000-01-04' in line 3, which is not a date such as 2010-08-20"),
    ],
)
def test_a_bad_value_is_named_with_its_file_column_and_row(tmp_path: Path, row: str, told: str) -> None:
    path = csv(tmp_path, ROW, row)
    assert refusal(path) == f"{path}: {told}"


def test_a_bad_value_is_found_in_the_file_that_holds_it(tmp_path: Path) -> None:
    csv(tmp_path, ROW, name="a.csv")
    bad = csv(tmp_path, ROW.replace("10.5", "x"), name="b.csv")
    assert refusal(tmp_path / "*.csv").startswith(f"{bad}: column close has 'x' in line 2")


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("date", [20101350], "column date has 20101350 in row 1, which is not a date such as 2010-08-20"),
        ("date", [40000.0], "column date is of type Float64, which does not fit"),
        ("open", [True], "column open is of type Boolean, which does not fit"),
        ("open", [date(2010, 1, 4)], "column open is of type Date, which does not fit"),
        ("open", [[1.0]], "column open is of type List(Float64), which does not fit"),
        ("symbol", [b"A"], "column symbol is of type Binary, which does not fit"),
        ("symbol", [1.5], "column symbol is of type Float64, which does not fit"),
    ],
)
def test_a_column_of_a_parquet_file_that_does_not_fit_is_named(tmp_path: Path, name: str, values: list[Any], told: str) -> None:
    path = parquet(tmp_path, **{name: values})
    assert refusal(path) == f"{path}: {told}"


def test_missing_columns_are_named_as_users_call_them(tmp_path: Path) -> None:
    path = csv(tmp_path, "A,10,11,9,10", header="symbol,open,high,low,close")
    assert refusal(path) == f"{path}: column date, volume is missing; it has symbol, open, high, low, close"
    nameless = csv(tmp_path, "1", header="price")
    assert refusal(nameless) == f"{nameless}: column symbol, date, open, high, low, volume is missing; it has price; {NO_SYMBOL}"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (f"{HEADER},ticker", "two columns mean symbol, one of them 'ticker'; keep one"),
        (f"{HEADER},session", "two columns mean date, one of them 'session'; keep one"),
        (f"{HEADER},Close", "two columns mean close, one of them 'Close'; keep one"),
        (f"{HEADER},close", "two columns mean close, one of them 'close_duplicated_0'; keep one"),
        (f"{HEADER},adj_close,Adj Close", "two columns mean adj_close, one of them 'Adj Close'; keep one"),
    ],
)
def test_two_columns_that_mean_the_same_are_refused(tmp_path: Path, header: str, told: str) -> None:
    path = csv(tmp_path, f"{ROW},1,1", header=header + ("" if "adj" in header else ",more"))
    assert refusal(path) == f"{path}: {told}"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("bars.csv", b"", "{} is empty; give a file with a header and bars"),
        ("bars.csv", f"{HEADER}\nA,2010-01-04,1,1,1,1,1,surplus\n".encode(), "{}: line 2 has 8 cells, the header 7; put a cell that"),
        (
            "bars.csv",
            f"{HEADER}\n\xc5,2010-01-04,1,1,1,1,1\n".encode("latin-1"),
            "{} is not in UTF-8 (perhaps Latin-1 or Windows-1252), as line 2 shows; save it in UTF-8",
        ),
        ("bars.csv.gz", gzip.compress(f"{HEADER}\n{ROW}\n".encode() * 100, mtime=0)[:60], "{} cannot be read as GZ: "),
        ("bars.parquet", b"not a parquet file", "{} cannot be read as PARQUET: "),
        ("bars.parquet", b"", "{} cannot be read as PARQUET: "),
        ("bars.xlsx", b"", "{} has the ending '.xlsx'; files end in .csv, .csv.gz or .parquet"),
        ("bars", b"", "{} has the ending ''; files end in .csv, .csv.gz or .parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(path).startswith(told.format(path))


def test_a_header_alone_is_no_data(tmp_path: Path) -> None:
    path = csv(tmp_path)
    assert refusal(path) == f"--path or source.path '{path}': {path} holds no rows; give a file with bars"
    csv(tmp_path, name="other.csv")
    both = tmp_path / "*.csv"
    assert refusal(both) == f"--path or source.path '{both}': none of the 2 files holds any rows; give a file with bars"


@pytest.mark.parametrize("pattern", ["nowhere.csv", "*.parquet", "no/such/*.csv", "[", "\0"])
def test_a_path_that_matches_no_file_is_named(tmp_path: Path, pattern: str) -> None:
    csv(tmp_path, ROW)
    path = f"{tmp_path}/{pattern}"
    assert refusal(path) == f"--path or source.path {path!r} matches no file; give a CSV or Parquet file or a glob"


@pytest.mark.parametrize("path", [None, ""])
def test_without_a_path_the_source_cannot_be_opened(path: str | None) -> None:
    with pytest.raises(InputError, match="source files needs to know where they are: give --path with a file or a glob such as"):
        open_source("files", SourceSettings().model_copy(update={"path": path}))


@pytest.mark.parametrize("length", [SYMBOL_LIMIT, SYMBOL_LIMIT + 1])
def test_a_symbol_may_have_so_many_characters_and_no_more(tmp_path: Path, length: int) -> None:
    symbol = "Å" * length
    path = csv(tmp_path, ROW.replace("A", symbol))
    if length == SYMBOL_LIMIT:
        assert fetched(path)[SYMBOL].to_list() == [symbol]
    else:
        assert refusal(path) == f"{path}: column symbol has a value of more than 64 characters, {symbol[:20]!r}..."


def test_a_symbol_may_be_any_text(tmp_path: Path) -> None:
    nasty = ["BRK.B", "A'; DROP TABLE x", "😀", "../../etc/passwd", "<b>"]
    bars = fetched(csv(tmp_path, *(ROW.replace("A", f'"{symbol}"') for symbol in nasty)))
    assert bars[SYMBOL].to_list() == nasty


def test_files_alone_offer_bars_and_may_be_mixed(tmp_path: Path) -> None:
    source = FilesSource(str(csv(tmp_path, ROW)))
    data = given(source)
    assert data.bars.rows() == [BAR]
    assert data.actions.is_empty()
    assert data.instruments.is_empty()
    assert data.fundamentals.is_empty()
    assert (source.name, source.is_archive, source.is_closed) == ("files", True, False)
    assert source.offers == {"bars"}


def test_side_files_bring_what_the_bars_do_not_say(tmp_path: Path) -> None:
    sides = SideFiles(
        actions=str(csv(tmp_path, "A,2010-01-04,split,2", header="symbol,date,kind,value", name="actions.csv")),
        fundamentals=str(csv(tmp_path, "A,2009-12-31,FY,7", header="symbol,end_date,period,revenue", name="reports.csv")),
        instruments=str(csv(tmp_path, "A,Agilent", header="symbol,name", name="names.csv")),
    )
    source = FilesSource(str(csv(tmp_path, ROW)), sides)
    data = given(source)
    assert source.offers == {"bars", "actions", "fundamentals", "instruments"}
    assert data.actions.rows() == [("A", date(2010, 1, 4), "split", 2.0, None)]
    assert data.fundamentals.rows() == [("A", date(2009, 12, 31), "year", "revenue", 7.0, None, None)]
    assert data.instruments.rows() == [("A", "Agilent", None, None, None, None, None)]
    schemas = [data.actions.schema, data.fundamentals.schema, data.instruments.schema]
    assert schemas == [pl.Schema(ACTIONS), pl.Schema(FUNDAMENTALS), pl.Schema(INSTRUMENTS)]


@pytest.mark.parametrize("offer", ["actions", "fundamentals", "instruments"])
def test_a_source_offers_that_of_which_it_has_a_side_file(tmp_path: Path, offer: str) -> None:
    assert FilesSource(str(tmp_path), SideFiles(**{offer: "some.csv"})).offers == {"bars", offer}
    assert FilesSource(str(tmp_path), SideFiles(**{offer: ""})).offers == {"bars"}


def test_what_is_asked_for_is_answered_and_the_rest_has_a_reason(tmp_path: Path) -> None:
    names = csv(tmp_path, "A,Agilent", "B,Barnes", header="symbol,name", name="names.csv")
    rows = [ROW, ROW.replace("-04", "-05"), ROW.replace("A", "C")]
    source = FilesSource(str(csv(tmp_path, *rows)), SideFiles(instruments=str(names)))
    day = date(2010, 1, 5)
    (answer,) = source.fetch([Request("A", day, day, about=True), Request("B", day, day), Request("D", day, day)])
    assert answer.data.bars.select(SYMBOL, SESSION).rows() == [("A", day)]
    assert answer.data.instruments[SYMBOL].to_list() == ["A"]
    assert {symbol: type(error) for symbol, error in answer.failures.items()} == {"B": NoDataError, "D": UnknownSymbolError}
