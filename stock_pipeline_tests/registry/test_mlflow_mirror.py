import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from stock_pipeline.registry.mlflow_mirror import EXPERIMENT, TRAINING_TAG, MirroredVersion, mirror


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


# The tests of this file follow one life of a mirror, in their order: making MLflow's tables anew for each would take seconds.


def test_a_version_becomes_a_run_with_parameters_measures_and_artefact(home: Path, versions: list[MirroredVersion]) -> None:
    assert mirror(home, versions[:1]) == 1
    (run,) = runs(home).values()
    assert (run["name"], run["ended"], run["status"]) == ("ridge 1", "FINISHED", "active")
    assert run["metrics"] == {"rank_ic": 0.02}
    assert run["parameters"] == {"knots": "7", "members": "x" * 500}
    folder = Path(str(run["artefacts"]).removeprefix("file://")) / "model"
    assert (folder / "manifest.json").read_bytes() == (versions[0].artefact / "manifest.json").read_bytes()
    assert folder.is_relative_to(home.resolve() / "mlflow" / "artifacts")


def test_mirroring_again_adds_nothing_but_what_is_new(home: Path, versions: list[MirroredVersion]) -> None:
    assert mirror(home, versions[:1]) == 0
    assert mirror(home, versions) == 1
    assert mirror(home, versions) == 0
    assert set(runs(home)) == {"aa11", "bb22"}


def test_a_run_keeps_up_with_the_status_of_its_version(home: Path, versions: list[MirroredVersion]) -> None:
    assert mirror(home, [replace(versions[0], status="retired"), versions[1]]) == 0
    assert {training_id: run["status"] for training_id, run in runs(home).items()} == {"aa11": "retired", "bb22": "active"}


def test_a_run_that_was_cut_short_is_made_again(home: Path, versions: list[MirroredVersion], monkeypatch: pytest.MonkeyPatch) -> None:
    third = replace(versions[0], training_id="cc33", version=3)
    with monkeypatch.context() as patched:
        patched.setattr("mlflow.MlflowClient.log_artifacts", killed)
        with pytest.raises(KeyboardInterrupt):
            mirror(home, [third])
    assert mirror(home, [third]) == 1
    assert runs(home)["cc33"]["ended"] == "FINISHED"
    assert len(runs(home)) == 3


def killed(*_given: object, **_named: object) -> None:
    raise KeyboardInterrupt


def test_a_mirror_that_was_thrown_away_is_made_again(home: Path, versions: list[MirroredVersion]) -> None:
    shutil.rmtree(home / "mlflow")
    # In a process of its own, for this one's MLflow holds on to the file that was thrown away.
    code = (
        f"from datetime import *; from pathlib import *; from {MirroredVersion.__module__} import *; print(mirror({home!r}, {versions!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert ended.stdout == "2\n", ended.stderr
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db")) as connection:
        shown = connection.execute("SELECT value FROM tags WHERE key = ? ORDER BY value", [TRAINING_TAG]).fetchall()
    assert shown == [("aa11",), ("bb22",)]


def test_nothing_that_mlflow_loads_of_ours_may_be_unpickled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", raising=False)
    monkeypatch.setattr("mlflow.MlflowClient", killed)
    with pytest.raises(KeyboardInterrupt):
        mirror(tmp_path, [])
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
