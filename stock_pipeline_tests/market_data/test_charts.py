import polars as pl
import pytest
from matplotlib.colors import to_hex

from stock_pipeline.core.charts import BLUE, ORANGE, alternative_text
from stock_pipeline.core.columns import OPEN, SYMBOL, VOLUME
from stock_pipeline.market_data.charts import SESSIONS_SHOWN, candlesticks, most_traded
from stock_pipeline.market_data.tables import BASIS, RAW, SPLIT_ADJUSTED
from stock_pipeline_tests.factories.market_rows import DAYS, bar, bars, series
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.harness.figures import assert_legible, watched, written


def test_the_most_traded_have_the_largest_mean_turnover() -> None:
    frame = bars(bar("A"), bar("B") | {VOLUME: 300.0}, bar("C", close=20.0), bar("C", DAYS[1], close=20.0), bar("D"))
    assert most_traded(frame) == ["B", "C", "A"]
    assert most_traded(frame, 9) == ["B", "C", "A", "D"]


def test_candlesticks_are_a_picture_that_is_the_same_every_time() -> None:
    panel = adjusted_panel(symbols=4, count=SESSIONS_SHOWN + 5).with_columns(pl.lit(RAW).alias(BASIS))
    chart = candlesticks(panel, "USD")
    assert chart.startswith(b"\x89PNG")
    assert candlesticks(panel.reverse(), "USD") == chart
    assert candlesticks(panel.head(panel.height // 2), "USD") != chart


def test_titles_tell_stocks_span_currency_and_what_the_colours_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    of_both = bars(*series("A", [10.0, 11.5, 12.0]), *series("B", [50.0, 51.0, 1049.5]))
    basis = pl.when(pl.col(SYMBOL) == "B").then(pl.lit(SPLIT_ADJUSTED)).otherwise(pl.lit(RAW)).alias(BASIS)
    content = candlesticks(of_both.with_columns(basis), "EUR")
    (figure,) = saved
    assert_legible(figure, content)
    assert "3 sessions to 2012-01-05: B, A" in figure.get_suptitle() and "Blue" in figure.get_suptitle()
    assert [ax.get_title("left") for ax in figure.axes] == [
        "B, adjusted for splits: last close 1,049.50 EUR",
        "A, as traded: last close 12.00 EUR",
    ]
    assert {ax.get_ylabel() for ax in figure.axes} == {"price, EUR"}
    assert "A, as traded: last close 12.00 EUR" in alternative_text(content)


def test_a_session_stands_at_the_same_place_for_every_stock_and_rises_and_falls_have_their_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    rows = bars(*series("A", [10.0, None, 12.0]), *series("B", [50.0, 51.0, 52.0])).with_columns(
        pl.when(pl.col(SYMBOL) == "B").then(60.0).otherwise(OPEN).alias(OPEN)
    )
    candlesticks(rows, "USD")
    of_b, of_a = saved[0].axes
    assert [[bar.get_x() + bar.get_width() / 2 for bar in ax.patches] for ax in (of_b, of_a)] == [[0, 1, 2], [0, 2]]  # type: ignore[attr-defined]
    assert [{to_hex(bar.get_facecolor()) for bar in ax.patches} for ax in (of_b, of_a)] == [{ORANGE}, {BLUE}]
    # A bar that closes where it opened has an edge, and no height.
    assert {(bar.get_height(), bar.get_linewidth() > 0) for bar in of_a.patches} == {(0.0, True)}  # type: ignore[attr-defined]
    assert written(saved[0]).count("2012-01-03") == 2


def test_a_single_bar_can_be_drawn() -> None:
    assert candlesticks(bars(*series("A", [10.0])), "USD").startswith(b"\x89PNG")
