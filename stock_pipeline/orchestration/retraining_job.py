"""The Dagster job ``retraining``: what people fill in to have models trained anew, and what sensors request."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import dagster as dg
from pydantic import Field

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.automation import run_tags
from stock_pipeline.orchestration.in_process import Build, Run, runner
from stock_pipeline.settings import Settings

RETRAINING_JOB = "retraining"
OP = "retrain_models"  # not the name of the job, whose graph has it
STARTED_BY = "stock_pipeline/started_by_run"
SHOWN = ("job", "state", "models", "succeeded", "failed")


class CarryOut(Protocol):
    """Opens a retraining job and carries it out; returns its row."""

    def __call__(
        self, settings: Settings, run: Run, models: Sequence[str], reason: str, days: int | None, dry_run: bool
    ) -> Mapping[str, Any]:
        """See ``retraining.retrain_within_dagster``."""
        ...


class RetrainingConfig(dg.Config):
    """What the launchpad asks for."""

    models: list[str] = Field(default=[], description="models to train, such as lightgbm; when empty all that the settings name")
    days: int | None = Field(default=None, description="learn from so many of the last sessions; when left out as the settings say")
    dry_run: bool = Field(default=False, description="train and score, but keep nothing but the row of the job")
    reason: str = Field(default="manual", description="why: schedule, drift, missing or manual")


def retraining_job(settings: Settings, build: Build, assets_job: str, carry_out: CarryOut) -> dg.JobDefinition:
    """The job, of one op.

    Args:
        settings: as the code location has them.
        build: the code location for settings.
        assets_job: name of the job whose assets are run.
        carry_out: does it.
    """

    @dg.op(name=OP, description="Train models anew, then weigh them and register what came of it.")
    def retrain_models(context: dg.OpExecutionContext, config: RetrainingConfig) -> None:
        run_id = str(uuid.uuid4())
        context.log.info(f"what the retraining makes is recorded in run {run_id}")
        run = runner(build, assets_job, context.instance, run_id=run_id, tags={STARTED_BY: context.run_id})
        try:
            row = carry_out(settings, run, config.models, config.reason, config.days, config.dry_run)
        except InputError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        shown = {name: dg.MetadataValue.text(_text(row[name])) for name in SHOWN} | {"run": dg.MetadataValue.dagster_run(run_id)}
        context.add_output_metadata(shown)
        for model, reason in row["failed"].items():
            context.log.warning(f"{model} was not trained: {reason}")
        if row["error"] is not None:
            raise dg.Failure(f"retraining job {row['job']} failed: {row['error']}", metadata=shown, allow_retries=False)

    @dg.job(
        name=RETRAINING_JOB,
        description="Train models anew on what is stored, and register what came of it; see `stock-pipeline jobs list`.",
        tags=run_tags(settings, "training"),
    )
    def retraining() -> None:
        retrain_models()

    return retraining


def retraining_request(models: Sequence[str], reason: str, run_key: str) -> dg.RunRequest:
    """What a sensor answers to have models trained anew, all that the settings name where ``models`` is empty."""
    config = {"models": list(models), "reason": reason}
    return dg.RunRequest(run_key=run_key, job_name=RETRAINING_JOB, run_config={"ops": {OP: {"config": config}}})


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {why}" for name, why in value.items()) or "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
