"""``stock-pipeline models`` on a registry of stored versions whose artefacts are there."""

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import Result

from stock_pipeline.core.columns import MODEL, VERSION
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.models.tables import OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.registry.tables import DECISIONS, MODEL_ENABLEMENT, MODEL_VERSIONS, STATUS, VIEWS
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import ingested, out_of_fold_row, put, training_row, version_row
from stock_pipeline_tests.harness.invocation import invoke

DAYS = sessions(6)
NAME = "lightgbm"
STATUSES = {1: "retired", 2: "active", 3: "candidate", 4: "rejected"}
WRONG_INPUT = 2


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """A model with four versions: retired, active, waiting for a person, rejected. The third's errors are half of the second's."""
    stores = ingested(tmp_path, DAYS[5])
    put(stores, TRAININGS, [training(tmp_path, number) for number in STATUSES], DAYS[4])
    put(stores, MODEL_VERSIONS, [version(number, status) for number, status in STATUSES.items()], DAYS[4])
    said = [
        out_of_fold_row(NAME, f"t{number}", day, symbol, target + error * sign) | {"target": target, "forward_return": target}
        for number, error in ((2, 0.2), (3, 0.1))
        for day in sessions(12)
        for symbol, target, sign in (("A", -0.5, 1), ("B", 0.0, -1), ("C", 0.5, 1))
    ]
    put(stores, OUT_OF_FOLD_PREDICTIONS, said, DAYS[4])
    return stores


def training(home: Path, number: int) -> dict[str, Any]:
    folder = home / "models" / NAME / f"t{number}"
    folder.mkdir(parents=True)
    (folder / "model.txt").write_text(f"tree {number}")
    listed = {"model.txt": hashlib.sha256(f"tree {number}".encode()).hexdigest()}
    days = dict.fromkeys(("as_of", "train_from", "train_to"), str(DAYS[number]))
    told = {"model": NAME, "training_id": f"t{number}", "features": [], "features_hash": "00", "rows": 1, "parameters": {}, "metrics": {}}
    manifest = json.dumps({**told, **days, "seed": 1, "threads": 1, "code_version": "1", "files": listed})
    (folder / "manifest.json").write_text(manifest)
    return training_row(NAME, f"t{number}", DAYS[number], sha256=hashlib.sha256(manifest.encode()).hexdigest())


def version(number: int, status: str) -> dict[str, Any]:
    served = {"active_from": DAYS[number] if number < 3 else None, "active_to": DAYS[2] if number == 1 else None}
    return version_row(NAME, number, f"t{number}", DAYS[number]) | served | {STATUS: status}


def statuses(stores: Stores) -> dict[int, str]:
    return dict(stores.read(MODEL_VERSIONS).sort(VERSION).select(VERSION, STATUS).iter_rows())


def models(stores: Stores, *arguments: object) -> Result:
    return invoke(stores.home, "models", *map(str, arguments))


def told(stores: Stores, *arguments: object) -> dict[str, Any]:
    ended = models(stores, *arguments, "--json")
    assert ended.exit_code == 0, ended.output
    content: dict[str, Any] = json.loads(ended.output)
    return content


def test_the_list_has_every_model(stores: Stores) -> None:
    rows = {row["model"]: row for row in told(stores, "list")["models"]}
    assert list(rows) == [*(entry.name for entry in CATALOGUE), STACK]
    row = rows[NAME]
    assert (row["active_version"], row["active_since"], row["versions"], row["enabled"]) == (2, str(DAYS[2]), 4, True)
    assert rows[STACK]["active_version"] is None
    assert NAME in models(stores, "list").output


def test_a_model_is_shown_with_its_versions_and_decisions(stores: Stores) -> None:
    models(stores, "rollback", NAME, "--reason", "it errs")
    found = told(stores, "show", NAME)
    assert [row["version"] for row in found["all_versions"]] == [4, 3, 2, 1]
    assert [(row["version"], row["decision"], row["reason"]) for row in found["decisions"]] == [(1, "rolled_back", "it errs")]
    shown = models(stores, "show", NAME).output
    assert "rolled_back" in shown and "it errs" in shown


def test_a_version_that_passes_is_promoted_on_the_last_session_with_its_figures(stores: Stores) -> None:
    assert told(stores, "promote", NAME, 3)["active_version"] == 3
    assert statuses(stores) == STATUSES | {2: "retired", 3: "active"}
    row = stores.read(DECISIONS).row(0, named=True)
    assert (row["as_of"], row["version"], row["champion"], row["by"], row["sessions"]) == (DAYS[5], 3, 2, "person", 12)
    assert (row["mae"], row["champion_mae"]) == pytest.approx((0.1, 0.2))


def test_a_rejected_version_is_promoted_with_a_reason_alone(stores: Stores) -> None:
    assert models(stores, "promote", NAME, 4, "--force", "--reason", "I know better").exit_code == 0
    assert statuses(stores)[4] == "active"
    assert stores.read(DECISIONS)["reason"].to_list() == ["I know better"]


def test_going_back_leads_to_the_version_before_or_to_the_one_that_is_named(stores: Stores) -> None:
    assert "Version 1 of lightgbm is active again" in models(stores, "rollback", NAME).output
    assert statuses(stores) == STATUSES | {1: "active", 2: "retired"}
    assert told(stores, "rollback", NAME, "--to", 2)["active_version"] == 2


def test_a_model_is_disabled_and_enabled(stores: Stores) -> None:
    assert told(stores, "disable", NAME, "--reason", "it errs")["enabled"] is False
    assert stores.read(MODEL_ENABLEMENT).select(MODEL, "enabled", "as_of", "reason").rows() == [(NAME, False, DAYS[5], "it errs")]
    assert told(stores, "enable", NAME)["enabled"] is True


def test_what_a_hand_did_is_in_the_audit_trail(stores: Stores) -> None:
    before = stores.watermark("ml", "registry/model_versions")
    models(stores, "rollback", NAME)
    with stores.ml.reader() as connection:
        query = "SELECT run_id, author, table_name FROM audit.writes WHERE author_kind = 'person' ORDER BY table_name"
        rows = connection.execute(query).fetchall()
    assert [row[1:] for row in rows] == [("person", "registry.decisions"), ("person", "registry.model_versions")]
    assert {run.startswith("manual-") for run, *_ in rows} == {True}
    assert stores.watermark("ml", "registry/model_versions") == before  # the asset has yet to look at what the person did


def spoil(stores: Stores, number: int) -> None:
    (stores.home / "models" / NAME / f"t{number}" / "model.txt").write_text("another tree")


def lose(stores: Stores, number: int) -> None:
    (stores.home / "models" / NAME / f"t{number}" / "model.txt").unlink()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("promote", "nothing", 1), "there is no model 'nothing'; the models are spline_ridge, "),
        (("show", "nothing"), "there is no model 'nothing'"),
        (("promote", NAME, 9), "lightgbm has no version 9; its versions are 1, 2, 3, 4"),
        (("promote", NAME, 2), "version 2 of lightgbm is active already"),
        (("promote", NAME, 4), "version 4 of lightgbm was rejected"),
        (("promote", NAME, 3, "--force"), "--force was given without a reason"),
        (("rollback", NAME, "--to", 3), "version 3 of lightgbm is candidate"),
        (("rollback", STACK), "the stack follows the active versions of its models"),
        (("enable", NAME), "lightgbm is enabled already"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(arguments: tuple[object, ...], sentence: str, stores: Stores) -> None:
    ended = models(stores, *arguments)
    assert (ended.exit_code, ended.stdout) == (WRONG_INPUT, "")
    assert ended.stderr.startswith(f"Error: {sentence}"), ended.stderr
    assert statuses(stores) == STATUSES and stores.count(DECISIONS) == stores.count(MODEL_ENABLEMENT) == 0


@pytest.mark.parametrize(("harm", "told_of"), [(spoil, "is not the file that the manifest lists"), (lose, "is missing")])
def test_a_damaged_version_does_not_come_into_service(harm: Any, told_of: str, stores: Stores) -> None:
    for number, arguments in ((3, ("promote", NAME, 3)), (3, ("promote", NAME, 3, "--force", "--reason", "so")), (1, ("rollback", NAME))):
        if (stores.home / "models" / NAME / f"t{number}" / "model.txt").exists():
            harm(stores, number)
        ended = models(stores, *arguments)
        assert ended.exit_code == WRONG_INPUT
        assert f"version {number} of lightgbm cannot be active: " in ended.stderr and told_of in ended.stderr
    assert statuses(stores) == STATUSES


@pytest.mark.parametrize("arguments", [("promote", NAME, 1), ("rollback", NAME), ("disable", NAME)])
def test_before_anything_was_made_there_is_nothing_to_decide_on(arguments: tuple[object, ...], tmp_path: Path) -> None:
    ended = invoke(tmp_path / "nowhere", "models", *map(str, arguments))
    assert ended.exit_code == WRONG_INPUT and "run `stock-pipeline run` first" in ended.stderr
    assert not (tmp_path / "nowhere").exists()
    rows = json.loads(invoke(tmp_path / "nowhere", "models", "list", "--json").output)["models"]
    assert {row["active_version"] for row in rows} == {None}


def test_mlflow_is_brought_up_to_the_registry(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []

    def mirror(_home: Path, versions: list[Any]) -> int:
        shown.extend(versions)
        return len(versions)

    monkeypatch.setattr("stock_pipeline.registry.mlflow_mirror.mirror", mirror)
    assert models(stores, "sync").output == "MLflow shows 4 versions; 4 runs were added.\n"
    assert [(one.model, one.version, one.status) for one in shown] == [(NAME, number, status) for number, status in STATUSES.items()]
    assert shown[0].artefact == stores.home / "models" / NAME / "t1" and shown[0].parameters["rows"] == 100


def test_without_a_version_there_is_nothing_to_show_in_mlflow(tmp_path: Path) -> None:
    ended = invoke(tmp_path, "models", "sync")
    assert ended.exit_code == WRONG_INPUT and "there is no version of a model" in ended.stderr


def test_views_tell_of_what_serves_and_of_what_is_in_shadow(stores: Stores) -> None:
    put(stores, MODEL_VERSIONS, [version(3, "shadow")], DAYS[4])
    stores.prepare((), VIEWS)
    with stores.ml.reader() as connection:
        active = pl.DataFrame(connection.execute("SELECT * FROM registry.active_models").to_arrow_table())
        shadow = pl.DataFrame(connection.execute("SELECT * FROM registry.shadow_models").to_arrow_table())
    assert active.select(MODEL, VERSION, "rows", "enabled").rows() == [(NAME, 2, 100, True)]
    assert shadow.select(MODEL, VERSION, "sessions", "predictions").rows() == [(NAME, 3, 0, 0)]
