from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.core.errors import InputError
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


def test_a_run_that_says_nothing_of_its_training_leaves_the_settings_as_they_are(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path, datasets={"sessions": 200, "folds": 4}, models={"trials": 6})
    assert not RunScope().chooses
    assert RunScope().applied_to(settings) == settings


@pytest.mark.parametrize(
    ("scope", "chosen"),
    [
        (RunScope(sessions=90), (90, 4, 6)),
        (RunScope(folds=2), (200, 2, 6)),
        (RunScope(trials=9), (200, 4, 9)),
        (RunScope(sessions=1, folds=1, trials=1), (1, 1, 1)),
    ],
)
def test_what_a_run_says_of_its_training_takes_the_place_of_the_settings(
    scope: RunScope, chosen: tuple[int, int, int], tmp_path: Path
) -> None:
    settings = plain_settings(tmp_path, datasets={"sessions": 200, "folds": 4, "embargo": 8}, models={"trials": 6, "seed": 11})
    applied = scope.applied_to(settings)
    assert scope.chooses
    assert (applied.datasets.sessions, applied.datasets.folds, applied.models.trials) == chosen
    assert (applied.datasets.embargo, applied.models.seed, applied.home) == (8, 11, tmp_path)
    assert (settings.datasets.sessions, settings.datasets.folds, settings.models.trials) == (200, 4, 6)


@pytest.mark.parametrize("name", ["sessions", "folds", "trials"])
@pytest.mark.parametrize("value", [0, -3])
def test_a_number_below_one_is_refused_by_its_name(name: str, value: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"the run was asked for {name} {value}; give 1 or more"):
        RunScope.model_validate({name: value}).applied_to(plain_settings(tmp_path))
