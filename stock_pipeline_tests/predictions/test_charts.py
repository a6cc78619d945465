from datetime import date

import polars as pl
import pytest

from stock_pipeline.core.charts import alternative_text
from stock_pipeline.predictions.charts import PALE, prediction_bars
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline_tests.harness.figures import assert_legible, watched, written

COST = 10.0  # basis points a side: 0.2 % to buy and sell
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
    assert prediction_bars(frame, COST).startswith(PNG)


def test_the_same_rows_in_another_order_give_the_same_picture() -> None:
    assert prediction_bars(rows(30), COST) == prediction_bars(rows(30).reverse(), COST)
    assert prediction_bars(rows(30), COST) != prediction_bars(rows(31), COST)


def test_rounding_errors_are_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    prediction_bars(rows(5).with_columns(predicted_excess_return=pl.lit(3.67e-21)), COST)
    assert [text for text in written(saved[0]) if text.endswith("%") and text[:-1] in ("0", "+3.67e-19")] == ["0%"] * 5


# Returns of 60 stocks reach from -30 % to 29 % in steps of 1 %: a cost of 25 % is reached by 11 stocks, one of 50 % by none.
@pytest.mark.parametrize(
    ("bps_per_side", "cost", "reached", "pale"), [(1250.0, 25.0, "11", 9), (2500.0, 50.0, "none", 20), (0.0, 0.0, None, 0)]
)
def test_what_costs_would_eat_up_is_pale_and_within_lines_that_are_seen(
    bps_per_side: float, cost: float, reached: str | None, pale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = watched(monkeypatch)
    content = prediction_bars(rows(60), bps_per_side)
    (figure,) = saved
    assert_legible(figure, content)
    (ax,) = figure.axes
    values = [*range(29, 19, -1), *range(-21, -31, -1)]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(values)  # type: ignore[attr-defined]
    assert [bar.get_alpha() for bar in ax.patches].count(PALE) == pale
    dashed = [line.get_xdata()[0] for line in ax.get_lines() if line.get_linestyle() == "--"]  # type: ignore[index]
    assert dashed == ([-cost, cost] if cost else [])
    low, high = ax.get_xlim()
    assert low < -max(cost, 30) and high > max(cost, 29)
    assert f"Predicted excess returns beyond the cost of buying and selling, {cost:g}%: {reached} of 60" in ax.get_title("left") or not cost
    assert "ridge after the close of 2020-03-05: 20 of 60 stocks" in ax.get_title("left") and ax.get_xlabel().endswith("%")
    assert {"+29%", "+20%", "-21%", "-30%"} <= set(written(figure))
    assert "S059 +29%, S058 +28%" in alternative_text(content) and alternative_text(content).endswith("S000 -30%")


def test_scores_have_no_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    content = prediction_bars(rows(60, predicted=False), COST)
    (ax,) = saved[0].axes
    assert_legible(saved[0], content)
    assert (ax.get_xlabel(), "cost" in ax.get_title("left"), {bar.get_alpha() for bar in ax.patches}) == ("score", False, {1.0})
