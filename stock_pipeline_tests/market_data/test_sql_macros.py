"""The store as of a night for readers of SQL: the same as by Python."""

from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.reading import ACTION_COLUMNS, BAR_COLUMNS, actions_known, adjusted_bars, raw_bars
from stock_pipeline.market_data.tables import CAPTURED
from stock_pipeline.settings import QualitySettings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.market_rows import DAYS, bar, series
from stock_pipeline_tests.harness.ingest_helpers import Bring

NEVER = QualitySettings(jump_ratio=1e9, suspect_ratio=1e9)  # a jump that does not occur: in SQL unannounced jumps are not taken out


def by_sql(stores: Stores, macro: str, night: object) -> pl.DataFrame:
    with stores.market.reader() as connection:
        return connection.execute(f"FROM market_data.{macro}(?::DATE)", [night]).pl()


@pytest.fixture
def told(stores: Stores, bring: Bring) -> Stores:
    """Splits, dividends, restatements and a session without a bar."""
    rows: list[dict[str, Any]] = [
        *series("A", [100.0, 102.0, 51.0, 50.0, 52.0, 53.0], [49.5, 50.49, 50.49, 49.5, 52.0, 53.0], captured=DAYS[5]),
        *series("A", [100.0, 102.0], [100.0, 102.0], captured=DAYS[1]),
        *series("B", [10.0, None, 30.0, 31.0], captured=DAYS[3]),
        bar("B", DAYS[0], 11.0) | {CAPTURED: DAYS[4]},
    ]
    bring(*rows)
    return stores


@pytest.mark.parametrize("night", DAYS[:7])
def test_bars_and_actions_known_on_a_night_are_the_same(told: Stores, night: object) -> None:
    bars, actions = by_sql(told, "bars_known", night), by_sql(told, "actions_known", night)
    assert bars.select(BAR_COLUMNS).sort(SYMBOL, SESSION).equals(raw_bars(told, night))  # type: ignore[arg-type]
    expected = actions_known(told, night)  # type: ignore[arg-type]
    assert actions.select(ACTION_COLUMNS).sort(ACTION_COLUMNS).equals(expected.sort(ACTION_COLUMNS))


@pytest.mark.parametrize("night", DAYS[:7])
def test_adjusted_bars_are_the_same(told: Stores, night: object) -> None:
    expected = adjusted_bars(told, night, NEVER)  # type: ignore[arg-type]
    found = by_sql(told, "adjusted_bars", night)
    assert found.select(SYMBOL, SESSION).equals(expected.select(SYMBOL, SESSION))
    assert found["total_return_close"].to_list() == pytest.approx(expected[CLOSE].to_list(), rel=1e-12)
    assert found["split_volume"].to_list() == pytest.approx(expected[VOLUME].to_list(), rel=1e-12)
    assert (found["split_close"] * found["split_volume"]).to_list() == pytest.approx((found[CLOSE] * found[VOLUME]).to_list())


def test_the_example_has_splits_and_dividends_to_adjust_for(told: Stores) -> None:
    assert actions_known(told, DAYS[5])["kind"].unique().sort().to_list() == ["dividend", "split"]
    found = by_sql(told, "adjusted_bars", DAYS[5]).filter(pl.col(SYMBOL) == "A")
    assert found["split_close"].to_list()[:2] == [50.0, 51.0]
    assert by_sql(told, "adjusted_bars", DAYS[1])["split_close"].to_list()[:2] == [100.0, 102.0]


def test_nothing_is_known_before_the_first_bar(told: Stores) -> None:
    assert [
        by_sql(told, macro, "2011-01-03").height for macro in ("bars_known", "actions_known", "fundamentals_known", "adjusted_bars")
    ] == [0] * 4
