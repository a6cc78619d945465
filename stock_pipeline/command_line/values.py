"""What options and arguments may be given, refused otherwise in one sentence. click names the types in its help as they are named here."""

from typing import Final

import click

from stock_pipeline.command_line.text import is_control, sentence

MOST: Final = 1_000_000  # of anything that is counted: far more than there ever is, and few enough for every column that keeps it
MOST_PORTS: Final = 65_535
QUOTE: Final = "'"
LONGEST: Final = 4_096  # characters of a text: as many as the path of a file may have


def number(value: object) -> int:
    """The whole number, from 1 to a million, that an option was given.

    Raises:
        click.BadParameter: it is none.
    """
    return _whole(str(value), MOST)


def port(value: object) -> int:
    """The number of a port that an option was given.

    Raises:
        click.BadParameter: it is none.
    """
    return _whole(str(value), MOST_PORTS)


def text(value: object) -> str:
    """The line that an option was given: at most 4,096 characters, none of them a control character.

    Raises:
        click.BadParameter: it is longer, or has one.
    """
    line = str(value)
    if len(line) > LONGEST:
        raise click.BadParameter(f"{line!r} has {len(line):,} characters; give at most {LONGEST:,}")
    if any(map(is_control, line)):
        raise click.BadParameter(f"{line!r} has a control character in it; leave it out")
    return line


def usage_sentence(error: click.UsageError) -> str:
    """What was wrong with how a command was called, in one sentence with a value and the remedy, or with where the options are told."""
    if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter) and error.param and error.ctx:
        return sentence(f"{error.param.get_error_hint(error.ctx).strip(QUOTE)} {error.message}")
    told = sentence(error.format_message()).removesuffix(".")
    return told if error.ctx is None else f"{told} (see `{error.ctx.command_path} --help`)"


def _whole(written: str, most: int) -> int:
    found = int(written) if written.isascii() and written.isdecimal() and len(written) <= len(str(most)) else 0
    if not 1 <= found <= most:
        raise click.BadParameter(f"{written!r} is not a whole number from 1 to {most:,}; give one")
    return found
