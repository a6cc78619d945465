"""The labels that models learn to predict."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from stock_pipeline.settings.kinds import A_CENTURY_OF_DAYS, Section, Sessions
from stock_pipeline.settings.lists import as_list


def _distinct_horizons(horizons: tuple[int, ...]) -> tuple[int, ...]:
    if not horizons or len(set(horizons)) < len(horizons):
        raise ValueError("it should name one horizon or more, none of them twice, as in [1, 5]")
    return horizons


def _at_least_two_sessions(sessions: int) -> int:
    if sessions < 2:
        raise ValueError("it should be 2 sessions or more, as a standard deviation needs two returns")
    return sessions


class LabelSettings(Section):
    """The labels that models learn to predict."""

    horizons: Annotated[tuple[Sessions, ...], NoDecode, BeforeValidator(as_list), AfterValidator(_distinct_horizons)] = Field(
        (1, 5),
        description="sessions from entry at the next open to exit, for each return to label; models learn to predict the first; "
        "the return over 1 session, which marks books, is always labelled",
    )
    volatility_horizon: Annotated[int, AfterValidator(_at_least_two_sessions)] = Field(
        5, le=A_CENTURY_OF_DAYS, description="sessions over which forward volatility is measured, 2 or more"
    )
