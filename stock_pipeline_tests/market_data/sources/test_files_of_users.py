"""Files as users bring them: other separators, no symbols, odd columns."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import SYMBOL
from stock_pipeline.market_data.sources.source import (
    BASIS,
    CURRENCY,
)
from stock_pipeline_tests.market_data.sources.bar_files import BAR, COLUMNS, HEADER, ROW, csv, fetched, refusal


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
    ],
)
def test_a_file_without_symbols_holds_bars_of_the_one_that_it_is_named_after(tmp_path: Path, name: str, symbol: str) -> None:
    path = csv(tmp_path, ROW.removeprefix("A,"), header=HEADER.removeprefix("symbol,"), name=name)
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    if name.endswith("PARQUET"):
        pl.DataFrame(COLUMNS).drop("symbol").write_parquet(path)
    assert fetched(path).rows() == [(symbol, *BAR[1:])]


@pytest.mark.parametrize("name", ["aapl_daily.csv", "prices.csv", "data.csv", "Daily.csv", "2010.csv", "AAPL.2010.csv", "toolong.csv"])
def test_a_file_s_name_that_looks_like_no_symbol_is_not_taken_for_one(tmp_path: Path, name: str) -> None:
    path = csv(tmp_path, ROW.removeprefix("A,"), header=HEADER.removeprefix("symbol,"), name=name)
    assert refusal(path) == f"{path}: column symbol is missing; it has date, open, high, low, close, volume"


def test_symbols_in_a_file_win_over_its_name(tmp_path: Path) -> None:
    assert fetched(csv(tmp_path, ROW, name="IBM.csv"))[SYMBOL].to_list() == ["A"]


def test_a_file_may_say_on_which_basis_and_in_which_currency_prices_are(tmp_path: Path) -> None:
    rows = [f"{ROW},Split,USD", f"{ROW}, raw ,EUR", f"{ROW},,"]
    bars = fetched(csv(tmp_path, *rows, header=f"{HEADER},Basis,Currency"))
    assert bars[BASIS].to_list() == ["split", "raw", "raw"]
    assert bars[CURRENCY].to_list() == ["USD", "EUR", None]
    bad = csv(tmp_path, f"{ROW},adjusted", header=f"{HEADER},basis")
    assert refusal(bad) == f"{bad}: column basis has 'adjusted' in row 1, which is none of raw, split"
