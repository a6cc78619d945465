"""What marks a book is the return from one session to the next, whatever horizon models predict: whole stages against plain loops."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import fmean

import polars as pl
import pytest
from scipy.stats import spearmanr

from stock_pipeline.backtest.assets import STAGES as BACKTEST
from stock_pipeline.backtest.tables import DAILY_RETURNS, METRICS
from stock_pipeline.core.columns import MODEL, OPEN, SCORE, SESSION, SYMBOL, VERSION
from stock_pipeline.performance.tables import DAILY_PERFORMANCE, PERFORMANCE_LOG
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.harness.performance_nights import CHANGE, COUNT, DAYS, FIRST, LOG, MEASURE, SYMBOLS, Nights, said_on

LAST, COST = COUNT - 1, 0.001
MODELS = ("direction", "lightgbm", "stack")
OPENS: Mapping[tuple[str, date], float] = {
    (symbol, day): price for symbol, day, price in adjusted_panel(SYMBOLS, COUNT, missing_share=0.05).select(SYMBOL, SESSION, OPEN).rows()
}
BOOKED = range(FIRST, LAST - 1)  # the nights whose one-session returns are known


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    return Nights.begun(tmp_path_factory.mktemp("begun"))


@pytest.fixture(scope="module", params=[(5, 1), (5,), (1, 5)], ids=str)
def nights(request: pytest.FixtureRequest, begun: Nights, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    made = begun.copied(tmp_path_factory.mktemp("nights"), labels={"horizons": request.param})
    made.brought(FIRST, LAST)
    for stage in (MEASURE, LOG, *BACKTEST):
        made.run(stage, LAST)
    return made


def earned(symbol: str, place: int, horizon: int = 1) -> float | None:
    """From the open after the night of that number to the open so many sessions later, unless a bar is missing."""
    if place + 1 + horizon > LAST or (symbol, DAYS[place]) not in OPENS:
        return None
    bought, sold = (OPENS.get((symbol, DAYS[place + 1 + ahead])) for ahead in (0, horizon))
    return None if bought is None or sold is None else sold / bought - 1


def scores(model: str, place: int) -> list[tuple[str, float]]:
    """What the active version said, best first."""
    version = 2 if model == "lightgbm" and place >= CHANGE else 1
    said = said_on(place).filter((pl.col(MODEL) == model) & (pl.col(VERSION) == version))
    return said.sort(SCORE, descending=True).select(SYMBOL, SCORE).rows()


def known(model: str, place: int, horizon: int = 1) -> list[tuple[float, float]]:
    """Score and return of the stocks that have one, best score first."""
    pairs = [(score, earned(symbol, place, horizon)) for symbol, score in scores(model, place)]
    return [(score, gain) for score, gain in pairs if gain is not None]


def equity_by_hand(model: str) -> list[float]:
    """An equally weighted book of the two best stocks, in dollars, which pays for what it buys and sells."""
    held: dict[str, float] = {}
    equity, path = 1.0, []
    for place in BOOKED:
        picks = {symbol: gain for symbol, _ in scores(model, place)[:2] if (gain := earned(symbol, place)) is not None}
        wanted = {symbol: equity / len(picks) for symbol in picks}
        traded = sum(abs(wanted.get(symbol, 0.0) - held.get(symbol, 0.0)) for symbol in {*wanted, *held})
        left = 1 - traded / equity * COST
        held = {symbol: wanted[symbol] * left * (1 + gain) for symbol, gain in picks.items()}
        equity = sum(held.values()) if picks else equity * left
        path.append(equity)
    return path


@pytest.mark.parametrize("model", MODELS)
def test_a_backtest_earns_what_a_book_in_dollars_earns(model: str, nights: Nights) -> None:
    daily = nights.stores.read(DAILY_RETURNS).filter(pl.col(MODEL) == model)
    assert daily[SESSION].to_list() == [DAYS[place] for place in BOOKED]
    assert daily["equity"].to_list() == pytest.approx(equity_by_hand(model))
    market = [fmean(gain for _, gain in known(model, place)) for place in BOOKED]
    assert daily["benchmark_return"].to_list() == pytest.approx(market)
    figures = dict(nights.stores.read(METRICS).filter(pl.col(MODEL) == model).select("metric", "value").iter_rows())
    assert figures["total_return"] == pytest.approx(equity_by_hand(model)[-1] - 1)


@pytest.mark.parametrize("model", MODELS)
def test_sessions_earn_one_session_s_returns_and_scores_are_judged_by_what_they_predict(model: str, nights: Nights) -> None:
    horizon = nights.settings.labels.horizons[0]
    judged = range(FIRST, LAST - horizon)
    rows = {row[SESSION]: row for row in nights.stores.read(DAILY_PERFORMANCE).filter(pl.col(MODEL) == model).iter_rows(named=True)}
    assert list(rows) == [DAYS[place] for place in judged]
    for place in judged:
        row, outcomes, said = rows[DAYS[place]], known(model, place, horizon), scores(model, place)
        tenth = len(said) // 10
        long, short = (
            [gain for symbol, _ in side if (gain := earned(symbol, place)) is not None] for side in (said[:tenth], said[-tenth:])
        )
        assert row["long_short_return"] == pytest.approx((fmean(long) if long else 0.0) - (fmean(short) if short else 0.0))
        assert (row["stocks"], row["rank_ic"]) == (len(outcomes), pytest.approx(spearmanr(*zip(*outcomes, strict=True)).statistic))
        mean = fmean(gain for _, gain in outcomes)
        assert row["sign_accuracy"] == pytest.approx(fmean((score > 0) == (gain > mean) for score, gain in outcomes))
    assert_logged(model, nights, [rows[DAYS[place]]["rank_ic"] for place in judged])


def assert_logged(model: str, nights: Nights, rank_ics: Sequence[float]) -> None:
    """The log of the last night tells of the same sessions' returns and rank ICs."""
    (row,) = nights.stores.read(PERFORMANCE_LOG).filter(pl.col(MODEL) == model).iter_rows(named=True)
    bought = [
        [gain - 2 * COST for symbol, _ in scores(model, place)[:2] if (gain := earned(symbol, place)) is not None] for place in BOOKED
    ]
    assert (row["sessions"], row["trades"]) == (len(BOOKED), sum(map(len, bought)))
    assert row["mean_return"] == pytest.approx(fmean(fmean(gains) if gains else 0.0 for gains in bought))
    assert row["win_rate"] == pytest.approx(fmean(gain > 0 for gains in bought for gain in gains))
    assert row["rank_ic"] == pytest.approx(fmean(rank_ics))


def test_the_page_tells_of_the_sessions_without_predictions(begun: Nights, tmp_path: Path) -> None:
    made = begun.copied(tmp_path)
    for first, last in ((FIRST, FIRST + 1), (FIRST + 5, FIRST + 6), (FIRST + 8, LAST)):
        made.brought(first, last)
    output = made.run(BACKTEST[0], LAST).output
    assert output is not None and output.facts["note"]
    found = output.tables["sessions_left_out"].filter(pl.col(MODEL) == "stack")
    assert found.drop(MODEL).rows() == [(DAYS[FIRST + 1], DAYS[FIRST + 5], 3), (DAYS[FIRST + 6], DAYS[FIRST + 8], 1)]
