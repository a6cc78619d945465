"""The base class of the sections, the kinds of numbers, and the rules that a value must satisfy."""

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

# A larger number is a mistake, and would fail later with a message that is less plain.
LARGEST = 1_000_000_000
A_CENTURY_OF_DAYS = 36_500

Share = Annotated[float, Field(ge=0, le=1)]
Sessions = Annotated[int, Field(ge=1, le=A_CENTURY_OF_DAYS)]
Days = Annotated[int, Field(ge=1, le=A_CENTURY_OF_DAYS)]
Hours = Annotated[int, Field(ge=1, le=24 * A_CENTURY_OF_DAYS)]
Seconds = Annotated[int, Field(ge=1)]


def no_larger_than_sensible(value: object) -> object:
    """The value, if it is not a number or a number of sensible size."""
    if isinstance(value, int | float) and abs(value) > LARGEST:
        raise ValueError(f"it is too large; give a number up to {LARGEST}")
    return value


class Section(BaseModel):
    """A section of the settings: a name that does not exist is refused, and nothing can be changed once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    _sensible = field_validator("*")(no_larger_than_sensible)


def known_time_zone(name: str) -> str:
    """The name of a time zone, if there is one of that name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("there is no such time zone; write it as America/New_York") from error
    return name


def _time_of_day(given: object) -> object:
    if not isinstance(given, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", given):
        advice = "" if isinstance(given, str) else "; put it in quotes, as YAML reads it as another type without"
        raise ValueError(f"it should be a time from 00:00 to 23:59, such as 22:45{advice}")
    return given


def _currency(given: object) -> object:
    if not isinstance(given, str) or not re.fullmatch(r"[A-Z]{3}", given):
        raise ValueError("it should be a currency in three capital letters, such as USD")
    return given


def _null_as_none(given: object) -> object:
    # A file has a value of its own for it, a variable only the word.
    return None if isinstance(given, str) and given.strip().lower() == "null" else given


ShareOrNull = Annotated[Share | None, BeforeValidator(_null_as_none)]
SessionsOrNull = Annotated[Sessions | None, BeforeValidator(_null_as_none)]
TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
Currency = Annotated[str, BeforeValidator(_currency)]
