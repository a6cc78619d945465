"""Options that several commands share, parsing of lists, printing of JSON and CSV, and the stores of the settings."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from stock_pipeline.command_line.text import plain
from stock_pipeline.command_line.values import text
from stock_pipeline.core.errors import InputError

if TYPE_CHECKING:
    from stock_pipeline.settings import Settings
    from stock_pipeline.storage import Stores

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
AS_CSV = click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of a table.")
MODELS = click.option("--models", type=text, help="Models to train, separated by commas; stack is one of them. By default all.")


def open_home() -> tuple["Settings", "Stores"]:
    """The settings, and the stores that they name.

    Raises:
        InputError: a setting cannot be used.
        StoreDamagedError: the file of a store is missing that was there.
    """
    from stock_pipeline.checked_settings import checked_settings
    from stock_pipeline.storage import open_stores

    settings = checked_settings()
    stores = open_stores(settings.home, settings.lock_wait_seconds)
    stores.refuse_lost()
    return settings, stores


def names_in(text: str | None) -> tuple[str, ...] | None:
    """The names in a comma-separated list; None where nothing was given."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def print_json(content: object) -> None:
    """Print the content as JSON; values without a JSON type are printed as text."""
    click.echo(json.dumps(content, indent=2, default=str))


def print_csv(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a header and a line for each row; a null is empty, a list has semicolons between, a control character is escaped."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    click.echo(written.getvalue(), nl=False)


def print_result(content: object, as_json: bool, show: Callable[[], None]) -> None:
    """Print the content as JSON where that is wanted, and show it to people otherwise."""
    if as_json:
        print_json(content)
    else:
        show()


def one_form(as_json: bool, as_csv: bool) -> None:
    """Refuse two forms at once.

    Raises:
        InputError: both were asked for.
    """
    if as_json and as_csv:
        raise InputError("--json and --csv were both given; give one of them")


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {plain(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(plain, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else plain(value)
