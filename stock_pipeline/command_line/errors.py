"""Errors printed as one sentence, and the exit codes."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from stock_pipeline.command_line.text import sentence
from stock_pipeline.command_line.values import usage_sentence
from stock_pipeline.core.errors import InputError, StockPipelineError

P = ParamSpec("P")
T = TypeVar("T")
WRONG_INPUT, FAILED, INTERRUPTED = 2, 1, 130


def handles_errors(command: Callable[P, T]) -> Callable[P, T]:
    """Turn an error meant for the user into one sentence and an exit code, without a stack trace."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except StockPipelineError as error:
            click.echo(f"Error: {sentence(error)}", err=True)
            sys.exit(WRONG_INPUT if isinstance(error, InputError) else FAILED)
        except click.exceptions.NoArgsIsHelpError:  # not an error: the help is shown
            raise
        except click.UsageError as error:
            click.echo(f"Error: {usage_sentence(error)}", err=True)
            sys.exit(WRONG_INPUT)
        except KeyboardInterrupt:
            click.echo("Stopped. What was committed stays; the next run goes on from there.", err=True)
            sys.exit(INTERRUPTED)

    return wrapped
