"""What a made-up company reports, written out by hand."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL, VALUE
from stock_pipeline.core.reports import ASSETS, DEBT, EQUITY, NET_INCOME, OPERATING_INCOME, QUARTER, REVENUE, SHARES
from stock_pipeline.market_data.tables import CURRENCY, ITEM, KIND, PERIOD, PERIOD_END
from stock_pipeline_tests.harness.ratios_of_a_night import fundamental_ratios

Row = tuple[str, date, str, str, float | None]
NIGHT = date(2016, 3, 1)
ENDS = [date(2015, 3, 31), date(2015, 6, 30), date(2015, 9, 30), date(2015, 12, 31)]
ENDS_BEFORE = [date(2014, 3, 31), date(2014, 6, 30), date(2014, 9, 30), date(2014, 12, 31)]


def series(item: str, values: Sequence[float | None], ends: Sequence[date] = ENDS, period: str = QUARTER, symbol: str = "A") -> list[Row]:
    return [(symbol, end, period, item, value) for end, value in zip(ends, values, strict=True)]


def one(item: str, value: float, end: date = ENDS[-1], period: str = QUARTER) -> list[Row]:
    return series(item, [value], [end], period)


def ratios(rows: Sequence[Row], close: float | None = 10.0, session: date = NIGHT, told_in: str | None = None) -> dict[str, float | None]:
    """The ratios of company A that are known."""
    closes = pl.DataFrame({SYMBOL: ["A"], CLOSE: [close]}, schema={SYMBOL: pl.String, CLOSE: pl.Float64})
    found = fundamental_ratios(known(rows, told_in), closes, session, "USD").row(0, named=True)
    return {name: value for name, value in found.items() if value is not None and name != SYMBOL}


def known(rows: Sequence[Row], told_in: str | None = None) -> pl.DataFrame:
    columns = {SYMBOL: pl.String, PERIOD_END: pl.Date, PERIOD: pl.String, ITEM: pl.String, VALUE: pl.Float64}
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(pl.lit(told_in, pl.String).alias(CURRENCY))


COMPANY = [
    *series(REVENUE, [90.0, 100.0, 110.0, 100.0]),  # 400 in twelve months
    *series(REVENUE, [80.0], [ENDS_BEFORE[-1]]),
    *series(OPERATING_INCOME, [10.0, 20.0, 30.0, 20.0]),  # 80
    *series(NET_INCOME, [5.0, 10.0, 15.0, 20.0]),  # 50
    *one(EQUITY, 250.0),
    *one(DEBT, 100.0),
    *one(ASSETS, 600.0),
    *one(SHARES, 100.0),
]


def splits(*rows: tuple[date, str, float]) -> pl.DataFrame:
    columns = {SYMBOL: pl.String, SESSION: pl.Date, KIND: pl.String, VALUE: pl.Float64}
    return pl.DataFrame([("A", *row) for row in rows], schema=columns, orient="row")
