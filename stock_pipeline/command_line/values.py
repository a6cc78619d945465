"""The types of options and arguments; other values are refused in one sentence. click shows the names of these functions in its help."""

from typing import Final

import click

from stock_pipeline.command_line.text import is_control, sentence

MOST: Final = 1_000_000  # of anything that is counted: far more than there ever is, and few enough for every column that keeps it
MOST_PORTS: Final = 65_535
QUOTE: Final = "'"
LONGEST: Final = 4_096  # characters of a text: as many as the path of a file may have


def number(value: object) -> int:
    """The value of an option as a whole number from 1 to a million.

    Raises:
        click.BadParameter: it is not one.
    """
    return _whole(str(value), MOST)


def port(value: object) -> int:
    """The value of an option as the number of a port.

    Raises:
        click.BadParameter: it is not one.
    """
    return _whole(str(value), MOST_PORTS)


def text(value: object) -> str:
    """The value of an option as a line of at most 4,096 characters, none of them a control character.

    Raises:
        click.BadParameter: it is longer, or has a control character.
    """
    line = str(value)
    if len(line) > LONGEST:
        raise click.BadParameter(f"has {len(line):,} characters; give at most {LONGEST:,}")
    if any(map(is_control, line)):
        raise click.BadParameter(f"{line!r} has a control character in it; leave it out")
    return line


def path(value: object) -> str:
    """The value of an option as a path or a glob.

    Raises:
        click.BadParameter: no file system can hold it.
    """
    from stock_pipeline.settings.paths import refuse_unusable

    line = text(value)
    try:
        refuse_unusable(line)
    except ValueError as error:
        raise click.BadParameter(f"{line!r} cannot be used: {error}") from error
    return line


def usage_sentence(error: click.UsageError) -> str:
    """One sentence on a wrong call of a command: the value and the remedy, or where to find the options."""
    if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter) and error.param and error.ctx:
        return sentence(f"{error.param.get_error_hint(error.ctx).strip(QUOTE)} {error.message}")
    problem = sentence(error.format_message()).removesuffix(".")
    return problem if error.ctx is None else f"{problem} (see `{error.ctx.command_path} --help`)"


def _whole(written: str, most: int) -> int:
    found = int(written) if written.isascii() and written.isdecimal() and len(written) <= len(str(most)) else 0
    if not 1 <= found <= most:
        raise click.BadParameter(f"{written!r} is not a whole number from 1 to {most:,}; give one")
    return found
