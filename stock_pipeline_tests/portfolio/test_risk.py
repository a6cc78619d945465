import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.portfolio.risk import risk_figures
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions

DAYS = sessions(60)


def bars(symbol: str, closes: list[float], volumes: list[float] | None = None) -> pl.DataFrame:
    """Bars on the last sessions up to DAYS[-1]."""
    return pl.DataFrame(
        {"symbol": symbol, "session": DAYS[-len(closes) :], "close": closes, "volume": volumes or [1000.0] * len(closes)},
        schema_overrides={"symbol": pl.String},
    )


def test_figures_against_numpy() -> None:
    panel = adjusted_panel(symbols=3, count=60)
    found = risk_figures(panel, DAYS[-1])
    for row in found.iter_rows(named=True):
        one = panel.filter(pl.col("symbol") == row["symbol"])
        closes, volumes = one["close"].to_numpy(), one["volume"].to_numpy()
        assert row["close"] == closes[-1]
        assert row["volatility"] == pytest.approx(np.diff(np.log(closes[-21:])).std(ddof=1) * np.sqrt(252))
        assert row["dollar_volume"] == pytest.approx(np.median((closes * volumes)[-20:]))
    assert found["symbol"].to_list() == ["S00", "S01", "S02"]


def test_neither_later_sessions_nor_those_before_the_window_matter() -> None:
    panel = adjusted_panel(symbols=3, count=60)
    window = panel.filter(pl.col("session").is_between(DAYS[19], DAYS[39]))
    assert_frame_equal(risk_figures(panel, DAYS[39]), risk_figures(window, DAYS[39]))


def test_a_stock_that_did_not_trade_on_the_session_is_left_out() -> None:
    panel = adjusted_panel(symbols=2, count=60).filter(~((pl.col("symbol") == "S00") & (pl.col("session") == DAYS[-1])))
    assert risk_figures(panel, DAYS[-1])["symbol"].to_list() == ["S01"]


def test_few_returns_give_no_volatility() -> None:
    full = bars("FULL", [10.0 + i % 2 for i in range(30)])
    young = bars("YOUNG", [10.0 + i % 2 for i in range(10)])
    grown = bars("GROWN", [10.0 + i % 2 for i in range(11)])
    found = risk_figures(pl.concat([full, young, grown]), DAYS[-1])
    assert dict(found.select("symbol", pl.col("volatility").is_null()).rows()) == {"FULL": False, "GROWN": False, "YOUNG": True}


def test_a_price_before_and_after_a_gap_makes_no_return() -> None:
    steady = bars("FULL", [10.0] * 30)
    jump = bars("LEAP", [10.0] * 15 + [20.0] * 15).filter(pl.col("session") != DAYS[-15])
    found = risk_figures(pl.concat([steady, jump]), DAYS[-1])
    assert found["volatility"].to_list() == [0.0, 0.0]


def test_a_stock_listed_the_session_after_another_went_has_no_return_from_the_other_s_price() -> None:
    """The last bar of one symbol and the first of the next lie one session apart."""
    gone = bars("A", [10.0 + i % 2 for i in range(40)]).filter(pl.col("session") < DAYS[-11])
    listed = bars("B", [500.0 + i % 2 for i in range(11)])
    found = risk_figures(pl.concat([gone, listed]).sample(fraction=1, shuffle=True, seed=2), DAYS[-1])
    returns = np.diff(np.log([500.0 + i % 2 for i in range(11)]))
    assert found.select("symbol", "close").rows() == [("B", 500.0)]
    assert found["volatility"].to_list() == pytest.approx([returns.std(ddof=1) * np.sqrt(252)])
    shorter = risk_figures(pl.concat([bars("A", [10.0] * 40).filter(pl.col("session") < DAYS[-10]), listed.tail(10)]), DAYS[-1])
    assert shorter["volatility"].to_list() == [None]


def test_a_session_without_bars_gives_no_rows() -> None:
    assert risk_figures(adjusted_panel(symbols=2, count=20).head(0), DAYS[-1]).is_empty()
