"""Errors told in one sentence, and the exit codes."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click

from stock_pipeline.core.errors import InputError, StockPipelineError

P = ParamSpec("P")
WRONG_INPUT, FAILED, INTERRUPTED = 2, 1, 130


def speaks_plainly(command: Callable[P, None]) -> Callable[P, None]:
    """Turn an error meant for the user into one sentence and an exit code, without a stack trace."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except StockPipelineError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(WRONG_INPUT if isinstance(error, InputError) else FAILED)
        except KeyboardInterrupt:
            click.echo("Stopped. What was committed stays; the next run goes on from there.", err=True)
            sys.exit(INTERRUPTED)

    return wrapped
