"""A store that is gone is never taken for one that has not been made yet."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.core.errors import StoreDamagedError
from stock_pipeline.maintenance.backup import back_up
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.factories.rows import ingested, put, training_row
from stock_pipeline_tests.harness.invocation import invoke

DAY = date(2024, 5, 3)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    stores = ingested(tmp_path / "data", DAY)
    put(stores, TRAININGS, [training_row("mlp", "t1", DAY)], DAY)
    return stores


@pytest.mark.parametrize("store", ["market", "ml"])
@pytest.mark.parametrize("command", [("status",), ("run",), ("suggest",), ("models", "list"), ("train",), ("training-jobs", "list")])
def test_a_lost_store_is_a_sentence_to_every_command_and_is_not_made_anew(command: tuple[str, ...], store: str, stores: Stores) -> None:
    back_up(stores, DAY)
    path = stores.home / f"{store}.duckdb"
    path.unlink()
    ended = invoke(stores.home, *command)
    assert (ended.exit_code, ended.stdout, path.exists()) == (FAILED, "", False)
    assert f"{path} is missing, but " in ended.stderr
    assert f"copy {stores.home / 'backups' / str(DAY) / path.name} to its place" in ended.stderr


def test_a_stage_makes_no_store_anew_either(stores: Stores) -> None:
    stores.ml.path.unlink()
    with pytest.raises(StoreDamagedError, match=r"ml\.duckdb is missing, but market\.duckdb beside it holds data; restore it from a copy"):
        open_stores(stores.home).prepare(())


def leave_backups(stores: Stores) -> None:
    back_up(stores, DAY)


def leave_artefacts(stores: Stores) -> None:
    (stores.layout.models / "mlp" / "t1").mkdir(parents=True)


@pytest.mark.parametrize(("leave", "told"), [(leave_backups, "there are backups of it"), (leave_artefacts, "artefacts of its models")])
def test_both_stores_may_be_lost_together(leave: Callable[[Stores], None], told: str, stores: Stores) -> None:
    leave(stores)
    for database in (stores.market, stores.ml):
        database.path.unlink()
    with pytest.raises(StoreDamagedError, match=told):
        open_stores(stores.home).prepare(())


def test_a_copy_of_the_backup_in_its_place_is_the_store_again(stores: Stores) -> None:
    back_up(stores, DAY)
    stores.ml.path.unlink()
    stores.ml.path.write_bytes((stores.home / "backups" / str(DAY) / "ml.duckdb").read_bytes())
    again = open_stores(stores.home)
    again.prepare(())
    assert again.count(TRAININGS) == 1


def test_a_directory_whose_making_was_cut_short_is_made_on(tmp_path: Path) -> None:
    stores = open_stores(tmp_path / "data")
    stores.prepare(())
    stores.ml.path.unlink()  # as if the process had been killed before it made this one
    open_stores(tmp_path / "data").prepare(())
    assert stores.ml.path.exists()
