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

    folds: Sessions = 3
    embargo: Annotated[int, Field(ge=0)] = 3
    sessions: Annotated[Sessions | None, Field(description="learn from so many of the last sessions; from all when left out")] = None
    minimum_train_sessions: Sessions = 40
    train_sessions: Annotated[
        Sessions | None,
        AfterValidator(_no_less_than_the_fewest),
        Field(description="train each fold on so many sessions, a rolling window; on all before it when left out"),
    ] = None
