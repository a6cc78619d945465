import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL
from stock_pipeline.features.compute import compute_features
from stock_pipeline_tests.factories.feature_bars import BY_NAME, bars, last
from stock_pipeline_tests.factories.panels import adjusted_panel

PLAIN = {
    "return_1_rank": "return_1",
    "return_5_rank": "return_5",
    "return_20_rank": "return_20",
    "volatility_20_rank": "volatility_20",
}


@pytest.mark.parametrize("name", PLAIN)
def test_ranks_are_those_of_the_plain_feature_among_the_session_s_bars(name: str) -> None:
    panel = adjusted_panel(symbols=7, count=40, missing_share=0.1)
    result = compute_features(panel, [BY_NAME[name], BY_NAME[PLAIN[name]]])
    for _, rows in result.group_by(SESSION):
        there = rows.drop_nulls(PLAIN[name]).sort(PLAIN[name])
        expected = [(position + 0.5) / there.height for position in range(there.height)]
        assert there[name].to_list() == pytest.approx(expected)
        assert rows[name].null_count() == rows[PLAIN[name]].null_count()


def test_ties_share_their_mean_rank() -> None:
    panel = pl.concat([bars([10, close], symbol=symbol) for symbol, close in (("A", 10), ("B", 10), ("C", 12), ("D", 9))])
    assert [last(panel, "return_1_rank", symbol) for symbol in "ABCD"] == [0.5, 0.5, 0.875, 0.125]


def test_stocks_that_moved_alike_stay_tied_however_their_prices_are_scaled() -> None:
    panel = pl.concat([bars([10 * k, 11 * k], symbol=s) for s, k in (("A", 1), ("B", 0.1), ("C", 1 / 3), ("D", 0.7))])
    assert [last(panel, "return_1_rank", symbol) for symbol in "ABCD"] == [0.5] * 4


def test_beta_and_residual_are_those_of_the_regression_on_the_mean_return() -> None:
    panel = adjusted_panel(symbols=5, count=61)
    closes = panel.pivot(SYMBOL, index=SESSION, values=CLOSE).drop(SESSION).to_numpy()
    returns = closes[1:] / closes[:-1] - 1
    market = returns.mean(axis=1)
    for position in range(5):
        beta = np.polyfit(market, returns[:, position], 1)[0]
        residual = (returns[-20:, position] - beta * market[-20:]).mean()
        assert last(panel, "beta_60", f"S{position:02d}") == pytest.approx(beta, rel=1e-5)
        assert last(panel, "residual_return_20", f"S{position:02d}") == pytest.approx(residual, rel=1e-4)


def returns_with_gaps(closes: list[float | None]) -> list[float | None]:
    """Daily returns: 0 where a price is carried, over five sessions at most; the first after a gap is over all of it."""
    found, at = list[float | None](), -100
    for place, close in enumerate(closes):
        before = closes[at] if 0 < place - at <= 6 else None
        if close is None:
            found.append(0.0 if place - at <= 5 else None)
        else:
            found.append(None if before is None else close / before - 1)
            at = place
    return found


def test_beta_and_residual_of_a_stock_with_gaps_are_taken_where_it_has_a_return() -> None:
    panel = adjusted_panel(symbols=6, count=61)
    days = panel[SESSION].unique().sort()
    # Seven sessions are longer than a price is carried, so that the return after them is not known either.
    gaps = {"S01": (*range(43, 50), 55), "S02": (30, 40, 59), "S03": ()}
    for symbol, places in gaps.items():
        panel = panel.filter((pl.col(SYMBOL) != symbol) | ~pl.col(SESSION).is_in([days[place] for place in places]))
    wide = panel.pivot(SYMBOL, index=SESSION, values=CLOSE).sort(SESSION).drop(SESSION)
    returns = {symbol: returns_with_gaps(wide[symbol].to_list()) for symbol in wide.columns}
    of_bars = [
        [earned[place] for symbol, earned in returns.items() if wide[symbol][place] is not None and earned[place] is not None]
        for place in range(61)
    ]
    market = [np.mean(earned) if earned else None for earned in of_bars]  # type: ignore[arg-type]
    for symbol in gaps:
        both = [(place, own, market[place]) for place, own in enumerate(returns[symbol]) if own is not None]
        beta = np.polyfit([common for _, _, common in both], [own for _, own, _ in both], 1)[0]  # type: ignore[arg-type]
        residual = np.mean([own - beta * common for place, own, common in both if place > 40])
        assert last(panel, "beta_60", symbol) == pytest.approx(beta, rel=1e-5), symbol
        assert last(panel, "residual_return_20", symbol) == pytest.approx(residual, rel=1e-4), symbol


def test_a_market_of_one_stock_explains_it_all() -> None:
    panel = adjusted_panel(symbols=1, count=70)
    assert last(panel, "beta_60", "S00") == pytest.approx(1)
    assert last(panel, "residual_return_20", "S00") == pytest.approx(0, abs=1e-10)
    assert last(panel, "return_1_rank", "S00") == 0.5
