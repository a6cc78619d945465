"""The asset of the suggested stocks: what stands beside a stock is of the version and horizon that it was chosen by."""

from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest

from stock_pipeline.core.columns import HORIZON, MODEL, PREDICTED_EXCESS_RETURN, RANK, SESSION, SYMBOL, TRAINING_ID, VERSION
from stock_pipeline.portfolio.profiles import RiskProfile
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPECTATION, EXPECTED_RETURNS
from stock_pipeline.registry.tables import MODEL_VERSIONS
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import empty_stores, everyone_in, prediction_row, put, version_row
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import make

DAYS = sessions(40)
STOCKS = {"S00": 0.3, "S01": 0.1, "S02": 0.2}
EVERYTHING = RiskProfile("default", "Takes everything.", 0.0, 0.0, 1.0, 1.0, 0.0, 1000, 1000)


def expected_row(training_id: str, version: int, symbol: str, session: date, horizon: int) -> dict[str, Any]:
    row = {SESSION: session, SYMBOL: symbol, MODEL: "stack", TRAINING_ID: training_id, VERSION: version, HORIZON: horizon}
    figures = (version + horizon / 100 + STOCKS[symbol], -1.0 * horizon, 2.0 * horizon, 0.5 + version / 10, 0.002)
    return row | dict(zip(EXPECTATION, figures, strict=True))


@pytest.mark.parametrize(("horizons", "shown"), [((1, 5), 1), ((5, 1), 5)])
def test_what_is_expected_of_a_stock_is_what_the_active_stack_says_over_the_first_horizon(
    horizons: tuple[int, int], shown: int, tmp_path: Path
) -> None:
    stores = empty_stores(tmp_path)
    put_bars(stores, 40, 3)
    last = DAYS[-1]
    versions = [version_row("stack", 1, "t1", DAYS[10], DAYS[20]), version_row("stack", 2, "t2", DAYS[20])]
    put(stores, MODEL_VERSIONS, versions, last)
    both = ((1, "t1"), (2, "t2"))
    told = [
        prediction_row("stack", name, last, stock, score) | {VERSION: number} for number, name in both for stock, score in STOCKS.items()
    ]
    put(stores, DAILY_PREDICTIONS, told, last)
    everyone_in(stores, pl.DataFrame(told).unique([SYMBOL, SESSION]), last)
    rows = [expected_row(name, number, stock, last, horizon) for number, name in both for stock in STOCKS for horizon in (1, 5)]
    put(stores, EXPECTED_RETURNS, rows, last)
    with patch("stock_pipeline.portfolio.assets.PROFILES", (EVERYTHING,)):
        made = make(SUGGESTED_STOCKS, stores, plain_settings(stores.home, labels={"horizons": list(horizons)})).output
    found = stores.read(SUGGESTED_STOCKS)
    assert found.height > 0
    for row in found.iter_rows(named=True):
        expected = expected_row("t2", 2, row[SYMBOL], last, shown)
        assert {name: row[name] for name in EXPECTATION} == {name: expected[name] for name in EXPECTATION}
    assert found[PREDICTED_EXCESS_RETURN].null_count() == 0
    assert made is not None and made.tables["expected"].equals(found.sort(RANK).select(RANK, SYMBOL, *EXPECTATION))
