"""The asset of the splits: what it makes of a store with labels."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import KNOWN_ON, SESSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.assets import make_splits
from stock_pipeline.datasets.splits import Split, check_split, splits_from_table
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.reading import read_label_ends
from stock_pipeline.labels.tables import column_of, daily_labels
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions
from stock_pipeline_tests.factories.rows import empty_stores, put
from stock_pipeline_tests.harness.plain_settings import plain_settings

DAYS = sessions(140)
COUNT = 120
HORIZONS = (1, 5)
SCHEMA = daily_labels(HORIZONS)


@pytest.fixture(scope="module")
def labels() -> pl.DataFrame:
    return compute_labels(adjusted_panel(3, COUNT, missing_share=0.05), DAYS, DAYS[COUNT - 1], HORIZONS, 3)


@pytest.fixture
def stores(tmp_path: Path, labels: pl.DataFrame) -> Stores:
    stores = empty_stores(tmp_path)
    put(stores, SCHEMA, labels, DAYS[COUNT - 1], "labels/daily_labels")
    return stores


def night(stores: Stores, as_of: int = COUNT - 1, volatility: int = 3, **datasets: Any) -> Night:
    chosen = {"horizons": HORIZONS, "volatility_horizon": volatility}
    settings = plain_settings(stores.home, labels=chosen, datasets={"folds": 2, "embargo": 4, "minimum_train_sessions": 30} | datasets)
    return Night("datasets/walk_forward_splits", "ml", stores, settings, None, None, DAYS[as_of])


def made(product: Product | None) -> tuple[list[Split], pl.DataFrame]:
    assert product is not None
    table = product.writes[0].frame
    return splits_from_table(table), table


def test_the_splits_reach_to_the_last_known_outcome_and_keep_the_longest_horizon_away(stores: Stores) -> None:
    splits, table = made(make_splits(night(stores)))
    assert splits[-1].test_to == DAYS[COUNT - 3]
    for split in splits:
        assert DAYS.index(split.test_from) - DAYS.index(split.train_to) == 6 + 4 + 1
        check_split(split, read_label_ends(stores, DAYS[COUNT - 1], night(stores).settings.labels))
    assert (table["purge"].to_list(), table["embargo"].to_list(), table["window"].to_list()) == ([6] * 2, [4] * 2, ["expanding"] * 2)


def test_splits_as_of_an_earlier_session_do_not_see_what_came_later(stores: Stores) -> None:
    splits, table = made(make_splits(night(stores, as_of=79)))
    assert splits[-1].test_to == DAYS[77]
    assert table["as_of"].to_list() == [DAYS[79]] * 2


def test_a_rolling_window_is_as_long_as_the_settings_say(stores: Stores) -> None:
    _, table = made(make_splits(night(stores, train_sessions=35)))
    assert table["train_sessions"].to_list() == [30, 35]
    assert table["window"].to_list() == ["rolling"] * 2


def test_labels_that_reach_further_than_the_settings_say_are_refused(stores: Stores, labels: pl.DataFrame) -> None:
    further = labels.with_columns(pl.col(SESSION).replace_strict(dict(zip(DAYS, DAYS[12:], strict=False))).alias(column_of(KNOWN_ON, 5)))
    put(stores, SCHEMA, further, DAYS[COUNT - 1], "labels/daily_labels")
    with pytest.raises(InputError, match=r"fold 1 trains up to .* are not known before its test range"):
        make_splits(night(stores))
    made(make_splits(night(stores, embargo=6)))


def test_sessions_of_which_no_stock_has_an_outcome_are_not_split(tmp_path: Path, labels: pl.DataFrame) -> None:
    stores = empty_stores(tmp_path)
    put(stores, SCHEMA, labels.filter(~pl.col(SESSION).is_in([DAYS[40], DAYS[41]])), DAYS[COUNT - 1], "labels/daily_labels")
    splits, table = made(make_splits(night(stores)))
    assert splits[-1].test_to == DAYS[COUNT - 3]
    assert table["train_sessions"][1] + 10 + table["test_sessions"][1] == COUNT - 2 - 2
