from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import SYMBOL, VALUE
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.side_files import (
    read_actions,
    read_checked_bars,
    read_fundamentals,
    read_instruments,
    read_memberships,
    read_renames,
)
from stock_pipeline.market_data.sources.source import ACTIONS, FUNDAMENTALS, INSTRUMENTS
from stock_pipeline.market_data.tables import CAPTURED, CURRENCY, ITEM, PERIOD, PERIOD_END

Reader = Callable[[str], pl.DataFrame]
DAY = date(2010, 8, 20)


def written(folder: Path, *lines: str, name: str = "side.csv") -> str:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def refusal(read: Reader, path: str) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    "header",
    ["symbol,date,kind,value", "Ticker,Ex Date,Type,Ratio", "SYMBOL,ex_date,Action,AMOUNT", "ticker,session,kind,value"],
)
def test_actions_are_known_by_their_usual_names(tmp_path: Path, header: str) -> None:
    actions = read_actions(written(tmp_path, header, "A,2010-08-20,Split,2", "B,2010-08-20,dividend,$0.25"))
    assert actions.rows() == [("A", DAY, "split", 2.0, None), ("B", DAY, "dividend", 0.25, None)]
    assert actions.schema == pl.Schema(ACTIONS)


@pytest.mark.parametrize("column", ["captured", "Known", "seen"])
def test_the_day_on_which_an_action_was_told_is_read(tmp_path: Path, column: str) -> None:
    actions = read_actions(
        written(tmp_path, f"symbol,date,kind,value,{column}", "A,2010-08-20,split,2,2010-08-23", "B,2010-08-20,split,2,")
    )
    assert actions[CAPTURED].to_list() == [date(2010, 8, 23), None]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("A,2010-08-20,merger,2", "column kind has 'merger' in line 3, which is none of split, dividend"),
        ("A,soon,split,2", "column date has 'soon' in line 3, which is not a date such as 2010-08-20"),
        ("A,2010-08-20,split,2:1", "column value has '2:1' in line 3, which is not a number"),
        ("A,2010-08-20,split,0", "column value has '0.0' in line 3, which is not above zero; correct it"),
        ("A,2010-08-20,dividend,-1", "column value has '-1.0' in line 3, which is not above zero; correct it"),
        ("A,2010-08-20,dividend,", "column value is empty in line 3; fill it in or leave the row out"),
        (",2010-08-20,dividend,1", "column symbol is empty in line 3; fill it in or leave the row out"),
        ("A,,dividend,1", "column date is empty in line 3; fill it in or leave the row out"),
        ("A,2010-08-20,,1", "column kind is empty in line 3; fill it in or leave the row out"),
    ],
)
def test_a_wrong_action_is_named(tmp_path: Path, row: str, told: str) -> None:
    assert refusal(read_actions, written(tmp_path, "symbol,date,kind,value", "B,2010-08-20,split,2", row)) == told


def test_actions_that_overlapping_files_tell_twice_are_one(tmp_path: Path) -> None:
    header = "symbol,date,kind,value,captured"
    rows = ["A,2010-08-20,split,2,", "A,2010-08-20,dividend,1,", "A,2010-08-20,dividend,2,", "A,2010-08-20,split,3,2010-08-23"]
    written(tmp_path, header, *rows, name="1.csv")
    written(tmp_path, header, *rows[1:], "B,2010-08-20,split,2,", name="2.csv")
    actions = read_actions(f"{tmp_path}/*.csv")
    assert actions.select(SYMBOL, VALUE).rows() == [("A", 2.0), ("A", 1.0), ("A", 2.0), ("A", 3.0), ("B", 2.0)]


@pytest.mark.parametrize("captured", ["", "2010-08-23"])
def test_two_splits_of_one_session_are_refused(tmp_path: Path, captured: str) -> None:
    written(tmp_path, "symbol,date,kind,value,captured", f"A,2010-08-20,split,2,{captured}", name="1.csv")
    written(tmp_path, "symbol,date,kind,value,captured", f"A,2010-08-20,split,3,{captured}", name="2.csv")
    pattern = f"{tmp_path}/*.csv"
    told = "splits of A on 2010-08-20 are reported as 2.0 and as 3.0; keep one, or give the days in a column captured"
    with pytest.raises(InputError) as caught:
        read_actions(pattern)
    assert str(caught.value) == f"setting source.actions_path {pattern!r}: {told}"


def test_a_file_may_hold_no_action_at_all(tmp_path: Path) -> None:
    assert read_actions(written(tmp_path, "symbol,date,kind,value")).schema == pl.Schema(ACTIONS)


@pytest.mark.parametrize(
    ("read", "header", "told"),
    [
        (read_actions, "symbol,date,remark", "column kind, value is missing; it has symbol, date, remark"),
        (read_instruments, "name,sector", "column symbol is missing; it has name, sector"),
        (read_fundamentals, "symbol,revenue", "column period_end, period is missing; it has symbol, revenue"),
        (read_fundamentals, "symbol,item,value", "column period_end, period is missing; it has symbol, item, value"),
        (read_fundamentals, "symbol,period_end,period,item", "column value is missing; it has symbol, period_end, period, item"),
        (read_memberships, "symbol,last", "column first is missing; it has symbol, last"),
        (read_renames, "from,to", "column old, new, date is missing; it has from, to"),
        (read_checked_bars, "symbol,note", "column date is missing; it has symbol, note"),
    ],
)
def test_missing_columns_are_named(tmp_path: Path, read: Reader, header: str, told: str) -> None:
    assert refusal(read, written(tmp_path, header, ",".join("1" * (header.count(",") + 1)))) == told


@pytest.mark.parametrize(
    ("read", "setting"),
    [
        (read_actions, "actions_path"),
        (read_instruments, "instruments_path"),
        (read_fundamentals, "fundamentals_path"),
        (read_memberships, "universe_path"),
        (read_renames, "renames_path"),
        (read_checked_bars, "confirmed_path"),
    ],
)
def test_a_path_that_matches_nothing_is_named_with_its_setting(read: Reader, setting: str) -> None:
    with pytest.raises(InputError) as caught:
        read("nowhere/*.csv")
    assert str(caught.value) == f"setting source.{setting} 'nowhere/*.csv' matches no file; give a CSV or Parquet file or a glob"


def test_a_glob_brings_the_rows_of_every_file(tmp_path: Path) -> None:
    written(tmp_path, "symbol,date,kind,value", "B,2010-08-20,split,2", name="2.csv")
    written(tmp_path, "date;value;kind;symbol", "2010-08-20;3;split;A", name="1.csv")
    assert read_actions(f"{tmp_path}/*.csv")[SYMBOL].to_list() == ["A", "B"]


def test_instruments_have_what_the_file_tells(tmp_path: Path) -> None:
    path = written(
        tmp_path, "Conid,Ticker,Name,Exchange,Currency,Sector,Industry", "265598,AAPL,Apple Inc.,NASDAQ,USD,IT,Hardware", "8,NA,,,,,"
    )
    instruments = read_instruments(path)
    assert instruments.rows() == [
        ("AAPL", "Apple Inc.", "NASDAQ", "USD", "IT", "Hardware", "265598"),
        ("NA", None, None, None, None, None, "8"),
    ]
    assert instruments.schema == pl.Schema(INSTRUMENTS)
    tabled = tmp_path / "side.parquet"
    pl.DataFrame({"symbol": ["AAPL"], "contract": [265598]}).write_parquet(tabled)
    assert read_instruments(str(tabled)).row(0) == ("AAPL", None, None, None, None, None, "265598")


def test_an_index_s_list_of_members_is_a_file_of_instruments(tmp_path: Path) -> None:
    path = written(tmp_path, "Symbol,Security,GICS Sector,GICS Sub-Industry", "MMM,3M,Industrials,Conglomerates")
    assert read_instruments(path).row(0) == ("MMM", "3M", None, None, "Industrials", "Conglomerates", None)


def test_of_several_rows_about_an_instrument_the_last_one_holds(tmp_path: Path) -> None:
    written(tmp_path, "symbol,name", "B,Barnes", "A,Old", "A,Middle", name="1.csv")
    written(tmp_path, "symbol,name", "A,New", name="2.csv")
    assert read_instruments(f"{tmp_path}/*.csv").select("symbol", "name").rows() == [("B", "Barnes"), ("A", "New")]


LONG = "symbol,period_end,period,item,value"


def test_fundamentals_may_be_one_figure_a_row(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"{LONG},captured,currency",
        'A,2010-06-30,Q2,Revenues,"1,000",2010-08-20,USD',
        "A,2009-12-31,FY,EPS Basic,2.5,,",
        "A,2009-12-31,year,equity,,,",
    )
    found = read_fundamentals(path)
    assert found.rows() == [
        ("A", date(2010, 6, 30), "quarter", "revenue", 1000.0, "USD", DAY),
        ("A", date(2009, 12, 31), "year", "eps_basic", 2.5, None, None),
    ]
    assert found.schema == pl.Schema(FUNDAMENTALS)


WIDE = {
    "revenue": ["revenue", "Revenues", "Total Revenue"],
    "operating_income": ["operating_income", "op_income", "Operating Income", "OperatingIncomeLoss"],
    "net_income": ["net_income", "NetIncome", "NetIncomeLoss"],
    "equity": ["equity", "StockholdersEquity", "Total Stockholders Equity"],
    "assets": ["Assets", "TotalAssets"],
    "debt": ["debt", "Total Debt"],
    "shares": ["shares", "shares_outstanding", "CommonStockSharesOutstanding", "Ordinary Shares Number"],
    "eps_basic": ["EPS Basic", "eps_basic"],
    "longtermdebt": ["LongTermDebt"],
}


@pytest.mark.parametrize(("item", "name"), [(item, name) for item, names in WIDE.items() for name in names])
def test_fundamentals_may_be_one_figure_a_column(tmp_path: Path, item: str, name: str) -> None:
    path = written(tmp_path, f"Ticker,End Date,period_focus,{name},first_seen", "A,2010-06-30,Q1,7,2010-08-20", "A,2009-12-31,FY,NA,")
    found = read_fundamentals(path)
    assert found.rows() == [("A", date(2010, 6, 30), "quarter", item, 7.0, None, DAY)]
    assert found.schema == pl.Schema(FUNDAMENTALS)


def test_a_wide_file_s_columns_of_text_and_of_the_report_s_own_number_are_no_items(tmp_path: Path) -> None:
    header = ",symbol,period_end,period,doc_type,amend,fiscal_year,Growth %,empty,cash,mixed"
    rows = ["0,A,2010-06-30,Q1,10-Q,false,2010,5,,70,1", "1,A,2009-12-31,FY,10-K,true,2009,6,NA,80,none"]
    csv = read_fundamentals(written(tmp_path, header, *rows))
    assert csv.select(ITEM, VALUE).rows() == [("cash", 70.0), ("cash", 80.0)]
    tabled = tmp_path / "side.parquet"
    columns: dict[str, Any] = {
        "symbol": ["A"],
        "period_end": [DAY],
        "period": ["FY"],
        "amend": [True],
        "fiscal_year": [2010],
        "doc_type": ["10-K"],
        "cash": [70],
        "empty": pl.Series([None], dtype=pl.Float64),
        "seen": [DAY],
    }
    pl.DataFrame(columns).write_parquet(tabled)
    assert read_fundamentals(str(tabled)).select(ITEM, VALUE).rows() == [("cash", 70.0)]


def test_a_figure_that_is_told_twice_is_one_and_one_told_differently_is_refused(tmp_path: Path) -> None:
    row = "A,2010-06-30,Q2,revenue"
    written(tmp_path, f"{LONG},currency,captured", f"{row},7,USD,", f"{row},8,USD,2010-08-20", f"{row},,USD,", name="1.csv")
    written(tmp_path, "symbol,period_end,period,Total Revenue,currency", "A,2010-06-30,Q2,7,USD", name="2.csv")
    pattern = f"{tmp_path}/*.csv"
    assert read_fundamentals(pattern)[VALUE].to_list() == [7.0, 8.0]
    for other, told in [("9,USD", "7.0 USD and as 9.0 USD"), ("7,EUR", "7.0 USD and as 7.0 EUR"), ("7,", "7.0 USD and as 7.0")]:
        written(tmp_path, f"{LONG},currency", f"{row},{other}", name="3.csv")
        with pytest.raises(InputError) as caught:
            read_fundamentals(pattern)
        about = f"setting source.fundamentals_path {pattern!r}: revenue of A for the quarter to 2010-06-30"
        assert str(caught.value) == f"{about} is reported as {told}; keep one, or give the days in a column captured"


def test_figures_may_have_decimal_commas(tmp_path: Path) -> None:
    path = written(tmp_path, "symbol;period_end;period;revenue;cash", "A;2010-06-30;Q2;1.234,5;67,5", "B;2010-06-30;Q2;1.000;2")
    assert read_fundamentals(path)[VALUE].to_list() == [1234.5, 1000.0, 67.5, 2.0]


@pytest.mark.parametrize("word", ["FY", "fy", "Year"])
def test_a_year_is_known_by_its_usual_words(tmp_path: Path, word: str) -> None:
    assert read_fundamentals(written(tmp_path, LONG, f"A,2010-06-30,{word},x,1"))[PERIOD].to_list() == ["year"]


@pytest.mark.parametrize("word", ["Q1", "q2", "Q3", "Q4", "quarter"])
def test_a_quarter_is_known_by_its_usual_words(tmp_path: Path, word: str) -> None:
    assert read_fundamentals(written(tmp_path, LONG, f"A,2010-06-30,{word},x,1"))[PERIOD].to_list() == ["quarter"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("A,2010-06-30,H1,x,1", "column period has 'H1' in line 2, which is none of quarter, year, fy, q1, q2, q3, q4"),
        ("A,June,FY,x,1", "column period_end has 'June' in line 2, which is not a date such as 2010-08-20"),
        ("A,2010-06-30,FY,x,much", "column value has 'much' in line 2, which is not a number"),
        (",2010-06-30,FY,x,1", "column symbol is empty in line 2; fill it in or leave the row out"),
        ("A,,FY,x,1", "column period_end is empty in line 2; fill it in or leave the row out"),
        ("A,2010-06-30,,x,1", "column period is empty in line 2; fill it in or leave the row out"),
        ("A,2010-06-30,FY,,1", "column item is empty in line 2; fill it in or leave the row out"),
    ],
)
def test_a_wrong_figure_is_named(tmp_path: Path, row: str, told: str) -> None:
    assert refusal(read_fundamentals, written(tmp_path, LONG, row)) == told


def test_a_wrong_figure_of_a_known_item_is_named_in_a_wide_file(tmp_path: Path) -> None:
    path = written(tmp_path, "symbol,period_end,period,revenues", "A,2010-06-30,FY,much")
    assert refusal(read_fundamentals, path) == "column revenue has 'much' in line 2, which is not a number"
    path = written(tmp_path, "symbol,period_end,period,revenues,revenue", "A,2010-06-30,FY,1,1")
    assert refusal(read_fundamentals, path) == "two columns mean revenue, one of them 'revenue'; keep one"
    path = written(tmp_path, "symbol,period_end,period,EPS,eps", "A,2010-06-30,FY,1,1")
    assert refusal(read_fundamentals, path) == "two columns mean eps, one of them 'eps'; keep one"


def test_a_file_without_any_figures_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "symbol,period_end,period,doc_type", "A,2010-06-30,FY,10-K")
    told = "column item, value is missing, and there is none per item such as revenue; it has symbol, period_end, period, doc_type"
    assert refusal(read_fundamentals, path) == told


def test_long_and_wide_files_may_be_mixed(tmp_path: Path) -> None:
    written(tmp_path, LONG, "A,2010-06-30,Q2,revenue,1", name="1.csv")
    written(tmp_path, "symbol,period_end,period,revenue,currency", "B,2010-06-30,Q2,2,EUR", name="2.csv")
    found = read_fundamentals(f"{tmp_path}/*.csv")
    assert found.select(SYMBOL, PERIOD_END, VALUE, CURRENCY, CAPTURED).rows() == [
        ("A", date(2010, 6, 30), 1.0, None, None),
        ("B", date(2010, 6, 30), 2.0, "EUR", None),
    ]


@pytest.mark.parametrize("header", ["universe,symbol,first,last", "Universe,Ticker,Start_Date,End_Date", "x,ticker,Start,End"])
def test_memberships_are_known_by_their_usual_names(tmp_path: Path, header: str) -> None:
    path = written(tmp_path, header, "sp500,B,2010-08-20,", "sp500,A,2015-01-02,2016-01-04", "sp500,A,2010-01-04,2010-08-20")
    assert read_memberships(path).rows() == [
        ("A", date(2010, 1, 4), DAY),
        ("A", date(2015, 1, 2), date(2016, 1, 4)),
        ("B", DAY, None),
    ]


def test_members_who_never_left_need_no_last_day(tmp_path: Path) -> None:
    members = read_memberships(written(tmp_path, "ticker,first", "A,2010-08-20"))
    assert members.rows() == [("A", DAY, None)]
    assert members.schema == pl.Schema({"symbol": pl.String, "first": pl.Date, "last": pl.Date})


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("A,2010-08-20,2010-08-19", "column last has '2010-08-19' in line 3, which is before first; correct it"),
        ("A,,2010-08-20", "column first is empty in line 3; fill it in or leave the row out"),
        (",2010-08-20,", "column symbol is empty in line 3; fill it in or leave the row out"),
        ("A,2010-08-20,today", "column last has 'today' in line 3, which is not a date such as 2010-08-20"),
    ],
)
def test_a_wrong_membership_is_named(tmp_path: Path, row: str, told: str) -> None:
    assert refusal(read_memberships, written(tmp_path, "symbol,first,last", "B,2010-08-20,2010-08-20", row)) == told


@pytest.mark.parametrize("header", ["old,new,session", "Old,New,Date"])
def test_renames_are_told_in_the_order_of_their_sessions(tmp_path: Path, header: str) -> None:
    renames = read_renames(written(tmp_path, header, "FB,META,2022-06-09", "PCLN,BKNG,2018-02-27"))
    assert renames.rows() == [("PCLN", "BKNG", date(2018, 2, 27)), ("FB", "META", date(2022, 6, 9))]
    assert renames.schema == pl.Schema({"old": pl.String, "new": pl.String, "session": pl.Date})


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("FB,FB,2022-06-09", "column new has 'FB' in line 2, which is the same as old; correct it"),
        ("FB,,2022-06-09", "column new is empty in line 2; fill it in or leave the row out"),
        ("FB,META,", "column date is empty in line 2; fill it in or leave the row out"),
    ],
)
def test_a_wrong_rename_is_named(tmp_path: Path, row: str, told: str) -> None:
    assert refusal(read_renames, written(tmp_path, "old,new,session", row)) == told


@pytest.mark.parametrize("header", [LONG, "symbol,period_end,period,revenue"])
def test_a_file_may_hold_no_report_yet(tmp_path: Path, header: str) -> None:
    found = read_fundamentals(written(tmp_path, header))
    assert found.is_empty()
    assert found.schema == pl.Schema(FUNDAMENTALS)
