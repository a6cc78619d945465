"""How sessions are split for walk-forward validation."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from stock_pipeline.settings.kinds import Section, Sessions


def _no_less_than_the_fewest(sessions: int | None, section: ValidationInfo) -> int | None:
    fewest = section.data.get("minimum_train_sessions", 1)
    if sessions is not None and sessions < fewest:
        raise ValueError(f"a fold trains on no fewer than datasets.minimum_train_sessions, {fewest}; give as many or lower that")
    return sessions


class DatasetSettings(Section):
    """How sessions are split for walk-forward validation."""

    folds: Annotated[Sessions, Field(description="walk-forward folds")] = 3
    embargo: Annotated[int, Field(ge=0, description="sessions left out between training and test, beyond the purge")] = 3
    sessions: Annotated[Sessions | None, Field(description="learn from so many of the last sessions; from all when left out")] = None
    minimum_train_sessions: Annotated[Sessions, Field(description="fewest sessions that the first fold trains on")] = 40
    train_sessions: Annotated[
        Sessions | None,
        AfterValidator(_no_less_than_the_fewest),
        Field(description="sessions that each fold trains on, as a rolling window; all before it when left out"),
    ] = None
