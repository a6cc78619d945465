from stock_pipeline.core.columns import VOLUME
from stock_pipeline.market_data.charts import SESSIONS_SHOWN, candlesticks, most_traded
from stock_pipeline_tests.factories.market_rows import DAYS, bar, bars, series
from stock_pipeline_tests.factories.panels import adjusted_panel


def test_the_most_traded_have_the_largest_mean_turnover() -> None:
    frame = bars(bar("A"), bar("B") | {VOLUME: 300.0}, bar("C", close=20.0), bar("C", DAYS[1], close=20.0), bar("D"))
    assert most_traded(frame) == ["B", "C", "A"]
    assert most_traded(frame, 9) == ["B", "C", "A", "D"]


def test_candlesticks_are_a_picture_that_is_the_same_every_time() -> None:
    panel = adjusted_panel(symbols=4, count=SESSIONS_SHOWN + 5)
    chart = candlesticks(panel)
    assert chart.startswith(b"\x89PNG")
    assert candlesticks(panel.reverse()) == chart
    assert candlesticks(panel.head(panel.height // 2)) != chart


def test_a_single_bar_can_be_drawn() -> None:
    assert candlesticks(bars(*series("A", [10.0]))).startswith(b"\x89PNG")
