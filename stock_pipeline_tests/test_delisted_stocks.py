"""Stocks whose return over the predicted horizon never became known: scored, held and in the benchmark all the same."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from statistics import fmean

import polars as pl
import pytest

from stock_pipeline.backtest.tables import DAILY_RETURNS
from stock_pipeline.core.columns import FORWARD_RETURN, MODEL, OPEN, PRICES, SCORE, SESSION, SYMBOL, TARGET, VOLUME
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.models.metrics import overall
from stock_pipeline.models.tables import MODEL_METRICS, OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.stages import all_stages
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions
from stock_pipeline_tests.factories.rows import INGESTION, empty_stores, put
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute_all, unchecked

COUNT, SYMBOLS, HORIZON, TOP_SHARE = 120, 12, 5, 0.5
DAYS = sessions(COUNT)
LAST_BARS = {"S03": 97, "S07": 100}  # of the stocks that are delisted, by the number of the session
HALTED, HALT = "S05", 103  # whose volume is zero on that session
ROOMS = ("universe", "features", "labels", "datasets", "models/spline_ridge", "registry/model_versions", "registry/stack", "backtest")
MODELS = ("spline_ridge", "stack")


def made_bars() -> pl.DataFrame:
    """Bars of stocks of which two lose a tenth a session at the end, then have no bar, and one is once not traded."""
    bars = adjusted_panel(SYMBOLS, COUNT).with_columns(pl.col(SESSION).rank("dense").over(SYMBOL).cast(pl.Int64).alias("place") - 1)
    last = pl.col(SYMBOL).replace_strict(LAST_BARS, default=COUNT, return_dtype=pl.Int64)
    fallen = 0.9 ** (pl.col("place") - last + HORIZON).clip(0)
    halted = (pl.col(SYMBOL) == HALTED) & (pl.col("place") == HALT)
    return bars.filter(pl.col("place") <= last).with_columns(
        *(pl.col(price) * fallen for price in PRICES), pl.when(~halted).then(VOLUME).otherwise(0.0).alias(VOLUME)
    )


BARS: Mapping[tuple[str, int], tuple[float, float]] = {
    (symbol, place): (price, volume) for symbol, place, price, volume in made_bars().select(SYMBOL, "place", OPEN, VOLUME).iter_rows()
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """What one night makes of them, where returns over five sessions are predicted."""
    stores = empty_stores(tmp_path_factory.mktemp("home"))
    told = {"source": "tests", "basis": "raw", "actions_known": True, "known_to": None, "adj_close": None}
    rows = made_bars().with_columns(*(pl.lit(value).alias(name) for name, value in told.items()), pl.col(SESSION).alias("known_from"))
    put(stores, DAILY_BARS, rows.select(DAILY_BARS.column_names), DAYS[-1], INGESTION)
    settings = plain_settings(
        Path(stores.home),
        models={"names": ["spline_ridge"]},
        datasets={"folds": 2},
        labels={"horizons": [HORIZON, 1]},
        backtest={"top_share": TOP_SHARE},
    )
    execute_all([unchecked(stage) for stage in all_stages(settings) if stage.name.startswith(ROOMS)], stores, settings, DAYS[-1])
    return stores


def earned(symbol: str, place: int, horizon: int) -> float | None:
    """From the open after the night to the open so many sessions later, both traded; None where there is none, or none yet."""
    bought, sold = (BARS.get((symbol, place + 1 + ahead), (0.0, 0.0)) for ahead in (0, horizon))
    return sold[0] / bought[0] - 1 if bought[1] and sold[1] else None


def places_of_folds(stores: Stores) -> list[int]:
    """The numbers of the sessions that a fold tests."""
    ranges = stores.read(WALK_FORWARD_SPLITS).select("test_from", "test_to").rows()
    return [place for place, day in enumerate(DAYS) if any(first <= day <= last for first, last in ranges)]


def said(stores: Stores, model: str) -> dict[tuple[date, str], tuple[float, float | None, float | None]]:
    rows = stores.read(OUT_OF_FOLD_PREDICTIONS).filter(pl.col(MODEL) == model)
    return {(day, symbol): tuple(row) for day, symbol, *row in rows.select(SESSION, SYMBOL, SCORE, TARGET, FORWARD_RETURN).rows()}


@pytest.mark.parametrize("model", MODELS)
def test_every_stock_with_a_bar_is_scored_out_of_fold(model: str, stores: Stores) -> None:
    places, found = places_of_folds(stores), said(stores, model)
    assert set(found) == {(DAYS[place], symbol) for symbol, place in BARS if place in places}
    # No outcome of a later session is known.
    assert places[-1] == COUNT - 1 - 1 - HORIZON and set(LAST_BARS.values()) | {HALT} < set(places)
    for place in places:
        outcomes = {symbol: earned(symbol, place, HORIZON) for symbol, at in BARS if at == place}
        targets = sorted(target for (day, _), (_, target, _) in found.items() if day == DAYS[place] and target is not None)
        # Targets are ranks among the stocks whose outcome is known.
        known = [outcome for outcome in outcomes.values() if outcome is not None]
        assert targets == pytest.approx([rank / (len(known) - 1) - 0.5 for rank in range(len(known))])
        for symbol, outcome in outcomes.items():
            _, target, gain = found[DAYS[place], symbol]
            assert (gain is None, target is None) == (outcome is None, outcome is None)
            assert gain == (None if outcome is None else pytest.approx(outcome))
    unknown = {symbol: sum(1 for (_, name), (_, target, _) in found.items() if name == symbol and target is None) for symbol in LAST_BARS}
    assert unknown == dict.fromkeys(LAST_BARS, HORIZON + 1)


@pytest.mark.parametrize("model", MODELS)
def test_they_stand_in_the_book_and_in_the_benchmark(model: str, stores: Stores) -> None:
    found, daily = said(stores, model), stores.read(DAILY_RETURNS).filter(pl.col(MODEL) == model)
    assert daily[SESSION].to_list() == [DAYS[place] for place in places_of_folds(stores)]
    held_at_last = 0
    for place, row in zip(places_of_folds(stores), daily.iter_rows(named=True), strict=True):
        best_first = sorted((symbol for day, symbol in found if day == DAYS[place]), key=lambda name: -found[DAYS[place], name][0])
        picked = best_first[: int(len(best_first) * TOP_SHARE)]
        gains = {symbol: gain for symbol in best_first if (gain := earned(symbol, place, 1)) is not None}
        bought = [symbol for symbol in picked if symbol in gains]
        assert (row["holdings"], row["unfilled"]) == (len(bought), len(picked) - len(bought))
        assert row["gross_return"] == pytest.approx(fmean(gains[symbol] for symbol in bought))
        assert row["benchmark_return"] == pytest.approx(fmean(gains.values()))
        held_at_last += sum(earned(symbol, place, HORIZON) is None for symbol in bought if symbol in LAST_BARS)
    assert held_at_last


@pytest.mark.parametrize("model", MODELS)
def test_they_count_in_no_figure_that_rests_on_outcomes(model: str, stores: Stores) -> None:
    known = sum(target is not None for _, target, _ in said(stores, model).values())
    figures = overall(stores.read(MODEL_METRICS).filter(pl.col(MODEL) == model))
    assert dict(figures.select("metric", "observations").iter_rows())["mae"] == known < len(said(stores, model))
    (rows,) = stores.read(TRAININGS).filter(pl.col(MODEL) == model)["rows"]
    labelled = sum(earned(symbol, place, HORIZON) is not None for symbol, place in BARS)
    assert rows == known if model == "stack" else known < rows <= labelled
