"""How sessions are split for walk-forward validation."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from stock_pipeline.settings.kinds import A_CENTURY_OF_DAYS, Section, Sessions


def _at_least_minimum(sessions: int | None, section: ValidationInfo) -> int | None:
    fewest = section.data.get("minimum_train_sessions", 1)
    if sessions is not None and sessions < fewest:
        raise ValueError(f"a fold trains on no fewer than datasets.minimum_train_sessions, {fewest}; give as many or lower that")
    return sessions


class DatasetSettings(Section):
    """How sessions are split for walk-forward validation."""

    folds: Sessions = Field(3, description="walk-forward folds")
    embargo: int = Field(3, ge=0, le=A_CENTURY_OF_DAYS, description="sessions left out between training and test, beyond the purge")
    sessions: Sessions | None = Field(None, description="number of the last sessions to learn from; all when left out")
    minimum_train_sessions: Sessions = Field(40, description="fewest sessions that the first fold trains on")
    train_sessions: Annotated[Sessions | None, AfterValidator(_at_least_minimum)] = Field(
        None, description="sessions that each fold trains on, as a rolling window; all sessions before its test sessions when left out"
    )
