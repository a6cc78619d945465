"""Errors printed as one sentence, and the exit codes."""

import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from stock_pipeline.command_line.text import sentence
from stock_pipeline.command_line.values import usage_sentence
from stock_pipeline.core.errors import InputError, StockPipelineError
from stock_pipeline.core.files import sentence_on
from stock_pipeline.core.interruption import Terminated, interruptible

P = ParamSpec("P")
T = TypeVar("T")
WRONG_INPUT, FAILED, INTERRUPTED, UNREAD, TERMINATED = 2, 1, 130, 141, 143


def handles_errors(command: Callable[P, T]) -> Callable[P, T]:
    """Turn an error meant for the user into one sentence and an exit code, without a stack trace."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with interruptible():
                return command(*args, **kwargs)
        except StockPipelineError as error:
            _say_error(sentence(error))
            sys.exit(WRONG_INPUT if isinstance(error, InputError) else FAILED)
        except click.exceptions.NoArgsIsHelpError:  # not an error: the help is shown
            raise
        except click.UsageError as error:
            _say_error(usage_sentence(error))
            sys.exit(WRONG_INPUT)
        except BrokenPipeError:  # whoever read what we print wants no more of it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes at its end
            sys.exit(UNREAD)
        except OSError as error:
            _say_error(sentence(sentence_on(error)))
            sys.exit(FAILED)
        except KeyboardInterrupt as stop:
            click.echo("Stopped. What was committed stays; the next run goes on from there.", err=True)
            sys.exit(TERMINATED if isinstance(stop, Terminated) else INTERRUPTED)

    return wrapped


def _say_error(message: str) -> None:
    """Print the error; on a terminal its words are wrapped, elsewhere it stays in one line, for programs that read it."""
    line = f"Error: {message}"
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        line = textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    click.echo(line, err=True)
