"""The life of the versions of models: promotion and retraining."""

from typing import Literal

from pydantic import Field

from stock_pipeline.settings.kinds import Days, Section, ShareOrNull


class PromotionSettings(Section):
    """The rule by which a new version replaces the active one."""

    mode: Literal["holdout", "shadow"] = Field(
        "holdout",
        description="how a new version is compared with the active one: `holdout`, at once, on the stocks and sessions that both "
        "scored out of fold; `shadow`, after nights of predictions beside it",
    )
    automatic: bool = Field(
        True, description="whether a version that passes is promoted; otherwise it waits for `stock-pipeline models promote`"
    )
    tolerance: ShareOrNull = Field(
        0.1, description="a new version may have an error larger by this share and still take over; null switches this condition off"
    )
    tolerance_for: Literal["loss", "all"] = Field(
        "loss",
        description="which models the tolerance is for: `loss`, those judged by their loss, `risk` and `direction`; `all`, those of the "
        "return too, whose absolute errors hardly differ from those of predicting 0",
    )
    not_inferior: bool = Field(
        True,
        description="guard: its daily rank IC, or for `risk` and `direction` its loss, must not be worse beyond chance (EWC t-test)",
    )
    beats_baseline: bool = Field(
        True,
        description="guard: it must be better than predicting 0 for every stock beyond chance, or move with the active version from "
        "session to session",
    )
    calibrated: bool = Field(
        True, description="guard: the slope of a model of the return, of its target on its score, must lie within the two bounds"
    )
    lowest_slope: float = Field(0.05, ge=0, le=1, description="lowest calibration slope, 0 to 1; below it scores are far too large")
    highest_slope: float = Field(20.0, ge=1, description="highest calibration slope, 1 or more; above it scores are far too small")
    degradation_guard: bool = Field(
        True, description="guard: it must not be worse beyond chance than the best version kept, so that small losses do not add up"
    )
    significance: float = Field(
        0.05, gt=0, lt=0.5, description="significance level of these tests, above 0 and below 0.5; evidence of skill takes half of it"
    )
    shadow_predictions: int = Field(100, ge=1, description="predictions with outcomes that a shadow version needs before it is decided on")
    shadow_sessions: int = Field(20, ge=8, description="sessions with outcomes that a shadow version needs; a test needs 8")


class RetrainingSettings(Section):
    """When models are retrained between their regular trainings."""

    on_schedule: bool = Field(True, description="train at the times of `automation.training_cron`")
    when_damaged: bool = Field(
        True, description="retrain models whose artefact is missing or damaged, or whose training failed and left no active version"
    )
    on_drift: bool = Field(True, description="retrain when features have drifted")
    drift_share: float = Field(0.5, gt=0, le=1, description="share of the features whose drift must be HIGH or CRITICAL")
    drift_cooldown_days: Days = Field(7, description="days between two retrainings that drift started")


class RegistrySettings(Section):
    """The life of the versions of models."""

    promotion: PromotionSettings = PromotionSettings()
    retraining: RetrainingSettings = RetrainingSettings()
    mirror_to_mlflow: bool = Field(True, description="whether versions are shown in MLflow")
