"""The Dagster job ``training`` as others ask for it: its name, what is filled in, and a sensor's request."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

TRAINING_JOB = "training"
OP = "train_models"  # not the name of the job, whose graph has it


class TrainingConfig(dg.Config):
    """What the launchpad asks for."""

    models: list[str] = Field(default=[], description="models to train, such as lightgbm; when empty all that the settings name")
    sessions: int | None = Field(default=None, description="learn from so many of the last sessions; when left out as the settings say")
    folds: int | None = Field(default=None, description="walk-forward folds; when left out as the settings say")
    trials: int | None = Field(default=None, description="sets of parameters to try per model; when left out as the settings say")
    dry_run: bool = Field(default=False, description="train and score, but keep nothing but the row of the job")
    reason: str = Field(default="manual", description="why: schedule, drift, missing or manual")


def training_request(models: Sequence[str], reason: str, run_key: str) -> dg.RunRequest:
    """What a sensor answers to have models trained, all that the settings name where ``models`` is empty."""
    config = {"models": list(models), "reason": reason}
    return dg.RunRequest(run_key=run_key, job_name=TRAINING_JOB, run_config={"ops": {OP: {"config": config}}})
