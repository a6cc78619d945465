"""Paths among the settings, made absolute: relative ones start at the folder of the file, or for variables at the working directory."""

import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator


class IsPath:
    """Marks a setting that holds a path."""


def anchored(given: Mapping[str, Any], section: type[BaseModel], folder: Path) -> dict[str, Any]:
    """The settings of a file, with its relative paths made absolute from ``folder``, where the file lies."""
    found = dict(given)
    for name, field in section.model_fields.items():
        value, inner = found.get(name), field.annotation
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, BaseModel):
            found[name] = anchored(value, inner, folder)
        elif isinstance(value, str) and value.strip() and not value.startswith("~") and IS_PATH in field.metadata:
            found[name] = str(folder / value) if inner is Path else _pattern_in(folder, value)
    return found


def _folder(given: object) -> object:
    """The data directory as an absolute path."""
    if not isinstance(given, str | Path):
        raise ValueError("it should be a path, in quotes where YAML reads it otherwise, as '~' alone")
    return Path.cwd() / _expanded(str(given))


def _pattern(given: object) -> object:
    return _pattern_in(Path.cwd(), _expanded(given)) if isinstance(given, str) else given


def _pattern_in(folder: Path, pattern: str) -> str:
    """A path or a glob below ``folder``, whose own name is never read as a glob."""
    return pattern if Path(pattern).is_absolute() else str(Path(glob.escape(str(folder))) / pattern)


def _expanded(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty; give a path or leave it out")
    expanded = os.path.expanduser(text)  # noqa: PTH111  (Path.expanduser raises where there is no such user)
    if expanded.startswith("~"):
        raise ValueError("there is no such home directory; write the path in full")
    refuse_unusable(expanded)
    return expanded


def refuse_unusable(path: str) -> None:
    """Refuse a path or a glob that no file system can hold.

    Raises:
        ValueError: it has a control character, or it or one of its names is too long.
    """
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        raise ValueError("it has a control character in it; leave it out")
    if len(os.fsencode(path)) > LONGEST_PATH or any(len(os.fsencode(name)) > LONGEST_NAME for name in path.split("/")):
        raise ValueError(f"it is too long; a path has at most {LONGEST_PATH:,} bytes, and each name in it at most {LONGEST_NAME}")


LONGEST_PATH, LONGEST_NAME = 3_000, 255  # bytes: what Linux allows, less what lies below a data directory
IS_PATH: Final = IsPath()
Folder = Annotated[Path, IS_PATH, BeforeValidator(_folder)]
FilesPattern = Annotated[str | None, IS_PATH, BeforeValidator(_pattern)]
