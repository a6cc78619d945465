"""The content of the settings file. Errors never quote it, as it may hold a secret in a wrong place."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from stock_pipeline.core.errors import InputError
from stock_pipeline.settings.paths import anchored

if TYPE_CHECKING:
    from yaml import MarkedYAMLError


class SettingsFile(PydanticBaseSettingsSource):
    """The settings file as a source of settings; empty where there is no such file."""

    def __init__(self, settings_cls: type[BaseSettings], path: Path) -> None:
        super().__init__(settings_cls)
        self._path = path

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Nothing of a single setting: the file is read as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The settings in the file, with its relative paths made absolute from its folder.

        Raises:
            InputError: it cannot be read, or does not hold settings by name.
        """
        if not self._path.is_file():
            return {}
        return anchored(read_settings_file(self._path), self.settings_cls, self._path.absolute().parent)


def read_settings_file(path: Path) -> dict[str, Any]:
    """The content of the file by name.

    Raises:
        InputError: it cannot be read, or does not hold settings by name; the sentence names the place and quotes nothing.
    """
    import yaml

    found: Any = None
    problem = None
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        problem = f"cannot be read as YAML: byte {error.start + 1} of it is not UTF-8"
    except yaml.MarkedYAMLError as error:
        problem = f"cannot be read as YAML: {_without_quoting(error)}"
    except (yaml.YAMLError, ValueError, RecursionError):
        problem = "cannot be read as YAML: it holds an impossible character, date or number"
    if problem is not None:  # raised outside of the handlers, as an error chained to this one would quote the file
        raise InputError(f"{path} {problem}; correct it, and put text with special characters in quotes")
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise InputError(f"{path} does not hold settings by name; write lines such as `home: data`")
    return found


def _without_quoting(error: "MarkedYAMLError") -> str:
    """The parser's message with its place, or a neutral one where the parser's would quote names, as it does for tags and aliases."""
    from yaml.parser import ParserError
    from yaml.scanner import ScannerError

    problem, mark = error.problem or "", error.problem_mark
    message = problem if isinstance(error, ScannerError | ParserError) and "tag handle" not in problem else "something is wrong"
    return message if mark is None else f"{message} in line {mark.line + 1}, column {mark.column + 1}"
