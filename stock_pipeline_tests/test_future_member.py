"""A stock that becomes a member later is stored and seen nowhere: with its bars, every table is as without them."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.backtest.tables import DAILY_RETURNS
from stock_pipeline.core.columns import PRICES, SECTOR, SESSION, SOURCE, SYMBOL
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.market_data.tables import DAILY_BARS, FIRST, INSTRUMENT, INSTRUMENTS, LAST, UNIVERSE_MEMBERS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, SIGNALS
from stock_pipeline.stages import all_stages
from stock_pipeline.storage import Stores
from stock_pipeline.universe.tables import DAILY_UNIVERSE, NOT_MEMBER, STATUS
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions
from stock_pipeline_tests.factories.rows import INGESTION, empty_stores, put
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute_all, unchecked

COUNT, FUTURE = 110, "S10"
DAYS = sessions(COUNT + 20)
NIGHTS = (COUNT - 6, COUNT - 1)  # after a gap
OF_EVERY_STOCK = (DAILY_FEATURES, DAILY_LABELS, DAILY_UNIVERSE)
NOT_MADE = ("market_data", "maintenance", "registry/mlflow_mirror")


def lived(home: Path, with_future_member: bool) -> Stores:
    """Stores after some nights over eleven stocks, of which one rises by a twentieth every session and becomes a member later."""
    stores = empty_stores(home)
    rising = pl.when(pl.col(SYMBOL) == FUTURE).then(1.05 ** pl.col(SESSION).rank("dense").cast(pl.Float64)).otherwise(1.0)
    bars = adjusted_panel(11, COUNT, missing_share=0.02).with_columns(pl.col(price) * rising for price in PRICES)
    symbols = bars[SYMBOL].unique().sort()
    told = {"source": "tests", "basis": "raw", "actions_known": True, "known_to": None, "adj_close": None}
    rows = bars.with_columns(*(pl.lit(value).alias(name) for name, value in told.items()), pl.col(SESSION).alias("known_from"))
    if not with_future_member:
        rows = rows.filter(pl.col(SYMBOL) != FUTURE)
    members = [{SYMBOL: symbol, FIRST: DAYS[COUNT + 5] if symbol == FUTURE else DAYS[0], LAST: None} for symbol in symbols]
    put(stores, UNIVERSE_MEMBERS, members, DAYS[0], INGESTION)
    companies = [
        {INSTRUMENT: symbol, SYMBOL: symbol, SECTOR: f"sector {place % 2}", SOURCE: "tests"} for place, symbol in enumerate(symbols)
    ]
    put(stores, INSTRUMENTS, companies, DAYS[0], INGESTION)
    settings = plain_settings(home, models={"names": ["spline_ridge"]}, datasets={"folds": 2})
    stages = [unchecked(stage) for stage in all_stages(settings) if not stage.name.startswith(NOT_MADE)]
    wanted = [stage for stage in stages if stage.cadence != "training" or stage.name == "models/spline_ridge"]
    for place, night in enumerate(NIGHTS):
        put(stores, DAILY_BARS, rows.filter(pl.col(SESSION) <= DAYS[night]).select(DAILY_BARS.column_names), DAYS[night], INGESTION)
        trained = [stage for stage in wanted if place == 0 or stage.cadence != "training"]
        execute_all(trained, stores, settings, DAYS[night])
    return stores


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stores, Stores]:
    return lived(tmp_path_factory.mktemp("with"), True), lived(tmp_path_factory.mktemp("without"), False)


TABLES = tuple(
    dict.fromkeys(
        table for stage in all_stages(plain_settings(Path("nowhere"))) for table in stage.tables if not stage.name.startswith(NOT_MADE)
    )
)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.qualified_name))
def test_every_table_is_the_one_without_its_bars(table: TableSchema, homes: tuple[Stores, Stores]) -> None:
    with_it, without = (stores.read(table) for stores in homes)
    if table.qualified_name in {each.qualified_name for each in OF_EVERY_STOCK}:
        its_own = with_it.filter(pl.col(SYMBOL) == FUTURE)
        assert its_own.height > COUNT * 0.9
        with_it = with_it.filter(pl.col(SYMBOL) != FUTURE)
    assert with_it.equals(without, null_equal=True)


def test_it_is_no_member_on_any_session_and_the_nights_made_what_they_should(homes: tuple[Stores, Stores]) -> None:
    rows: dict[str, Any] = dict(homes[0].read(DAILY_UNIVERSE).filter(pl.col(SYMBOL) == FUTURE)[STATUS].value_counts().iter_rows())
    assert set(rows) == {NOT_MEMBER}
    nights = [DAYS[place] for place in range(NIGHTS[0], COUNT)]
    for table in (DAILY_PREDICTIONS, SIGNALS):
        assert homes[0].read(table)[SESSION].unique().sort().to_list() == nights
    assert homes[0].count(DAILY_RETURNS) > 20
