"""A store from before splits had a window and labels had horizons."""

from datetime import date
from pathlib import Path

from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.storage.database import Database
from stock_pipeline.storage.migrations import LEDGER, migrate, migrations_of
from stock_pipeline.storage.reading import Selection, read

BEFORE = 13  # migrations that such a store has
DAY = date(2020, 1, 2)


def test_past_splits_are_kept_as_expanding_ones_and_labels_go(tmp_path: Path) -> None:
    database = Database(tmp_path / "ml.duckdb", "ml")
    with database.writer() as connection:
        connection.execute(LEDGER)
        for step in migrations_of("ml")[:BEFORE]:
            connection.execute(step.sql)
            connection.execute("INSERT INTO audit.migrations VALUES (?, ?, ?)", [step.number, step.name, step.sha256])
        for fold in (2, 1):
            connection.execute("INSERT INTO datasets.walk_forward_splits VALUES (?, ?, ?, ?, ?, ?, 50, 20, 2, 3)", [DAY, fold, *[DAY] * 4])
        connection.execute("INSERT INTO labels.daily_labels VALUES ('A', ?, 0.1, 1, 0.2)", [DAY])
    assert next(step.name for step in migrate(database)) == "labels_and_splits"
    with database.reader() as connection:
        assert read(connection, DAILY_LABELS, Selection()).is_empty()
        splits = read(connection, WALK_FORWARD_SPLITS, Selection())
    assert splits.rows() == [(DAY, fold, "expanding", *[DAY] * 4, 50, 20, 2, 3) for fold in (1, 2)]
