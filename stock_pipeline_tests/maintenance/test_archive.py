import json
import tarfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import MODEL, SESSION, TRAINING_ID, VERSION
from stock_pipeline.core.errors import ArtefactError
from stock_pipeline.maintenance.archive import archive_of, put_away, remove_folder
from stock_pipeline.maintenance.assets import ARCHIVE
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.registry.tables import ARCHIVED, DECISIONS, LIVE_RESULTS, MODEL_VERSIONS, STATUS
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import ingested, put, training_row, version_row
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import KilledError, dying, execute, stage_of

DAYS = sessions(10)
FILES = {"manifest.json": b"{}", "model.txt": b"tree" * 1000}


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """Four versions of a model, of which the last serves and the first belongs to the stack."""
    stores = ingested(tmp_path, DAYS[-1])
    trainings = [training_row("ridge", f"t{number}", DAYS[number]) for number in range(1, 5)]
    stack = training_row(STACK, "s1", DAYS[1], parameters=json.dumps({"weights": {"ridge": 1.0}, "members": {"ridge": "t1"}}))
    put(stores, TRAININGS, [*trainings, stack], DAYS[4])
    versions = [
        version_row("ridge", number, f"t{number}", DAYS[number], DAYS[number + 1] if number < 4 else None) for number in range(1, 5)
    ]
    put(stores, MODEL_VERSIONS, [*versions, version_row(STACK, 1, "s1", DAYS[1])], DAYS[4])
    for number in range(1, 5):
        fill(tmp_path, f"t{number}")
    return stores


def fill(home: Path, training: str) -> None:
    folder = home / "models" / "ridge" / training
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)


def folders(stores: Stores) -> list[str]:
    return sorted(path.name for path in (stores.home / "models" / "ridge").iterdir())


def archive_night(stores: Stores, as_of: date, **retention: int) -> StageResult:
    settings = plain_settings(stores.home, retention=retention)
    return execute(stage_of(ARCHIVE, settings), stores, settings, as_of)


def test_the_oldest_versions_go_into_the_archive_and_then_their_folders_go(stores: Stores) -> None:
    archive_night(stores, DAYS[8], versions=2)
    told = stores.read(MODEL_VERSIONS).filter(pl.col(STATUS) == ARCHIVED)
    assert told.select(MODEL, VERSION).rows() == [("ridge", 2)]  # the first is older, but the stack consists of it
    assert stores.read(DECISIONS).select(VERSION, "decision", "decision_basis").rows() == [(2, "archived", "retention")]
    assert folders(stores) == ["t1", "t2", "t3", "t4"]
    archive_night(stores, DAYS[9], versions=2)
    assert folders(stores) == ["t1", "t3", "t4"]
    with tarfile.open(archive_of(stores.home, "ridge", "t2")) as file:
        held = {name: file.extractfile(f"t2/{name}") for name in FILES}
        assert {name: content.read() for name, content in held.items() if content is not None} == FILES


def test_each_model_keeps_as_many_of_its_own_versions(stores: Stores) -> None:
    trainings = [training_row("mlp", f"m{number}", DAYS[number]) for number in range(1, 7)]
    put(stores, TRAININGS, trainings, DAYS[7])
    rows = [version_row("mlp", number, f"m{number}", DAYS[number], DAYS[number + 1] if number < 6 else None) for number in range(1, 7)]
    put(stores, MODEL_VERSIONS, rows, DAYS[7])
    archive_night(stores, DAYS[8], versions=3)
    archived = stores.read(MODEL_VERSIONS).filter(pl.col(STATUS) == ARCHIVED)
    # Of ridge's four the first is beyond three, but the stack consists of it.
    assert archived.select(MODEL, VERSION).rows() == [("mlp", 1), ("mlp", 2), ("mlp", 3)]
    archive_night(stores, DAYS[9], versions=2)
    archived = stores.read(MODEL_VERSIONS).filter(pl.col(STATUS) == ARCHIVED)
    assert archived.select(MODEL, VERSION).rows() == [("mlp", 1), ("mlp", 2), ("mlp", 3), ("mlp", 4), ("ridge", 2)]
    assert stores.read(DECISIONS).filter(pl.col(MODEL) == "mlp")["number"].to_list() == [1, 2, 3, 4]


def test_age_counts_from_the_end_of_service(stores: Stores) -> None:
    archive_night(stores, DAYS[8], archive_after_days=(DAYS[8] - DAYS[3]).days)
    assert stores.read(MODEL_VERSIONS).filter(pl.col(STATUS) == ARCHIVED).is_empty()
    archive_night(stores, DAYS[9], archive_after_days=(DAYS[9] - DAYS[3]).days - 1)
    assert stores.read(MODEL_VERSIONS).filter(pl.col(STATUS) == ARCHIVED)[VERSION].to_list() == [2]


def test_old_shadow_results_go(stores: Stores) -> None:
    row = {MODEL: "ridge", VERSION: 4, TRAINING_ID: "t4", "predictions": 3, "mae": 0.1, "baseline_mae": 0.2, "rank_ic": None}
    put(stores, LIVE_RESULTS, [row | {SESSION: day} for day in DAYS], DAYS[-1])
    archive_night(stores, DAYS[-1], live_results_days=(DAYS[-1] - DAYS[6]).days)
    assert stores.read(LIVE_RESULTS)[SESSION].to_list() == DAYS[6:]


def test_a_folder_stays_until_the_archive_holds_it(tmp_path: Path) -> None:
    fill(tmp_path, "t1")
    assert not remove_folder(tmp_path, "ridge", "t1")
    assert put_away(tmp_path, "ridge", "t1") == archive_of(tmp_path, "ridge", "t1")
    assert remove_folder(tmp_path, "ridge", "t1")
    assert not (tmp_path / "models" / "ridge" / "t1").exists()
    assert put_away(tmp_path, "ridge", "t1") is None and archive_of(tmp_path, "ridge", "t1").is_file()


def test_what_does_not_hold_the_folder_is_not_taken_for_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "t1")
    monkeypatch.setattr(tarfile.TarFile, "add", lambda *_given: None)
    with pytest.raises(ArtefactError, match="differs from"):
        put_away(tmp_path, "ridge", "t1")
    assert not archive_of(tmp_path, "ridge", "t1").exists()


def test_nothing_is_archived_twice_in_a_night(stores: Stores) -> None:
    assert archive_night(stores, DAYS[-1], versions=2).output is not None
    assert archive_night(stores, DAYS[-1], versions=1).output is None


def test_a_version_keeps_its_folder_until_the_registry_says_that_it_is_archived(stores: Stores) -> None:
    settings = plain_settings(stores.home, retention={"versions": 2})
    for _ in range(2):
        with pytest.raises(KilledError):
            execute(stage_of(ARCHIVE, settings), dying(stores, "before it writes"), settings, DAYS[8])
    assert stores.read(MODEL_VERSIONS).filter(pl.col(STATUS) == ARCHIVED).is_empty()
    assert folders(stores) == ["t1", "t2", "t3", "t4"]
    archive_night(stores, DAYS[8], versions=2)
    archive_night(stores, DAYS[9], versions=2)
    assert folders(stores) == ["t1", "t3", "t4"]
