"""The life of the versions of models: promotion, retraining, retention."""

from typing import Annotated, Literal

from pydantic import Field

from stock_pipeline.settings.kinds import Section, Share


class PromotionSettings(Section):
    """When a new version takes the place of the active one."""

    mode: Annotated[
        Literal["holdout", "shadow"],
        Field(description="compare at once on the same sessions out of fold, or after nights of predictions beside the active version"),
    ] = "holdout"
    automatic: Annotated[bool, Field(description="otherwise a version that passes is held until a hand promotes it")] = True
    tolerance: Annotated[Share, Field(description="share by which its error may be worse")] = 0.1
    beats_zero: Annotated[bool, Field(description="its error must be below that of predicting 0")] = True
    not_inferior: Annotated[bool, Field(description="its daily rank IC must not be significantly lower")] = True
    no_slipping: Annotated[bool, Field(description="it must keep within the tolerance of the best version kept, too")] = True
    significance: Annotated[float, Field(gt=0, lt=0.5, description="of the test of the daily rank IC")] = 0.05
    shadow_predictions: Annotated[int, Field(ge=1, description="predictions with outcomes that a shadow version needs")] = 100
    shadow_sessions: Annotated[int, Field(ge=2, description="sessions with outcomes that a shadow version needs")] = 20


class RetrainingSettings(Section):
    """When models are retrained between their regular trainings."""

    on_schedule: Annotated[bool, Field(description="at the times of automation.training_cron")] = True
    when_damaged: Annotated[bool, Field(description="also where a training failed and no version is left")] = True
    on_drift: bool = True
    drift_share: Annotated[float, Field(gt=0, le=1, description="share of the features whose drift must be HIGH or CRITICAL")] = 0.5
    drift_cooldown_days: Annotated[int, Field(ge=1, description="between two retrainings that drift started")] = 7


class RetentionSettings(Section):
    """How long the remains of versions are kept."""

    versions: Annotated[int, Field(ge=1, description="artefacts per model that stay in place; older ones are archived")] = 30
    archive_after_days: Annotated[int, Field(ge=1, description="after retirement or refusal")] = 180
    shadow_days: Annotated[int, Field(ge=1, description="for which shadow results stay")] = 90


class RegistrySettings(Section):
    """The life of the versions of models."""

    promotion: PromotionSettings = PromotionSettings()
    retraining: RetrainingSettings = RetrainingSettings()
    retention: RetentionSettings = RetentionSettings()
    mirror_to_mlflow: bool = True
