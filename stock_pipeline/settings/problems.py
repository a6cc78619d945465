"""Errors in the settings, in one sentence: file or variable, field, value, remedy.

A value is quoted only for a setting that exists. A value under an unknown name, or in place of a section, may be a secret in a wrong
place: the name is quoted, never the value.
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError

WHERE_NAMES_ARE = "see docs/settings.md for the names"
NO_SUCH_SETTING = f"there is no such setting; {WHERE_NAMES_ARE}"
IN_BRACES = "; within braces, a list needs brackets, as in {symbols: [A, B]}"
EXPECTED: Final = {
    "greater_than_equal": "{ge:g} or more",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "{le:g} or less",
    "less_than": "less than {lt:g}",
    "finite_number": "a number, such as 0.5",
    "float_parsing": "a number, such as 0.5",
    "float_type": "a number, such as 0.5",
}
LONGEST = 60  # characters of a value that are quoted

Loc = Sequence[str | int]


class Place:
    """Where settings come from: variables that begin with ``prefix``, and a file."""

    def __init__(self, prefix: str, file: Path) -> None:
        self.prefix, self.file = prefix, file

    def of(self, loc: Loc) -> str:
        """The place that gave a setting, as in "variable STOCK_PIPELINE_HOME" or "file stock_pipeline.yaml"."""
        variable = self.variable_of(loc)
        return f"file {self.file}" if variable is None else f"variable {variable}"

    def variable_of(self, loc: Loc) -> str | None:
        """The variable that gave the field: its own, one of a field below it, or one that holds the section above it as JSON."""
        own = (self.prefix + "__".join(map(str, loc))).upper()
        exact = next((name for name in os.environ if name.upper() == own), None)
        if exact is not None:
            return exact
        for name, value in os.environ.items():
            variable = name.upper()
            if variable.startswith(f"{own}__"):
                return name
            depth = len(variable.split("__"))
            if depth < len(loc) and own.startswith(f"{variable}__"):
                inner = str(loc[depth])
                if inner.isdecimal() or f'"{inner}"' in value:
                    return name
        return None

    def unreadable(self, settings: type[BaseModel]) -> str:
        """The sentence on the variable that should hold a section as JSON but does not."""
        for name, value in os.environ.items():
            loc = name.lower().removeprefix(self.prefix.lower()).split("__")
            if name.upper().startswith(self.prefix) and kind_of(settings, loc) == "section" and not _is_json(value):
                return f"variable {name}: field {'.'.join(loc)} cannot be read as JSON; {_how_to_give(settings, loc, name)}"
        return f"a variable of {self.prefix}* cannot be read as JSON; {WHERE_NAMES_ARE}"


def sentence(error: ValidationError, settings: type[BaseModel], place: Place) -> str:
    """The sentence on the first problem."""
    problem = error.errors(include_url=False)[0]
    loc, given = problem["loc"], problem.get("input")
    kind = kind_of(settings, loc)
    head = f"{place.of(loc)}: field {'.'.join(map(str, loc))}"
    if kind == "unknown":
        message = f"{head} is set, but {NO_SUCH_SETTING}{IN_BRACES if given is None else ''}"
    elif kind == "section":
        message = f"{head} is a section, so it holds no value of its own; {_how_to_give(settings, loc, place.variable_of(loc))}"
    else:
        message = f"{head} is {_shown(given)}, but {_remedy(problem, given)}"
    return " ".join(message.split())


def kind_of(settings: type[BaseModel], loc: Loc) -> Literal["section", "setting", "unknown"]:
    """The kind of the place: a section, a single setting (or a part of its list), or unknown."""
    section: type[BaseModel] | None = settings
    for name in loc:
        if section is None:
            return "setting" if isinstance(name, int) else "unknown"
        field = section.model_fields.get(str(name))
        if field is None:
            return "unknown"
        inner = field.annotation
        section = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
    return "setting" if section is None else "section"


def _how_to_give(settings: type[BaseModel], loc: Loc, variable: str | None) -> str:
    section: Any = settings
    for name in loc:
        section = section.model_fields[str(name)].annotation
    first = next(iter(section.model_fields))
    if variable is None:
        return f"give its settings by name, such as {'.'.join([*map(str, loc), first])}"
    return f"give its settings one by one, as in {variable}__{first.upper()}, or as a JSON object"


def _shown(given: object) -> str:
    if isinstance(given, Mapping):
        return "a mapping"
    if isinstance(given, list | tuple):
        return "a list" if any(isinstance(one, Mapping | list | tuple) for one in given) else _cut(repr(list(given)))
    return _cut(repr(str(given) if isinstance(given, date | Path) else given))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"


def _remedy(problem: Mapping[str, Any], given: object) -> str:
    kind, bounds = problem["type"], problem.get("ctx", {})
    if kind in EXPECTED:
        return f"it should be {EXPECTED[kind].format(**bounds)}"
    if kind == "string_type" and isinstance(given, int | float | date):
        return "it should be text; put it in quotes"
    if kind == "tuple_type":
        return "it should be a list, as in [A, B] or A, B"
    if kind.startswith(("date_", "datetime_")):
        return "it should be a date, such as 2010-01-04"
    if kind.startswith("int_"):
        return "it should be a whole number, such as 10"
    if kind.startswith("bool_"):
        return "it should be true or false"
    remedy = str(problem["msg"]).removeprefix("Value error, ")
    return remedy[0].lower() + remedy[1:]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
