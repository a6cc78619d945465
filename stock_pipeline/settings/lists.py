"""Lists among the settings: YAML, JSON, or text separated by commas, such as ``AAPL, MSFT``."""

import json
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

ADVICE = 'write it with commas, as in A,B, or as JSON, as in ["A", "B"]'


def as_list(given: object) -> object:
    """The value as a list: text is JSON where it begins with a bracket, else separated by commas; a number is a list of one."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return [given]
    if not isinstance(given, str):
        return given
    if not given.strip().startswith("["):
        return [part.strip() for part in given.split(",") if part.strip()]
    try:
        return json.loads(given)
    except ValueError:
        raise ValueError(f"it cannot be read as a list; {ADVICE}") from None


def _one_or_more(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if names is not None and not names:
        raise ValueError("it is empty; give one or more, or leave it out for all")
    return names


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(as_list)]
NamesOrAll = Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(as_list), AfterValidator(_one_or_more)]
