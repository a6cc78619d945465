"""What a person who opens the web UI can read about everything that is listed there, and what the launchpad refuses at once."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from stock_pipeline.definitions import build_definitions
from stock_pipeline.orchestration.training_request import OP, TRAINING_JOB
from stock_pipeline_tests.harness.plain_settings import plain_settings


@pytest.fixture
def repository(tmp_path: Path) -> dg.RepositoryDefinition:
    return build_definitions(plain_settings(tmp_path)).get_repository_def()


def test_everything_that_the_web_ui_lists_has_a_description_of_its_own(repository: dg.RepositoryDefinition) -> None:
    listed = {schedule.name: schedule.description for schedule in repository.schedule_defs}
    listed |= {sensor.name: sensor.description for sensor in repository.sensor_defs}
    listed |= {job.name: job.description for job in repository.get_all_jobs() if not job.name.startswith("__")}
    listed |= {name: resource.description for name, resource in repository.get_top_level_resources().items()}
    assert {"nightly_automation", "performance_schedule", "market", "ml", "full_run"} <= set(listed)
    assert [name for name, text in listed.items() if not text or len(text) < 20] == []
    assert len(set(listed.values())) == len(listed)


@pytest.mark.parametrize("config", [{}, {"models": ["lightgbm", "stack"], "reason": "drift", "sessions": 90}])
def test_the_launchpad_takes_a_sound_training(config: dict[str, Any], repository: dg.RepositoryDefinition) -> None:
    assert dg.validate_run_config(repository.get_job(TRAINING_JOB), {"ops": {OP: {"config": config}}})


@pytest.mark.parametrize("config", [{"models": ["gpt"]}, {"reason": "boredom"}, {"days": 90}, {"sessions": "many"}])
def test_the_launchpad_refuses_a_wrong_training_before_it_runs(config: dict[str, Any], repository: dg.RepositoryDefinition) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(repository.get_job(TRAINING_JOB), {"ops": {OP: {"config": config}}})
