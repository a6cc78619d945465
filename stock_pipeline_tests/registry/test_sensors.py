"""When the sensor ``damaged_models`` asks for a retraining, on stores and artefacts that are made up."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import dagster as dg
import pytest

from stock_pipeline.models.artefacts import Artefact
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.manifest import MANIFEST_FILE
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.orchestration.training_request import OP, TRAINING_JOB
from stock_pipeline.registry.reading import damaged_trainings, models_to_mend
from stock_pipeline.registry.sensors import DAMAGED_MODELS, damaged_models
from stock_pipeline.registry.tables import MODEL_VERSIONS, TRAINING_JOBS
from stock_pipeline.registry.training_jobs import TrainingRequest, with_new_job
from stock_pipeline.storage import Stores
from stock_pipeline.storage.audit import Execution, ExecutionState
from stock_pipeline_tests.factories.artefacts import model_file, put_training
from stock_pipeline_tests.factories.rows import ingested, put, training_row, version_row
from stock_pipeline_tests.harness.plain_settings import plain_settings

SESSION = date(2024, 5, 3)
NOW = datetime(2024, 5, 3, 22, 45)
NAMES = ["lightgbm", "mlp"]


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """Ingestion has reached the session."""
    return ingested(tmp_path / "data", SESSION)


Serve = Callable[..., Artefact]


@pytest.fixture
def serve(stores: Stores) -> Serve:
    """A training of a model with its artefact, active by default."""

    def served(model: str, training: str, version: int | None = 1, **parameters: object) -> Artefact:
        artefact = put_training(stores, model, training, SESSION, parameters)
        if version is not None:
            put(stores, MODEL_VERSIONS, [version_row(model, version, training, SESSION)], SESSION)
        return artefact

    return served


def tried(stores: Stores, model: str, state: ExecutionState, error: str | None = None, hour: int = 1) -> None:
    moment = NOW.replace(hour=hour)
    stores.record_executions("ml", Execution(f"models/{model}", "a-run", moment, moment, state, 0, error))


def look(stores: Stores, **retraining: object) -> dg.RunRequest | dg.SkipReason:
    settings = plain_settings(stores.home, models={"names": NAMES}, registry={"retraining": retraining})
    answer = damaged_models(settings)()
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer


def asked(answer: dg.RunRequest | dg.SkipReason) -> list[str]:
    assert isinstance(answer, dg.RunRequest), answer
    assert answer.job_name == TRAINING_JOB
    config = answer.run_config["ops"][OP]["config"]
    assert config["reason"] == "missing"
    models: list[str] = config["models"]
    return models


def test_a_version_that_was_altered_or_is_gone_is_to_be_mended(stores: Stores, serve: Serve) -> None:
    sound, altered = serve("lightgbm", "t1"), serve("mlp", "t2")
    assert damaged_trainings(stores) == {} and models_to_mend(stores, NAMES) == {}
    model_file(stores, altered).write_text("other weights")
    assert list(damaged_trainings(stores)) == ["t2"] and "model.txt is not the file" in models_to_mend(stores, NAMES)["mlp"]
    (stores.home / "models" / sound.path / MANIFEST_FILE).unlink()
    assert list(models_to_mend(stores, NAMES)) == ["lightgbm", "mlp"]


def test_a_manifest_forged_with_its_files_is_seen_by_the_hash_of_the_training(stores: Stores, serve: Serve) -> None:
    serve("mlp", "t1")
    put(stores, TRAININGS, [training_row("mlp", "t1", SESSION, sha256="11")], SESSION)
    assert list(models_to_mend(stores, NAMES)) == ["mlp"]


def test_a_damaged_member_of_the_stack_is_trained_and_of_another_version_the_damage_is_left(stores: Stores, serve: Serve) -> None:
    old, member, left_out = serve("mlp", "t1", None), serve("lightgbm", "t2", None), serve("risk", "t3", None)
    serve(STACK, "t9", members={"lightgbm": "t2", "risk": "t3"})
    model_file(stores, old).unlink()
    assert models_to_mend(stores, NAMES) == {}
    model_file(stores, left_out).unlink()
    assert list(models_to_mend(stores, NAMES)) == [STACK]  # which then goes on without it, as the settings say
    model_file(stores, member).unlink()
    assert set(damaged_trainings(stores)) == {"t2", "t3"}
    assert list(models_to_mend(stores, NAMES)) == ["lightgbm"]


def test_a_damaged_stack_is_trained_alone(stores: Stores, serve: Serve) -> None:
    serve("lightgbm", "t2")
    model_file(stores, serve(STACK, "t9", members={"lightgbm": "t2"})).unlink()
    assert asked(look(stores)) == [STACK]


def test_a_model_that_was_tried_in_vain_is_tried_again_and_one_never_tried_is_left(stores: Stores, serve: Serve) -> None:
    tried(stores, "lightgbm", "failed", "no memory")
    tried(stores, "risk", "failed", "no memory")  # which the settings leave out
    assert models_to_mend(stores, NAMES) == {"lightgbm": "its training failed and no version is active: no memory"}
    tried(stores, "lightgbm", "succeeded", hour=2)
    assert models_to_mend(stores, NAMES) == {}
    serve("mlp", "t1")
    tried(stores, "mlp", "failed", "no memory")
    assert models_to_mend(stores, NAMES) == {}  # the version before it serves


def test_the_request_is_the_same_for_as_long_as_nothing_changes(stores: Stores, serve: Serve) -> None:
    serve("mlp", "t1")
    assert look(stores) == dg.SkipReason("every active version is undamaged, and no failed training left a model without one")
    tried(stores, "lightgbm", "failed", "no memory")
    first = look(stores)
    assert (asked(first), asked(look(stores))) == (["lightgbm"], ["lightgbm"])
    keys = [answer.run_key for answer in (first, look(stores)) if isinstance(answer, dg.RunRequest)]
    assert keys == [f"{DAMAGED_MODELS}-lightgbm-{SESSION}"] * 2


def test_nothing_is_requested_while_a_job_waits_or_where_it_is_not_wanted(stores: Stores) -> None:
    tried(stores, "lightgbm", "failed", "no memory")
    put(stores, TRAINING_JOBS, with_new_job(TRAINING_JOBS.empty(), TrainingRequest(("mlp",)), utc_now()), SESSION)
    assert all(fact in str(look(stores)) for fact in ("training job 1 (manual)", "waiting to begin"))
    assert "registry.retraining.when_damaged is false" in str(look(stores, when_damaged=False))


def test_without_stores_there_is_nothing_to_look_at(stores: Stores) -> None:
    assert "nothing has been ingested yet" in str(look(replace(stores, home=stores.home.parent / "none")))


@pytest.mark.parametrize(("wanted", "status"), [(True, dg.DefaultSensorStatus.RUNNING), (False, dg.DefaultSensorStatus.STOPPED)])
def test_the_sensor_is_on_where_it_is_wanted(tmp_path: Path, wanted: bool, status: dg.DefaultSensorStatus) -> None:
    settings = plain_settings(tmp_path, registry={"retraining": {"when_damaged": wanted}}, automation={"interval_seconds": 77})
    sensor = damaged_models(settings)
    assert (sensor.name, sensor.default_status, sensor.minimum_interval_seconds) == (DAMAGED_MODELS, status, 77)
