import hashlib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import AS_OF
from stock_pipeline.maintenance.backup import back_up, outdated, remove
from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.market_data.tables import INSTRUMENTS
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline.storage.database import Database
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import ingested, put, training_row
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import make

DAYS = sessions(6)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    stores = ingested(tmp_path, DAYS[0])
    put(stores, TRAININGS, [training_row("ridge", "t1", DAYS[0])], DAYS[0])
    return stores


def test_a_backup_holds_what_both_stores_hold(stores: Stores) -> None:
    made = BACKUPS.validate(back_up(stores, DAYS[0]))
    assert made.select("store", "path").rows() == [("market", f"backups/{DAYS[0]}/market.duckdb"), ("ml", f"backups/{DAYS[0]}/ml.duckdb")]
    copies = open_stores(stores.home / "backups" / str(DAYS[0]))
    for table in (INSTRUMENTS, TRAININGS):
        assert copies.read(table).equals(stores.read(table))
    assert copies.watermark("market", "market_data/daily_bars") == stores.watermark("market", "market_data/daily_bars")


def test_size_and_hash_are_those_of_the_copy(stores: Stores) -> None:
    for row in back_up(stores, DAYS[0]).iter_rows(named=True):
        content = (stores.home / row["path"]).read_bytes()
        assert (row["size_bytes"], row["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_what_comes_after_a_backup_is_not_in_it(stores: Stores) -> None:
    back_up(stores, DAYS[0])
    put(stores, TRAININGS, [training_row("ridge", "t2", DAYS[1])], DAYS[1])
    assert open_stores(stores.home / "backups" / str(DAYS[0])).count(TRAININGS) == 1


def test_a_backup_of_the_same_session_leaves_the_first_as_it_is(stores: Stores) -> None:
    back_up(stores, DAYS[0])
    put(stores, TRAININGS, [training_row("ridge", "t2", DAYS[0])], DAYS[0])
    second = back_up(stores, DAYS[0])
    folders = [stores.home / "backups" / name for name in (str(DAYS[0]), f"{DAYS[0]}-2")]
    assert [open_stores(folder).count(TRAININGS) for folder in folders] == [1, 2]
    assert [sorted(path.name for path in folder.iterdir()) for folder in folders] == [["market.duckdb", "ml.duckdb"]] * 2
    assert second["path"].to_list() == [f"backups/{DAYS[0]}-2/{name}.duckdb" for name in ("market", "ml")]


def test_of_a_backup_that_was_cut_short_nothing_is_taken_for_one(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_to = Database.copy_to

    def fail_at_ml(database: Database, target: Path) -> int:
        if database.store == "ml":
            raise OSError("no space left")
        return copy_to(database, target)

    with monkeypatch.context() as patched, pytest.raises(OSError, match="no space left"):
        patched.setattr(Database, "copy_to", fail_at_ml)
        back_up(stores, DAYS[0])
    assert list((stores.home / "backups").iterdir()) == []
    assert back_up(stores, DAYS[0])["path"][0] == f"backups/{DAYS[0]}/market.duckdb"


def test_a_backup_opens_as_a_store_that_can_be_worked_in(stores: Stores) -> None:
    back_up(stores, DAYS[0])
    copies = open_stores(stores.home / "backups" / str(DAYS[0]))
    put(copies, TRAININGS, [training_row("ridge", "t3", DAYS[2])], DAYS[2])
    assert (copies.count(TRAININGS), stores.count(TRAININGS)) == (2, 1)


@given(st.lists(st.sampled_from(DAYS)), st.integers(1, 7))
def test_the_last_sessions_are_kept_and_all_others_go(made: list[date], kept: int) -> None:
    gone = outdated(made, kept)
    stay = set(made) - set(gone)
    assert len(stay) == min(kept, len(set(made)))
    assert all(day < other for day in gone for other in stay)
    assert len(set(gone)) == len(gone)


def test_removing_takes_the_folders_of_those_sessions_alone(stores: Stores) -> None:
    for day in (*DAYS[:3], DAYS[2]):
        back_up(stores, day)
    (stores.home / "backups" / "mine").mkdir()
    remove(stores.layout.backups, [DAYS[0], DAYS[2], DAYS[5]])
    assert sorted(folder.name for folder in (stores.home / "backups").iterdir()) == [str(DAYS[1]), "mine"]


def test_each_night_keeps_a_backup_once_and_lets_the_oldest_go(tmp_path: Path) -> None:
    stores, settings = ingested(tmp_path, DAYS[-1]), plain_settings(tmp_path, retention={"backups": 2})
    for day in DAYS[:4]:
        assert [make(BACKUPS, stores, settings, day).output is None for _ in range(2)] == [False, True]
    assert stores.read(BACKUPS)[AS_OF].unique().sort().to_list() == DAYS[2:4]
    assert sorted(folder.name for folder in (tmp_path / "backups").iterdir()) == [str(day) for day in DAYS[2:4]]
