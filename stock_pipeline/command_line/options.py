"""Options that several commands share, how lists are read and JSON is printed, and the stores that the settings name."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stock_pipeline.settings import Settings
    from stock_pipeline.storage import Stores

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
MODELS = click.option("--models", help="Models to train, separated by commas; stack is one of them. By default all.")


def opened() -> tuple["Settings", "Stores"]:
    """The settings, and the stores that they name."""
    from stock_pipeline.checked_settings import checked_settings
    from stock_pipeline.storage import open_stores

    settings = checked_settings()
    return settings, open_stores(settings.home, settings.lock_wait_seconds)


def names_in(text: str | None) -> tuple[str, ...] | None:
    """The names in a list with commas between; None where nothing was given."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def print_json(content: object) -> None:
    """Print for a program to read; what JSON does not know is printed as text."""
    click.echo(json.dumps(content, indent=2, default=str))


def tell(content: object, as_json: bool, show: Callable[[], None]) -> None:
    """Print the content as JSON where that is wanted, and show it to people otherwise."""
    if as_json:
        print_json(content)
    else:
        show()
