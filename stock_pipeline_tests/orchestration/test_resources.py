from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.resources import RunScope, StoreResource, resources
from stock_pipeline_tests.factories.rows import empty_stores
from stock_pipeline_tests.harness.plain_settings import plain_settings


def test_both_stores_lie_in_the_data_directory_and_wait_as_the_settings_say(tmp_path: Path) -> None:
    made = resources(plain_settings(tmp_path, lock_wait_seconds=7))
    for name in ("market", "ml"):
        store = made[name]
        assert isinstance(store, StoreResource)
        database = store.open()
        assert (database.path, database.store, database.wait_seconds) == (tmp_path / f"{name}.duckdb", name, 7)


def test_a_connection_reads_and_does_not_write(tmp_path: Path) -> None:
    empty_stores(tmp_path)
    store = resources(plain_settings(tmp_path))["market"]
    assert isinstance(store, StoreResource)
    with store.get_connection() as connection:
        assert connection.execute("SELECT count(*) FROM audit.writes").fetchall() == [(0,)]
        with pytest.raises(Exception, match="read-only"):
            connection.execute("CREATE TABLE more (n INTEGER)")
    with pytest.raises(Exception, match="closed"):
        connection.execute("SELECT 1")


def test_a_run_is_asked_in_the_launchpad_as_everywhere() -> None:
    scope = RunScope(as_of="2010-08-20", source="files", path="a.csv", folds=2, full_refresh=True)
    assert scope.options == RunOptions(as_of=date(2010, 8, 20), source="files", path="a.csv", folds=2, full_refresh=True)


def test_a_session_that_is_no_date_is_refused() -> None:
    with pytest.raises(InputError, match="as-of 'tonight' is not a date"):
        _ = RunScope(as_of="tonight").options
