"""Cron lines: five valid fields that together match some day."""

import re
from calendar import monthrange

# Lowest and highest number of each field, and the names that stand for numbers in it, the first of them for the lowest.
FIELDS = (
    (0, 59, ""),
    (0, 23, ""),
    (1, 31, ""),
    (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    (0, 7, "sun mon tue wed thu fri sat"),
)
PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d{0,3}))?")
DAY, MONTH = 2, 3
LEAP_YEAR = 2024


def sound_cron(text: str) -> str:
    """The text, if it is five cron fields that match some day.

    A day that no month has is refused even where weekdays are given, as Dagster cannot use it.

    Raises:
        ValueError: it is not, with the remedy.
    """
    fields = text.lower().split()
    if len(fields) != len(FIELDS) or not all(map(_is_sound, fields, FIELDS)):
        raise ValueError("it should be minute, hour, day, month and weekday, as in 30 4 * * 6")
    first_day = min(_numbers(fields[DAY], FIELDS[DAY]))
    if all(first_day > monthrange(LEAP_YEAR, month)[1] for month in _numbers(fields[MONTH], FIELDS[MONTH])):
        raise ValueError(f"it never matches, as no month in it has a day {first_day}; give another day or month, as in 30 4 * * 6")
    return text


def _is_sound(field: str, rule: tuple[int, int, str]) -> bool:
    lowest, highest, names = rule
    parts = [PART.fullmatch(part) for part in field.split(",")]
    ends = [end for part in parts if part for end in part.group("first", "last") if end is not None]
    return all(parts) and all(end in names.split() or (end.isdecimal() and lowest <= int(end) <= highest) for end in ends)


def _numbers(field: str, rule: tuple[int, int, str]) -> set[int]:
    """The numbers that a sound field stands for; a range may go on from the highest to the lowest, as in ``nov-feb``."""
    lowest, highest, names = rule
    found: set[int] = set()
    for part in filter(None, map(PART.fullmatch, field.split(","))):
        first, last, step = part.group("first", "last", "step")
        start = lowest if first is None else _number(first, lowest, names)
        end = _number(last, lowest, names) if last else highest if first is None or step else start
        around = start >= end if last else start > end  # Dagster takes 31-31 for the whole way around
        every = [*range(start, highest + 1), *range(lowest, end + 1)] if around else [*range(start, end + 1)]
        found.update(every[:: int(step or 1)])
    return found


def _number(end: str, lowest: int, names: str) -> int:
    return int(end) if end.isdecimal() else lowest + names.split().index(end)
