"""A machine that was off for weeks, on files of one's own: it comes to the same tables as one that never was."""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import PRICES, SESSION, SYMBOL, TRAINING_ID, VERSION, VOLUME
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.market_data.sources.sample import SampleSource
from stock_pipeline.market_data.tables import DAILY_BARS, INSTRUMENTS
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, SIGNALS
from stock_pipeline.registry.tables import MODEL_VERSIONS
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.harness.default_stages import TABLES
from stock_pipeline_tests.harness.invocation import invoke

EARLIER, LAST = date(2010, 5, 3), date(2010, 6, 11)
SYMBOLS = 40
EVENTS = {"market_data.bar_flags"}  # not of every session
# Tables that hold only sessions whose outcome is known.
AWAIT_OUTCOMES = {
    "models.out_of_fold_predictions",
    "models.shap_values",
    "performance.daily_performance",
    "backtest.daily_returns",
}
QUICK = {"STOCK_PIPELINE_REGISTRY__MIRROR_TO_MLFLOW": "false"}


@dataclass(frozen=True)
class Homes:
    """Two data directories: one brought up in one run, one as of an earlier session first."""

    direct: Stores
    caught_up: Stores
    last_before: dict[str, date]  # by table, the last session that the second had reached after its first run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bars of 40 stocks of the sample in two files, under names that users' files have."""
    folder = tmp_path_factory.mktemp("own_files")
    told = next(SampleSource().fetch(None)).data.bars.filter(pl.col(SESSION) <= LAST)
    bars = told.select(SYMBOL, SESSION, *PRICES, VOLUME).rename({SYMBOL: "Ticker", SESSION: "Date"})
    most_traded = bars.group_by("Ticker").agg(pl.len(), pl.col("volume").sum()).sort("len", "volume", "Ticker", descending=True)
    chosen = most_traded["Ticker"].head(SYMBOLS).sort()
    for name, symbols in (("one", chosen[: SYMBOLS // 2]), ("two", chosen[SYMBOLS // 2 :])):
        bars.filter(pl.col("Ticker").is_in(symbols.implode())).write_csv(folder / f"{name}.csv")
    return folder


@pytest.fixture(scope="module")
def homes(folder: Path) -> Homes:
    direct, caught_up = folder / "direct", folder / "caught_up"
    run(direct, folder)
    run(caught_up, folder, "--as-of", str(EARLIER))
    stores = open_stores(caught_up)
    reached = {
        table.qualified_name: stores.read(table)[SESSION].max()
        for table in TABLES
        if table.session_column == SESSION and stores.count(table)
    }
    run(caught_up, folder)
    return Homes(open_stores(direct), stores, {name: day for name, day in reached.items() if isinstance(day, date)})


def run(home: Path, folder: Path, *arguments: str) -> None:
    ended = invoke(home, "run", "--source", "files", "--path", str(folder / "*.csv"), "--models", "spline_ridge", *arguments, **QUICK)
    assert ended.exit_code == 0, ended.output


def sessions_of(stores: Stores, table: TableSchema) -> list[date]:
    days: list[date] = stores.read(table)[SESSION].unique().sort().to_list()
    return days


def test_every_column_name_and_both_files_are_read(homes: Homes) -> None:
    assert homes.direct.count(INSTRUMENTS) == SYMBOLS
    assert homes.direct.read(DAILY_BARS)["source"].unique().to_list() == ["files"]
    assert (sessions_of(homes.direct, DAILY_BARS)[0], sessions_of(homes.direct, DAILY_BARS)[-1]) == (date(2009, 8, 21), LAST)


def test_a_run_as_of_an_earlier_session_sees_nothing_later(homes: Homes) -> None:
    assert {day for name, day in homes.last_before.items() if name not in AWAIT_OUTCOMES | EVENTS} == {EARLIER}
    assert all(homes.last_before[name] < EARLIER for name in AWAIT_OUTCOMES)
    assert set(homes.last_before) >= {table.qualified_name for table in (DAILY_BARS, DAILY_FEATURES, DAILY_LABELS, SIGNALS)}


@pytest.mark.parametrize("table", [DAILY_BARS, INSTRUMENTS, DAILY_FEATURES, DAILY_LABELS], ids=lambda table: table.qualified_name)
def test_a_table_that_caught_up_is_the_one_made_at_once(table: TableSchema, homes: Homes) -> None:
    assert homes.caught_up.content_hash(table) == homes.direct.content_hash(table)


@pytest.mark.parametrize("table", [DAILY_PREDICTIONS, SIGNALS, SUGGESTED_STOCKS], ids=lambda table: table.qualified_name)
def test_every_night_that_was_missed_is_filled(table: TableSchema, homes: Homes) -> None:
    nights = [day for day in sessions_of(homes.caught_up, DAILY_BARS) if day >= EARLIER]
    assert len(nights) == 29
    assert sessions_of(homes.caught_up, table) == nights


def test_a_missed_night_is_predicted_by_the_version_that_served_then(homes: Homes) -> None:
    versions = homes.caught_up.read(MODEL_VERSIONS).sort("model", VERSION)
    ridges, stacks = (versions.filter(pl.col("model") == model) for model in ("spline_ridge", STACK))
    assert ridges["as_of"].to_list() == [EARLIER, LAST]
    promoted = ridges["status"][1] == "active"
    assert stacks["as_of"].to_list() == [EARLIER, LAST][: 1 + promoted]  # which follows it
    predicted = homes.caught_up.read(DAILY_PREDICTIONS)
    for model, of_model in (("spline_ridge", ridges), (STACK, stacks)):
        said = predicted.filter(pl.col("model") == model)
        assert said.filter(pl.col(SESSION) < LAST)[TRAINING_ID].unique().to_list() == [of_model[TRAINING_ID][0]]
        assert of_model[TRAINING_ID][int(promoted)] in said.filter(pl.col(SESSION) == LAST)[TRAINING_ID].to_list()


def test_a_signal_of_a_missed_night_is_meant_for_the_session_after_it(homes: Homes) -> None:
    calendar = trading_calendar("XNYS")
    signals = homes.caught_up.read(SIGNALS).select(SESSION, "next_session").unique().sort(SESSION)
    assert signals["next_session"].to_list() == [calendar.next_session(day) for day in signals[SESSION]]
    assert all(a < b for a, b in pairwise(signals["next_session"]))
