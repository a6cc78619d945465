"""MLflow as a mirror of the registry: one run per version, with parameters, metrics and artefact. It can be rebuilt at any time."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from stock_pipeline.core.errors import InputError
from stock_pipeline.core.layout import Layout
from stock_pipeline.core.locks import exclusive

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "stock_pipeline"
TRAINING_TAG = "stock_pipeline.training_id"
FINISHED = "FINISHED"
ALIASES = ("active", "shadow")  # statuses that name a version
NO_TELEMETRY = "MLFLOW_DISABLE_TELEMETRY"
STORE_FILE = "mlflow.db"
MOST_CHARACTERS = 500  # of a parameter's value


@dataclass(frozen=True)
class MirroredVersion:
    """A version as MLflow is to show it; ``charts`` (PNG, by name) are drawn only for a new run."""

    model: str
    version: int
    training_id: str
    status: str
    parameters: Mapping[str, object]
    metrics: Mapping[str, float | None]
    artefact: Path
    charts: Callable[[], Mapping[str, bytes]]


def mirror(home: Path, versions: list[MirroredVersion]) -> int:
    """Bring MLflow's local store under ``home`` up to date with the versions, and return the number of runs added.

    A version that has a run keeps it; only its status is brought up to date. Each model is a registered model, its versions have the
    registry's numbers as tags, and the aliases ``active`` and ``shadow`` (the newest one there) follow the registry.
    """
    client, experiment = _client(home)
    runs = _runs(client, experiment)
    added = 0
    for version in versions:
        found = runs.get(version.training_id, [])
        finished = [run_id for run_id, status in found if status == FINISHED]
        for unfinished in (run_id for run_id, status in found if status != FINISHED):  # the process that added it was killed
            client.delete_run(unfinished)
        run_id = finished[0] if finished else _add_run(client, experiment, version)
        added += not finished
        client.set_tag(run_id, "status", version.status)
        runs[version.training_id] = [(run_id, FINISHED)]
    by_training = {name: held[0][0] for name, held in runs.items()}
    for model in dict.fromkeys(version.model for version in versions):
        _register(client, model, [version for version in versions if version.model == model], by_training)
    return added


def _runs(client: "MlflowClient", experiment: str) -> dict[str, list[tuple[str, str]]]:
    """The runs of each training: their ids and statuses."""
    found: dict[str, list[tuple[str, str]]] = {}
    token: str | None = None
    while token != "":
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            found.setdefault(run.data.tags.get(TRAINING_TAG, ""), []).append((run.info.run_id, run.info.status))
        token = page.token or ""
    return found


def _register(client: "MlflowClient", model: str, versions: list[MirroredVersion], runs: Mapping[str, str]) -> None:
    """Bring a registered model up to date with its versions, in their order, and set its aliases."""
    from mlflow.exceptions import MlflowException

    try:
        held = client.get_registered_model(model)
    except MlflowException:
        held = client.create_registered_model(model, description="Mirror of stock_pipeline's registry.")
    shown = {found.tags.get(TRAINING_TAG): found for found in client.search_model_versions(f"name = '{model}'")}
    numbers: dict[str, str] = {}
    for version in sorted(versions, key=lambda one: one.version):
        found = shown.get(version.training_id)
        if found is None:
            tags = {TRAINING_TAG: version.training_id, "version": str(version.version)}
            found = client.create_model_version(model, f"runs:/{runs[version.training_id]}/model", runs[version.training_id], tags)
        client.set_model_version_tag(model, found.version, "status", version.status)
        numbers[version.status] = str(found.version)
    for alias in ALIASES:
        if alias in numbers:
            client.set_registered_model_alias(model, alias, numbers[alias])
        elif alias in held.aliases:
            client.delete_registered_model_alias(model, alias)


def server_command(home: Path, port: int) -> list[str]:
    """The command that serves MLflow's web UI of the store under ``home`` on loopback.

    Raises:
        InputError: there is no store yet.
    """
    os.environ[NO_TELEMETRY] = "true"  # of the server, which takes the place of this process
    folder = Layout(home).mlflow.resolve()
    if not (folder / STORE_FILE).is_file():
        raise InputError(f"{folder / STORE_FILE} does not exist, so MLflow has nothing to show yet; run `stock-pipeline run` first")
    store = ["--backend-store-uri", f"sqlite:///{folder / STORE_FILE}", "--default-artifact-root", (folder / "artifacts").as_uri()]
    return [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *store]


def _client(home: Path) -> tuple["MlflowClient", str]:
    # Loading our artefacts through MLflow must never unpickle anything.
    os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    os.environ[NO_TELEMETRY] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # what it tells of its own tables would tear our lines
    from mlflow import MlflowClient

    folder = Layout(home).mlflow.resolve()
    # The first process to open an empty store makes its tables; two at once would collide.
    with exclusive(folder / ".lock"):
        client = MlflowClient(tracking_uri=f"sqlite:///{folder / STORE_FILE}")
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is not None:
            return client, experiment.experiment_id
        return client, client.create_experiment(EXPERIMENT, artifact_location=(folder / "artifacts").as_uri())


def _add_run(client: "MlflowClient", experiment: str, version: MirroredVersion) -> str:
    tags = {TRAINING_TAG: version.training_id, "model": version.model, "version": str(version.version)}
    run_id: str = client.create_run(experiment, run_name=f"{version.model} {version.version}", tags=tags).info.run_id
    from mlflow.entities import Metric, Param

    parameters = [Param(name, str(value)[:MOST_CHARACTERS]) for name, value in version.parameters.items()]
    measured = [Metric(name, figure, 0, 0) for name, figure in version.metrics.items() if figure is not None]
    client.log_batch(run_id, metrics=measured, params=parameters)
    if version.artefact.is_dir():  # an archived version has none
        client.log_artifacts(run_id, str(version.artefact), artifact_path="model")
    with TemporaryDirectory() as folder:
        for name, content in version.charts().items():
            (Path(folder) / f"{name}.png").write_bytes(content)
        client.log_artifacts(run_id, folder, artifact_path="charts")
    client.set_terminated(run_id, FINISHED)
    return run_id
