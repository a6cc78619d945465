"""The interface of the Dagster job ``training``: its name, its config, and a sensor's request for it."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

TRAINING_JOB = "training"
OP = "train_models"  # not the name of the job, whose graph has it


def training_config(models: Sequence[str], reasons: Sequence[str]) -> dict[str, Any]:
    """The config of the job, as the launchpad shows it; it refuses names that are not among these before a run begins.

    Args:
        models: the names of all models.
        reasons: the reasons for the record.
    """
    of_models = dg.Enum("Model", [dg.EnumValue(name) for name in models])
    of_reasons = dg.Enum("Reason", [dg.EnumValue(name) for name in reasons])
    return {
        "models": _field([of_models], [], "models to train, such as lightgbm; when empty all of the settings"),
        "sessions": _field(dg.Noneable(int), None, "number of the last sessions to learn from; when left out as in the settings"),
        "folds": _field(dg.Noneable(int), None, "walk-forward folds; when left out as in the settings"),
        "trials": _field(dg.Noneable(int), None, "sets of parameters to try per model; when left out as in the settings"),
        "dry_run": _field(bool, False, "train and score, but keep nothing but the row of the job"),
        "reason": _field(of_reasons, "manual", f"reason for the record: {', '.join(reasons)}"),
    }


def training_request(models: Sequence[str], reason: str, run_key: str) -> dg.RunRequest:
    """A sensor's request to train models; all of the settings where ``models`` is empty."""
    config = {"models": list(models), "reason": reason}
    return dg.RunRequest(run_key=run_key, job_name=TRAINING_JOB, run_config={"ops": {OP: {"config": config}}})


def _field(kind: Any, default: object, description: str) -> dg.Field:
    return dg.Field(kind, default_value=default, is_required=False, description=description)
