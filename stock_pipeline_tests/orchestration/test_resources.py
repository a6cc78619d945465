from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.resources import RunScope, StoreResource, resources
from stock_pipeline_tests.plain_settings import plain_settings
from stock_pipeline_tests.stored import empty_stores


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
        assert connection.execute("SELECT count(*) FROM market_data.daily_bars").fetchall() == [(0,)]
        with pytest.raises(Exception, match="read-only"):
            connection.execute("CREATE TABLE more (n INTEGER)")
    with pytest.raises(Exception, match="closed"):
        connection.execute("SELECT 1")


@pytest.mark.parametrize(("text", "session"), [(None, None), ("2010-08-20", date(2010, 8, 20))])
def test_the_session_of_a_run(text: str | None, session: date | None) -> None:
    assert RunScope(as_of=text).session == session


def test_a_session_that_is_no_date_is_refused() -> None:
    with pytest.raises(InputError, match="as-of 'tonight' is not a date"):
        _ = RunScope(as_of="tonight").session
