"""The training panel as files: what was written is what is opened, its features are not copied, and its hash knows every value."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.core.columns import SESSION, SYMBOL, TARGET
from stock_pipeline.datasets.panel import FEATURES_FILE, Panel, hash_of_panel, sessions_learned
from stock_pipeline_tests.factories.training_panels import DAYS, FEATURES, panel, saved, unlabelled_from

ROWS = unlabelled_from(panel(symbols=4, count=30), DAYS[28])
# S01 lacks a session, so that places before are no matter of counting.
GAPPED = ROWS.filter((pl.col(SYMBOL) != "S01") | (pl.col(SESSION) != DAYS[7]))


@pytest.mark.parametrize("rows", [GAPPED, ROWS.clear()], ids=["rows", "none"])
def test_a_panel_that_was_saved_is_opened_as_it_was_in_memory(rows: pl.DataFrame, tmp_path: Path) -> None:
    here, there = Panel.of(rows.reverse(), FEATURES), Panel.open(saved(rows, tmp_path / "panel"), FEATURES)
    assert_frame_equal(there.rows, here.rows)
    assert there.samples.names == here.samples.names == FEATURES
    for name in ("x", "session", "previous", "rows"):
        found, expected = getattr(there.samples, name), getattr(here.samples, name)
        assert found.dtype == expected.dtype and np.array_equal(found, expected)


def test_the_features_of_an_opened_panel_are_those_of_the_file_and_no_copy(tmp_path: Path) -> None:
    folder = saved(ROWS, tmp_path / "panel")
    opened = Panel.open(folder, FEATURES)
    values = np.load(folder / FEATURES_FILE, mmap_mode="r+")
    values[3, 2] = 0.125
    assert opened.samples.x[3, 2] == 0.125
    with pytest.raises(ValueError, match="read-only"):
        opened.samples.x[3, 2] = 0.25


def test_the_sessions_learned_are_those_of_the_rows_with_a_target(tmp_path: Path) -> None:
    learned = sessions_learned(saved(GAPPED, tmp_path / "panel"))
    assert learned.to_list() == [day for day in DAYS[:28] for _ in range(3 if day == DAYS[7] else 4)]


def test_the_hash_depends_on_every_value_and_on_nothing_else(tmp_path: Path) -> None:
    one = pl.int_range(pl.len()) == 17
    altered = [
        ROWS.with_columns(pl.when(one).then(0.375).otherwise(FEATURES[5]).cast(pl.Float32).alias(FEATURES[5])),
        ROWS.with_columns(pl.when(one).then(0.375).otherwise(TARGET).alias(TARGET)),
        ROWS.filter(~one),
        ROWS.with_columns(pl.col(SYMBOL).replace({"S03": "S04"})),
    ]
    hashes = [hash_of_panel(saved(rows, tmp_path / str(place))) for place, rows in enumerate([ROWS, ROWS.reverse(), *altered])]
    assert hashes[0] == hashes[1] and len(set(hashes)) == 1 + len(altered)
    assert hashes[0] == hash_of_panel(tmp_path / "0")
