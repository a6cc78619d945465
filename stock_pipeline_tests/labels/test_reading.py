from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, SESSION, SYMBOL
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.reading import read_forward_volatility, read_label_ends, read_outcomes
from stock_pipeline.labels.tables import daily_labels
from stock_pipeline.settings import LabelSettings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.label_bars import DAYS, scattered
from stock_pipeline_tests.factories.rows import empty_stores, put

BARS = scattered(7, count=30)
LAST = 29


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    stores = empty_stores(tmp_path_factory.mktemp("labelled"))
    put(stores, daily_labels((1, 5)), compute_labels(BARS, DAYS, DAYS[LAST], (1, 5), 8), DAYS[LAST])
    return stores


@pytest.mark.parametrize("as_of", [0, 1, 2, 8, 20, LAST])
@pytest.mark.parametrize("horizon", [1, 5])
def test_outcomes_are_those_known_then_however_far_the_table_has_come(stores: Stores, as_of: int, horizon: int) -> None:
    then = compute_labels(BARS, DAYS, DAYS[as_of], (horizon,), 2).filter(pl.col(f"label_status_{horizon}") == "known")
    names = {f"{name}_{horizon}": name for name in (FORWARD_RETURN, DIRECTION)}
    assert read_outcomes(stores, DAYS[as_of], horizon).equals(then.select(SYMBOL, SESSION, *names).rename(names))


def test_outcomes_have_no_null(stores: Stores) -> None:
    found = read_outcomes(stores, DAYS[LAST], 1)
    assert found.columns == [SYMBOL, SESSION, FORWARD_RETURN, DIRECTION]
    assert found.height > 0
    assert found.null_count().row(0) == (0, 0, 0, 0)


@pytest.mark.parametrize("as_of", [0, 8, 12, 20, LAST])
def test_the_forward_volatility_is_the_one_known_then_and_has_no_null(stores: Stores, as_of: int) -> None:
    then = compute_labels(BARS, DAYS, DAYS[as_of], (1,), 8).filter(pl.col("label_status_volatility") == "known")
    found = read_forward_volatility(stores, DAYS[as_of])
    assert found.equals(then.select(SYMBOL, SESSION, FORWARD_VOLATILITY))
    assert found.null_count().row(0) == (0, 0, 0)
    assert (found.height > 0) == (as_of >= 12)


def test_a_horizon_that_was_never_made_has_no_outcomes(stores: Stores) -> None:
    assert read_outcomes(stores, DAYS[LAST], 2).is_empty()


@pytest.mark.parametrize(
    ("horizons", "volatility", "reach"),
    [((1, 5), 8, 8), ((1,), 8, 8), ((1, 5), 2, 6), ((5,), 2, 6), ((1,), 2, 2)],
)
def test_the_ends_are_those_of_the_longest_label(tmp_path: Path, horizons: tuple[int, ...], volatility: int, reach: int) -> None:
    stores = empty_stores(tmp_path)
    chosen = LabelSettings(horizons=horizons, volatility_horizon=volatility)
    made = compute_labels(BARS, DAYS, DAYS[LAST], horizons, volatility)
    put(stores, daily_labels(horizons), made, DAYS[LAST])
    ends = read_label_ends(stores, DAYS[20], chosen)
    assert ends == {day: DAYS[position + reach] for position, day in enumerate(DAYS[:21])}
