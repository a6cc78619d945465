"""A store of before the shares had names of their own: its rows bear them once it is opened, and are the same otherwise."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from stock_pipeline.backtest.tables import SUMMARY
from stock_pipeline.core.columns import METRIC
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.models.tables import MODEL_SCORES
from stock_pipeline.performance.tables import DAILY_PERFORMANCE, SIGN_ACCURACY
from stock_pipeline.storage import Stores, open_stores, upsert
from stock_pipeline_tests.factories.trial_tables import author

DAY = date(2024, 5, 3)
OLD = "hit_rate"
OLD_PERFORMANCE = replace(
    DAILY_PERFORMANCE,
    columns=tuple(replace(column, name=OLD) if column.name == SIGN_ACCURACY else column for column in DAILY_PERFORMANCE.columns),
)
SCORES = ("rank_ic", "positive_ic_share", "positive_ic_share_low", "positive_ic_share_high")
FIGURES = ("sharpe", "positive_return_share")


def performance(share: str) -> pl.DataFrame:
    row = {"model": "stack", "training_id": "t1", "origin": "live", "session": DAY, "stocks": 9, "rank_ic": 0.25, share: 0.75}
    return pl.DataFrame([row | {"long_short_return": 0.125}], schema_overrides={"stocks": pl.Int32})


def scores(names: tuple[str, ...]) -> pl.DataFrame:
    of_all = {"training_id": "t1", "part": "test", "fold": 0, "period": "whole", "model": "stack", "as_of": DAY, "observations": 9}
    rows = [of_all | {METRIC: name, "value": place / 8} for place, name in enumerate(names)]
    return pl.DataFrame(rows).cast({"fold": pl.Int32}).select(MODEL_SCORES.column_names)


def summary(names: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame([{"as_of": DAY, "model": "stack", METRIC: name, "value": place / 8} for place, name in enumerate(names)])


def of_before(home: Path, rows: list[tuple[TableSchema, pl.DataFrame]]) -> Stores:
    """The stores as a program left them that knew of no migration, seen by a process that has not opened them yet."""
    made = open_stores(home.parent / "made", 5)
    made.prepare([table for table, _ in rows])
    made.write("ml", author(), [upsert(table, frame) for table, frame in rows], DAY)
    with made.ml.writer() as connection:
        connection.execute("DELETE FROM audit.migrations")
    home.mkdir()
    shutil.copy(made.ml.path, home)
    return open_stores(home, 5)


def test_stored_shares_are_found_under_their_own_names(tmp_path: Path) -> None:
    old_scores = tuple(name.replace("positive_ic_share", OLD) for name in SCORES)
    before = [(OLD_PERFORMANCE, performance(OLD)), (MODEL_SCORES, scores(old_scores)), (SUMMARY, summary(("sharpe", OLD)))]
    stores = of_before(tmp_path / "data", before)
    now = [(DAILY_PERFORMANCE, performance(SIGN_ACCURACY)), (MODEL_SCORES, scores(SCORES)), (SUMMARY, summary(FIGURES))]
    stores.prepare([table for table, _ in now])
    for table, expected in now:
        assert_frame_equal(stores.read(table), table.conform(expected), check_row_order=False)


def test_a_store_without_backtest_is_brought_up_all_the_same(tmp_path: Path) -> None:
    stores = of_before(tmp_path / "data", [(OLD_PERFORMANCE, performance(OLD))])
    stores.prepare([DAILY_PERFORMANCE, SUMMARY])
    assert stores.read(DAILY_PERFORMANCE)[SIGN_ACCURACY].to_list() == [0.75]
    assert stores.read(SUMMARY).is_empty()
