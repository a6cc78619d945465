from datetime import date

import polars as pl
import pytest

from stock_pipeline.predictions.charts import prediction_bars
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS

PNG = b"\x89PNG\r\n\x1a\n"


def rows(count: int, predicted: bool = True) -> pl.DataFrame:
    places = pl.int_range(count, eager=True)
    return pl.DataFrame({"symbol": [f"S{i:03d}" for i in range(count)]}).select(
        "symbol",
        session=pl.lit(date(2020, 3, 5)),
        model=pl.lit("ridge"),
        score=(places - count / 2) / 100,
        predicted_excess_return=((places - count / 2) / 100 if predicted else pl.lit(None, pl.Float64)),
    )


@pytest.mark.parametrize("frame", [rows(60), rows(5), rows(60, predicted=False), DAILY_PREDICTIONS.empty()])
def test_a_picture_of_any_number_of_stocks(frame: pl.DataFrame) -> None:
    assert prediction_bars(frame).startswith(PNG)


def test_the_same_rows_in_another_order_give_the_same_picture() -> None:
    assert prediction_bars(rows(30)) == prediction_bars(rows(30).reverse())
    assert prediction_bars(rows(30)) != prediction_bars(rows(31))
