"""How sessions are split for walk-forward validation."""

from pydantic import Field

from stock_pipeline.settings.kinds import A_CENTURY_OF_DAYS, Section, Sessions, SessionsOrNull


class DatasetSettings(Section):
    """How sessions are split for walk-forward validation."""

    folds: Sessions = Field(4, description="walk-forward folds, the last so many")
    fold_sessions: Sessions = Field(126, description="sessions that each fold tests, by default half a year; the newest may hold fewer")
    embargo: int = Field(3, ge=0, le=A_CENTURY_OF_DAYS, description="sessions left out between training and test, beyond the purge")
    sessions: SessionsOrNull = Field(None, description="number of the last sessions to learn from; all when left out")
    minimum_train_sessions: Sessions = Field(
        504,
        description="fewest sessions that the first fold trains on, by default two years; where history is shorter, this and "
        "`datasets.fold_sessions` are shortened in step",
    )
    train_sessions: SessionsOrNull = Field(
        None, description="sessions that each fold trains on, as a rolling window; all sessions before its test sessions when left out"
    )
