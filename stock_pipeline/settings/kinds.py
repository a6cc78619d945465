"""What the sections share: their base class, kinds of numbers, and rules that a value must satisfy."""

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

# Lowest and highest number of each cron field, and the names that stand for numbers in it.
CRON_FIELDS = (
    (0, 59, ""),
    (0, 23, ""),
    (1, 31, ""),
    (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    (0, 7, "sun mon tue wed thu fri sat"),
)
CRON_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/[1-9]\d*)?")

Share = Annotated[float, Field(ge=0, le=1)]
Sessions = Annotated[int, Field(ge=1)]
Seconds = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A section of the settings: a name that does not exist is refused, and nothing can be changed once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def known_time_zone(name: str) -> str:
    """The name of a time zone, if there is one of that name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("there is no such time zone; write it as America/New_York") from error
    return name


def sound_cron(text: str) -> str:
    """Five cron fields, if each of them is one."""
    fields = text.lower().split()
    if len(fields) != len(CRON_FIELDS) or not all(map(_is_cron_field, fields, CRON_FIELDS)):
        raise ValueError("it should be minute, hour, day, month and weekday, as in 30 4 * * 6")
    return text


def _is_cron_field(field: str, rule: tuple[int, int, str]) -> bool:
    lowest, highest, names = rule
    parts = [CRON_PART.fullmatch(part) for part in field.split(",")]
    ends = [end for part in parts if part for end in part.groups() if end is not None]
    return all(parts) and all(end in names.split() or (end.isdecimal() and lowest <= int(end) <= highest) for end in ends)
