"""Files as users bring them: other separators, no symbols, odd columns."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import SYMBOL
from stock_pipeline.market_data.tables import BASIS, CURRENCY
from stock_pipeline_tests.factories.bar_files import BAR, COLUMNS, HEADER, NO_SYMBOL, ROW, csv, fetched, refusal


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_cells_may_be_separated_by_other_signs(tmp_path: Path, separator: str) -> None:
    path = csv(tmp_path, ROW.replace(",", separator), header=HEADER.replace(",", separator))
    assert fetched(path).rows() == [BAR]
    packed = tmp_path / "bars.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert fetched(packed).rows() == [BAR]


def test_an_index_without_a_name_and_changes_in_percent_are_passed_over(tmp_path: Path) -> None:
    path = csv(tmp_path, f"0,{ROW},1.2%,-3%,", header=f",{HEADER},Change %,Volume %,")
    assert fetched(path).rows() == [BAR]


def test_rows_of_nothing_but_empty_cells_are_no_bars(tmp_path: Path) -> None:
    assert fetched(csv(tmp_path, ROW, "", ",,,,,,", "")).rows() == [BAR]


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    bars = fetched(csv(tmp_path, 'A,2010-01-04,"1,234.5",$12.3,-$1,"$ 2,000",67.94M'))
    assert bars.row(0)[2:7] == pytest.approx((1234.5, 12.3, -1.0, 2000.0, 67.94e6))


def test_a_time_beside_a_date_and_a_price_beside_a_close_are_passed_over(tmp_path: Path) -> None:
    bars = fetched(csv(tmp_path, f"{ROW},16:00,77", header=f"{HEADER},time,price"))
    assert bars.rows() == [BAR]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("AAPL.csv", "AAPL"),
        ("aapl.csv", "AAPL"),
        ("BRK.B.csv", "BRK.B"),
        ("bf-b.txt", "BF-B"),
        ("7203.T.csv", "7203.T"),
        ("IBM.csv.gz", "IBM"),
        ("F.PARQUET", "F"),
        ("^GSPC.csv", "^GSPC"),
        ("^n225.csv", "^N225"),
        ("ES=F.csv", "ES=F"),
        ("EURUSD=X.csv", "EURUSD=X"),
        ("BTC-USD.csv", "BTC-USD"),
        ("AAPL (1).csv", "AAPL"),
        ("BRK.B(12).csv", "BRK.B"),
        ("aapl_us_d.csv", "AAPL"),
        ("aapl.us.txt", "AAPL"),
        ("AAPL.US.csv.gz", "AAPL"),
    ],
)
def test_a_file_without_symbols_holds_bars_of_the_one_that_it_is_named_after(tmp_path: Path, name: str, symbol: str) -> None:
    path = csv(tmp_path, ROW.removeprefix("A,"), header=HEADER.removeprefix("symbol,"), name=name)
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    if name.endswith("PARQUET"):
        pl.DataFrame(COLUMNS).drop("symbol").write_parquet(path)
    assert fetched(path).rows() == [(symbol, *BAR[1:])]


@pytest.mark.parametrize(
    "name",
    [
        "aapl_daily.csv",
        "AAPL_20100820.csv",
        "data (1).csv",
        "stock.us.csv",
        "(1).csv",
        "prices.csv",
        "data.csv",
        "Daily.csv",
        "2010.csv",
        "AAPL.2010.csv",
        "toolong.csv",
    ],
)
def test_a_file_s_name_that_looks_like_no_symbol_is_not_taken_for_one(tmp_path: Path, name: str) -> None:
    path = csv(tmp_path, ROW.removeprefix("A,"), header=HEADER.removeprefix("symbol,"), name=name)
    assert refusal(path) == f"{path}: column symbol is missing; it has date, open, high, low, close, volume; {NO_SYMBOL}"


def test_symbols_in_a_file_win_over_its_name(tmp_path: Path) -> None:
    assert fetched(csv(tmp_path, ROW, name="IBM.csv"))[SYMBOL].to_list() == ["A"]


def test_a_file_may_say_on_which_basis_and_in_which_currency_prices_are(tmp_path: Path) -> None:
    rows = [f"{ROW},Split,USD", f"{ROW}, raw ,EUR", f"{ROW},,"]
    bars = fetched(csv(tmp_path, *rows, header=f"{HEADER},Basis,Currency"))
    assert bars[BASIS].to_list() == ["split", "raw", "raw"]
    assert bars[CURRENCY].to_list() == ["USD", "EUR", None]
    bad = csv(tmp_path, f"{ROW},adjusted", header=f"{HEADER},basis")
    assert refusal(bad) == f"{bad}: column basis has 'adjusted' in line 2, which is none of raw, split"


PRICES = "Open,High,Low,Close,Volume"
NUMBERS = "10,11,9,10.5,100"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("date,1. open,2. high,3. low,4. close,5. volume", f"2010-01-04,{NUMBERS}"),
        ("timestamp,open,high,low,close,volume", f"2010-01-04,{NUMBERS}"),
        ("v,vw,o,c,h,l,t,n", "100,1,10,10.5,11,9,1262581200000,99"),
        ("volume,open,close,high,low,window_start", "100,10,10.5,11,9,1262581200000000000"),
        (f"time,{PRICES}", f"1262615400,{NUMBERS}"),
        (f",{PRICES}", f"2010-01-04,{NUMBERS}"),
        (f"Unnamed: 0,{PRICES}", f"2010-01-04 00:00:00-05:00,{NUMBERS}"),
        (f"Date,{PRICES}", f"2010-01-04T21:00:00Z,{NUMBERS}"),
    ],
)
def test_files_of_well_known_vendors_are_understood(tmp_path: Path, header: str, row: str) -> None:
    assert fetched(csv(tmp_path, row, header=header, name="A.csv")).rows() == [BAR]


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ("0", "column date is missing"),
        ("2010-01-04x", "column date is missing"),
        ("", "column date is missing"),
    ],
)
def test_an_index_that_holds_no_dates_is_no_date(tmp_path: Path, index: str, told: str) -> None:
    assert told in refusal(csv(tmp_path, f"{index},{NUMBERS}", header=f",{PRICES}", name="A.csv"))


def test_the_index_of_a_pandas_table_may_be_the_date(tmp_path: Path) -> None:
    path = tmp_path / "A.parquet"
    frame = pl.DataFrame(COLUMNS).drop("symbol", "date")
    frame.with_columns(pl.Series("__index_level_0__", [datetime(2010, 1, 4, 5, tzinfo=UTC)])).write_parquet(path)
    assert fetched(path).rows() == [BAR]
    frame.with_columns(pl.Series("__index_level_0__", [1.5])).write_parquet(path)
    assert "column date is missing" in refusal(path)


def test_a_column_name_holds_the_symbols_where_they_look_like_symbols_and_there_is_no_better(tmp_path: Path) -> None:
    rows = [f"2010-01-04,{NUMBERS},{symbol}" for symbol in ("AAPL", "BRK.B")]
    path = csv(tmp_path, *rows, header=f"date,{PRICES},Name", name="all_stocks_5yr.csv")
    assert fetched(path)[SYMBOL].to_list() == ["AAPL", "BRK.B"]
    assert fetched(csv(tmp_path, f"Apple,{ROW}", header=f"Name,{HEADER}")).rows() == [BAR]
    assert fetched(csv(tmp_path, f"AAPL,{ROW}", header=f"Name,{HEADER}")).rows() == [BAR]
    for company in ("Apple", "Apple Inc.", ""):
        named = csv(tmp_path, f"{company},2010-01-04,{NUMBERS}", header=f"Name,Date,{PRICES}", name="A.csv")
        assert fetched(named).rows() == [BAR]
        assert "column symbol is missing" in refusal(named.rename(tmp_path / "stocks_of_the_year.csv"))


def test_what_the_shell_takes_for_a_pattern_may_be_in_a_file_s_name(tmp_path: Path) -> None:
    literal = csv(tmp_path, ROW, name="bars[1].csv")
    assert fetched(literal).rows() == fetched(tmp_path / "bars*.csv").rows() == [BAR]
    pl.DataFrame(COLUMNS).write_parquet(tmp_path / "bars[2].parquet")
    assert fetched(tmp_path / "bars[2].parquet").rows() == fetched(tmp_path / "*.parquet").rows() == [BAR]


def test_a_path_may_begin_at_home_and_a_folder_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    csv(tmp_path, ROW)
    assert fetched("~/bars.csv").rows() == fetched("~/*.csv").rows() == [BAR]
    assert refusal("~") == f"--path or source.path '~' is a folder; give the files in it, such as '{tmp_path}/*.csv'"
    assert refusal("~/no.csv") == "--path or source.path '~/no.csv' matches no file; give a CSV or Parquet file or a glob"
    assert "matches no file" in refusal("~nobody_of_that_name/bars.csv")
