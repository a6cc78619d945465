"""The interface of the Dagster job ``training``: its name, its config, and a sensor's request for it."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

TRAINING_JOB = "training"
OP = "train_models"  # not the name of the job, whose graph has it


class TrainingConfig(dg.Config):
    """The config of the job, as the launchpad shows it."""

    models: list[str] = Field(default=[], description="models to train, such as lightgbm; when empty all of the settings")
    sessions: int | None = Field(default=None, description="number of the last sessions to learn from; when left out as in the settings")
    folds: int | None = Field(default=None, description="walk-forward folds; when left out as in the settings")
    trials: int | None = Field(default=None, description="sets of parameters to try per model; when left out as in the settings")
    dry_run: bool = Field(default=False, description="train and score, but keep nothing but the row of the job")
    reason: str = Field(default="manual", description="reason for the record: schedule, drift, missing or manual")


def training_request(models: Sequence[str], reason: str, run_key: str) -> dg.RunRequest:
    """A sensor's request to train models; all of the settings where ``models`` is empty."""
    config = {"models": list(models), "reason": reason}
    return dg.RunRequest(run_key=run_key, job_name=TRAINING_JOB, run_config={"ops": {OP: {"config": config}}})
