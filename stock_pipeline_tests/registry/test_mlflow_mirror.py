import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.registry.mlflow_mirror import EXPERIMENT, TRAINING_TAG, MirroredVersion, mirror, server_command


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mirrored")


@pytest.fixture(scope="module")
def versions(home: Path) -> list[MirroredVersion]:
    made = []
    for number, training_id in enumerate(("aa11", "bb22"), 1):
        folder = home / "models" / "ridge" / training_id
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(f'{{"training_id": "{training_id}"}}')
        made.append(
            MirroredVersion(
                model="ridge",
                version=number,
                training_id=training_id,
                status="active",
                parameters={"knots": 7, "members": "x" * 900},
                metrics={"rank_ic": 0.02 * number, "icir": None},
                artefact=folder,
                charts=lambda: {"rank_ic_by_session": b"PNG"},
            )
        )
    return made


def runs(home: Path) -> dict[str, dict[str, object]]:
    """What MLflow shows of each training."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return {
        run.data.tags[TRAINING_TAG]: {
            "name": run.info.run_name,
            "ended": run.info.status,
            "status": run.data.tags["status"],
            "parameters": run.data.params,
            "metrics": run.data.metrics,
            "artefacts": run.info.artifact_uri,
        }
        for run in client.search_runs([experiment.experiment_id])
    }


@pytest.fixture(scope="module")
def mirrored(home: Path, versions: list[MirroredVersion]) -> Path:
    """A data directory whose mirror shows both versions; making MLflow's tables takes seconds, so the tests share it."""
    assert mirror(home, versions) == 2
    return home


def another(version: MirroredVersion, training_id: str) -> MirroredVersion:
    return replace(version, training_id=training_id, version=3)


def test_a_version_becomes_a_run_with_parameters_measures_and_artefact(mirrored: Path, versions: list[MirroredVersion]) -> None:
    run = runs(mirrored)["bb22"]
    assert (run["name"], run["ended"], run["status"]) == ("ridge 2", "FINISHED", "active")
    assert run["metrics"] == {"rank_ic": 0.04}
    assert run["parameters"] == {"knots": "7", "members": "x" * 500}
    folder = Path(str(run["artefacts"]).removeprefix("file://")) / "model"
    assert (folder / "manifest.json").read_bytes() == (versions[1].artefact / "manifest.json").read_bytes()
    assert folder.is_relative_to(mirrored.resolve() / "mlflow" / "artifacts")


def test_a_run_shows_the_pictures_of_its_training(mirrored: Path) -> None:
    for run in runs(mirrored).values():
        folder = Path(str(run["artefacts"]).removeprefix("file://")) / "charts"
        assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("rank_ic_by_session.png", b"PNG")]


def test_mirroring_again_adds_only_what_is_new(mirrored: Path, versions: list[MirroredVersion]) -> None:
    before = runs(mirrored)
    assert mirror(mirrored, [replace(version, charts=killed) for version in versions]) == 0  # charts are drawn for new runs alone
    assert runs(mirrored) == before
    assert mirror(mirrored, [*versions, another(versions[0], "dd44")]) == 1
    assert set(runs(mirrored)) == {*before, "dd44"}


def test_a_run_keeps_up_with_the_status_of_its_version(mirrored: Path, versions: list[MirroredVersion]) -> None:
    assert mirror(mirrored, [replace(versions[0], status="retired"), versions[1]]) == 0
    assert {name: runs(mirrored)[name]["status"] for name in ("aa11", "bb22")} == {"aa11": "retired", "bb22": "active"}
    assert mirror(mirrored, versions) == 0
    assert runs(mirrored)["aa11"]["status"] == "active"


def test_a_run_that_was_cut_short_is_made_again(mirrored: Path, versions: list[MirroredVersion], monkeypatch: pytest.MonkeyPatch) -> None:
    cut_short, before = another(versions[0], "cc33"), len(runs(mirrored))
    with monkeypatch.context() as patched:
        patched.setattr("mlflow.MlflowClient.log_artifacts", killed)
        with pytest.raises(KeyboardInterrupt):
            mirror(mirrored, [cut_short])
    assert mirror(mirrored, [cut_short]) == 1
    assert runs(mirrored)["cc33"]["ended"] == "FINISHED"
    assert len(runs(mirrored)) == before + 1
    assert mirror(mirrored, [cut_short]) == 0


def test_a_mirror_made_again_from_nothing_shows_the_same(mirrored: Path, versions: list[MirroredVersion], tmp_path: Path) -> None:
    assert mirror(tmp_path, versions) == 2
    again, before = runs(tmp_path), runs(mirrored)
    for name in ("aa11", "bb22"):
        assert {**again[name], "artefacts": None} == {**before[name], "artefacts": None}


def aliases(home: Path) -> dict[str, str]:
    """The registry's version that each alias of the model names."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    named = client.get_registered_model("ridge").aliases
    return {alias: client.get_model_version("ridge", number).tags["version"] for alias, number in named.items()}


def test_aliases_follow_the_registry(mirrored: Path, versions: list[MirroredVersion]) -> None:
    first, second = (replace(version, status=status) for version, status in zip(versions, ("active", "shadow"), strict=True))
    mirror(mirrored, [first, second])
    assert aliases(mirrored) == {"active": "1", "shadow": "2"}
    mirror(mirrored, [replace(first, status="retired"), replace(second, status="active")])
    assert aliases(mirrored) == {"active": "2"}


def test_a_version_without_an_artefact_is_shown_all_the_same(mirrored: Path, versions: list[MirroredVersion], tmp_path: Path) -> None:
    archived = replace(another(versions[0], "ee55"), status="archived", artefact=tmp_path / "gone")
    assert mirror(mirrored, [archived]) == 1
    assert runs(mirrored)["ee55"]["status"] == "archived"


def test_the_server_shows_the_store_of_the_data_directory_on_loopback_alone(mirrored: Path) -> None:
    command = server_command(mirrored, 5001)
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert command[:4] == [sys.executable, "-m", "mlflow", "server"]
    assert (options["--host"], options["--port"]) == ("127.0.0.1", "5001")
    assert options["--backend-store-uri"] == f"sqlite:///{mirrored.resolve() / 'mlflow' / 'mlflow.db'}"


def test_there_is_no_server_before_anything_was_mirrored(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mlflow\.db does not exist.*run `stock-pipeline run` first"):
        server_command(tmp_path, 5000)
    assert list(tmp_path.iterdir()) == []


def killed(*_given: object, **_named: object) -> NoReturn:
    raise KeyboardInterrupt


def test_nothing_that_mlflow_loads_of_ours_may_be_unpickled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", raising=False)
    monkeypatch.setattr("mlflow.MlflowClient", killed)
    with pytest.raises(KeyboardInterrupt):
        mirror(tmp_path, [])
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
