"""The stage of the splits: what it makes of a store with labels."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import AS_OF, KNOWN_ON, SESSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.splits import Split, check_split, splits_from_table
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.reading import read_label_ends
from stock_pipeline.labels.tables import column_of, daily_labels
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions
from stock_pipeline_tests.factories.rows import everyone_in, ingested, put
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import make, rows_of

DAYS = sessions(140)
COUNT = 120
HORIZONS = (1, 5)
SCHEMA = daily_labels(HORIZONS)


@pytest.fixture(scope="module")
def labels() -> pl.DataFrame:
    return compute_labels(adjusted_panel(3, COUNT, missing_share=0.05), DAYS, DAYS[COUNT - 1], HORIZONS, 3)


@pytest.fixture
def stores(tmp_path: Path, labels: pl.DataFrame) -> Stores:
    return labelled(tmp_path, labels)


def labelled(home: Path, labels: pl.DataFrame) -> Stores:
    stores = ingested(home, DAYS[COUNT - 1])
    put(stores, SCHEMA, labels, DAYS[COUNT - 1], "labels/daily_labels")
    everyone_in(stores, labels, DAYS[COUNT - 1])
    return stores


def settings_of(stores: Stores, volatility: int = 3, **datasets: Any) -> Settings:
    chosen = {"horizons": HORIZONS, "volatility_horizon": volatility}
    return plain_settings(
        stores.home, labels=chosen, datasets={"folds": 2, "embargo": 4, "minimum_train_sessions": 30, "fold_sessions": 39} | datasets
    )


def split(stores: Stores, as_of: int = COUNT - 1, full_refresh: bool = False, **chosen: Any) -> StageResult:
    return make(WALK_FORWARD_SPLITS, stores, settings_of(stores, **chosen), DAYS[as_of], full_refresh=full_refresh)


def made(outcome: StageResult) -> tuple[list[Split], pl.DataFrame]:
    table = rows_of(outcome, WALK_FORWARD_SPLITS)
    return splits_from_table(table), table


def test_the_splits_reach_to_the_last_known_outcome_and_keep_the_longest_horizon_away(stores: Stores) -> None:
    splits, table = made(split(stores))
    assert splits[-1].test_to == DAYS[COUNT - 3]
    ends = read_label_ends(stores, DAYS[COUNT - 1], settings_of(stores).labels)
    for fold in splits:
        assert DAYS.index(fold.test_from) - DAYS.index(fold.train_to) == 6 + 4 + 1
        check_split(fold, ends)
    assert (table["purge"].to_list(), table["embargo"].to_list(), table["window"].to_list()) == ([6] * 2, [4] * 2, ["expanding"] * 2)


def test_splits_as_of_an_earlier_session_do_not_see_what_came_later(stores: Stores) -> None:
    splits, table = made(split(stores, as_of=79))
    assert splits[-1].test_to == DAYS[77]
    assert table["as_of"].to_list() == [DAYS[79]] * 2


def test_a_rolling_window_is_as_long_as_the_settings_say(stores: Stores) -> None:
    _, table = made(split(stores, train_sessions=35))
    assert table["train_sessions"].to_list() == [30, 35]
    assert table["window"].to_list() == ["rolling"] * 2


def test_labels_that_reach_further_than_the_settings_say_are_refused(stores: Stores, labels: pl.DataFrame) -> None:
    further = labels.with_columns(pl.col(SESSION).replace_strict(dict(zip(DAYS, DAYS[12:], strict=False))).alias(column_of(KNOWN_ON, 5)))
    put(stores, SCHEMA, further, DAYS[COUNT - 1], "labels/daily_labels")
    with pytest.raises(InputError, match=r"fold 1 .* not known before its test range"):
        split(stores)
    made(split(stores, embargo=6))


def test_sessions_of_which_no_stock_has_an_outcome_are_not_split(tmp_path: Path, labels: pl.DataFrame) -> None:
    stores = labelled(tmp_path, labels.filter(~pl.col(SESSION).is_in([DAYS[40], DAYS[41]])))
    splits, table = made(split(stores))
    assert splits[-1].test_to == DAYS[COUNT - 3]
    assert table["train_sessions"][1] + 10 + table["test_sessions"][1] == COUNT - 2 - 2


def test_without_news_nothing_is_split_and_a_label_told_later_is_news(stores: Stores, labels: pl.DataFrame) -> None:
    split(stores)
    assert split(stores).output is None
    put(
        stores,
        SCHEMA,
        labels.filter(pl.col(SESSION) == DAYS[50]).with_columns(pl.lit(None, pl.Float64).alias("forward_return_1")),
        DAYS[COUNT - 1],
    )
    assert split(stores).output is not None


def test_the_splits_of_missed_nights_are_those_that_would_have_been_made(stores: Stores, labels: pl.DataFrame, tmp_path: Path) -> None:
    every_night = labelled(tmp_path / "on", labels)
    for night in range(COUNT - 6, COUNT):
        split(every_night, night)
    for night in (COUNT - 6, COUNT - 1):
        split(stores, night)
    assert stores.read(WALK_FORWARD_SPLITS).equals(every_night.read(WALK_FORWARD_SPLITS))
    assert stores.read(WALK_FORWARD_SPLITS)[AS_OF].unique().to_list() == DAYS[COUNT - 6 : COUNT]


@pytest.mark.parametrize("as_of", [79, COUNT - 1])
def test_after_a_change_of_a_setting_the_splits_of_every_night_are_made_again_whichever_night_asks(
    as_of: int, stores: Stores, labels: pl.DataFrame, tmp_path: Path
) -> None:
    for night in (79, COUNT - 1):
        split(stores, night)
    again = split(stores, as_of, folds=3)
    assert again.remade == "datasets.folds is 3, was 2"
    held = stores.read(WALK_FORWARD_SPLITS)
    assert dict(held.group_by(AS_OF).len().iter_rows()) == dict.fromkeys(DAYS[79:COUNT], 3)
    fresh = labelled(tmp_path / "fresh", labels)
    for night in (79, COUNT - 1):
        split(fresh, night, folds=3)
    assert fresh.read(WALK_FORWARD_SPLITS).equals(held)
    assert split(stores, 79, folds=3, full_refresh=True).state == "up_to_date"
    assert stores.read(WALK_FORWARD_SPLITS).equals(held)
