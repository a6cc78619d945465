"""Files with bars, as users have them, and what the source files makes of them."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.files import FilesSource
from stock_pipeline.market_data.sources.source import (
    MarketData,
)

HEADER = "symbol,date,open,high,low,close,volume"
ROW = "A,2010-01-04,10,11,9,10.5,100"
NO_SYMBOL = "add a column symbol or name the file AAPL.csv"
BAR = ("A", date(2010, 1, 4), 10.0, 11.0, 9.0, 10.5, 100.0, None, "raw", None, None)
COLUMNS: dict[str, list[Any]] = {
    "symbol": ["A"],
    "date": [date(2010, 1, 4)],
    "open": [10.0],
    "high": [11.0],
    "low": [9.0],
    "close": [10.5],
    "volume": [100],
}


def csv(folder: Path, *rows: str, header: str = HEADER, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def parquet(folder: Path, **columns: Any) -> Path:
    path = folder / "bars.parquet"
    pl.DataFrame(COLUMNS | columns).write_parquet(path)
    return path


def given(source: FilesSource) -> MarketData:
    (answer,) = source.fetch(None)
    assert not answer.failures
    return answer.data


def fetched(path: Path | str) -> pl.DataFrame:
    return given(FilesSource(str(path))).bars


def refusal(path: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        fetched(path)
    message = str(caught.value)
    assert "\n" not in message
    return message
