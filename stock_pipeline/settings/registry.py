"""The life of the versions of models: promotion, retraining, retention."""

from typing import Annotated, Literal

from pydantic import Field

from stock_pipeline.settings.kinds import Section, Share


class PromotionSettings(Section):
    """When a new version takes the place of the active one."""

    mode: Annotated[
        Literal["holdout", "shadow"],
        Field(
            description=(
                "how a new version is compared with the one in service: `holdout`, at once, on the stocks and "
                "sessions that both scored out of fold; `shadow`, after nights of predictions beside it"
            )
        ),
    ] = "holdout"
    automatic: Annotated[
        bool, Field(description=("whether a version that passes is promoted; otherwise it is held until `stock-pipeline models promote`"))
    ] = True
    tolerance: Annotated[Share, Field(description="a new version may have an error larger by this share and still take over")] = 0.1
    beats_zero: Annotated[bool, Field(description="guard: its error must be below that of predicting 0 for every stock")] = True
    not_inferior: Annotated[bool, Field(description="guard: its daily rank IC must not be lower beyond chance (EWC t test)")] = True
    no_slipping: Annotated[
        bool, Field(description="guard: it must keep within the tolerance of the best version kept, so that small slips do not add up")
    ] = True
    significance: Annotated[float, Field(gt=0, lt=0.5, description="of that test, above 0 and below 0.5")] = 0.05
    shadow_predictions: Annotated[
        int, Field(ge=1, description="predictions with outcomes that a version in shadow needs before it is decided on")
    ] = 100
    shadow_sessions: Annotated[int, Field(ge=2, description="sessions with outcomes that it needs, 2 or more")] = 20


class RetrainingSettings(Section):
    """When models are retrained between their regular trainings."""

    on_schedule: Annotated[bool, Field(description="train at the times of `automation.training_cron`")] = True
    when_damaged: Annotated[
        bool, Field(description=("retrain models whose artefact is missing or damaged, or whose training failed and left none in service"))
    ] = True
    on_drift: Annotated[bool, Field(description="retrain when features have drifted")] = True
    drift_share: Annotated[float, Field(gt=0, le=1, description="share of the features whose drift must be HIGH or CRITICAL")] = 0.5
    drift_cooldown_days: Annotated[int, Field(ge=1, description="days between two retrainings that drift started")] = 7


class RetentionSettings(Section):
    """How long the remains of versions are kept."""

    versions: Annotated[int, Field(ge=1, description="versions per model whose artefacts stay in place; older ones are archived")] = 30
    archive_after_days: Annotated[int, Field(ge=1, description="days after retirement or refusal until a version is archived")] = 180
    shadow_days: Annotated[int, Field(ge=1, description="days for which shadow results stay")] = 90


class RegistrySettings(Section):
    """The life of the versions of models."""

    promotion: PromotionSettings = PromotionSettings()
    retraining: RetrainingSettings = RetrainingSettings()
    retention: RetentionSettings = RetentionSettings()
    mirror_to_mlflow: Annotated[bool, Field(description="whether versions are shown in MLflow")] = True
