"""The folder of the Dagster instance, made once under a lock: several processes that open an empty one at once can break it.

``python -m stock_pipeline.orchestration.instance`` makes it and prints its path, for scripts that start Dagster.
"""

import hashlib
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

from stock_pipeline.core.atomic_files import write_text
from stock_pipeline.core.errors import InputError, StockPipelineError
from stock_pipeline.core.files import LEAST_FREE_BYTES
from stock_pipeline.core.layout import Layout
from stock_pipeline.core.locks import exclusive
from stock_pipeline.settings import Settings, load_settings

VARIABLE = "DAGSTER_HOME"
CONFIG = "dagster.yaml"
WRITTEN: Final = ".dagster.yaml.sha256"  # the hash of the dagster.yaml that was written last, by which an edited one is known
FORMER: Final = "# The Dagster instance. Copied into"  # how the file began while no hash was kept and every command overwrote it


def given_dagster_home() -> Path | None:
    """The instance folder that the environment names, if it names one.

    Raises:
        InputError: it is not a folder.
    """
    given = os.environ.get(VARIABLE)
    if given and not Path(given).is_dir():
        raise InputError(f"{VARIABLE} is {given!r}, which is not a folder; make it, or unset the variable")
    return Path(given) if given else None


def prepare_dagster_home(settings: Settings) -> Path:
    """The instance folder: DAGSTER_HOME where it is set, else ``dagster`` under the data directory.

    Where it has no dagster.yaml, it gets the project's, and a new one with a new version of the project as long as nobody edits it.

    Raises:
        InputError: DAGSTER_HOME is not a folder.
    """
    import dagster as dg

    home = given_dagster_home() or Layout(settings.home).dagster.resolve()
    with exclusive(home / ".lock"):
        _configure(home)
        with instance_problems(home), dg.DagsterInstance.from_config(str(home)) as instance:
            instance.get_runs(limit=1)
            instance.all_asset_keys()
    return home


@contextmanager
def instance_problems(home: Path) -> Iterator[None]:
    """Turn errors of the instance's database into one sentence with the folder, what is wrong, and the remedy.

    Raises:
        StockPipelineError: the database could not be read or written.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        words = " ".join(str(getattr(error, "orig", None) or error).split())
        raise StockPipelineError(f"the Dagster instance in {home} cannot be used: {words}; {_remedy(home, words)}") from error


def _remedy(home: Path, words: str) -> str:
    if shutil.disk_usage(home).free < LEAST_FREE_BYTES or "full" in words:
        return "free space on its disk, then run the command again; what was committed stays"
    if "readonly" in words or "unable to open" in words:
        return "give this user the right to read and write it"
    return f"put {home} aside, and a new one is made; it holds the history of runs, and no data"


def _configure(home: Path) -> None:
    """Write the project's dagster.yaml into an instance folder, unless somebody has edited the one there."""
    config, record = home / CONFIG, home / WRITTEN
    own = files("stock_pipeline.orchestration").joinpath(CONFIG).read_text(encoding="utf-8")
    held = config.read_text(encoding="utf-8") if config.exists() else None
    written = record.read_text(encoding="utf-8") if record.exists() else None
    if held == own or (held is not None and _digest(held) != written and not held.startswith(FORMER)):
        return
    write_text(config, own)  # renamed into place whole, as a daemon may be reading the one that is there
    write_text(record, _digest(own))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    try:
        print(prepare_dagster_home(load_settings()))  # noqa: T201
    except StockPipelineError as error:
        sys.exit(f"Error: {error}")
