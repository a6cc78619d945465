"""What every command shares: errors told plainly, exit codes, and how lists are read and JSON is printed."""

import json
import sys
from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

import click

from stock_pipeline.core.errors import InputError, StockPipelineError

if TYPE_CHECKING:
    from stock_pipeline.settings import Settings
    from stock_pipeline.storage import Stores

P = ParamSpec("P")
WRONG_INPUT, FAILED, INTERRUPTED = 2, 1, 130


def speaks_plainly(command: Callable[P, None]) -> Callable[P, None]:
    """Turn an error meant for the user into one sentence and an exit code, without a stack trace."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except InputError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(WRONG_INPUT)
        except StockPipelineError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(FAILED)
        except KeyboardInterrupt:
            click.echo("Stopped. What was committed stays; the next run goes on from there.", err=True)
            sys.exit(INTERRUPTED)

    return wrapped


def opened() -> tuple["Settings", "Stores"]:
    """The settings, and the stores that they name."""
    from stock_pipeline.settings import load_settings
    from stock_pipeline.storage import open_stores

    settings = load_settings()
    return settings, open_stores(settings.home, settings.lock_wait_seconds)


def names_in(text: str | None) -> tuple[str, ...] | None:
    """The names in a list with commas between; None where nothing was given."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def session_in(text: str | None) -> date | None:
    """The session that an option ``--as-of`` names; None where nothing was given.

    Raises:
        InputError: it is not a date.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--as-of {text!r} is not a date; write it as 2010-05-03") from error


def print_json(content: object) -> None:
    """Print for a program to read; what JSON does not know is printed as text."""
    click.echo(json.dumps(content, indent=2, default=str))
