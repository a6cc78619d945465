"""The folder of the Dagster instance, made once under a lock: several processes that open an empty one at once can break it.

``python -m stock_pipeline.orchestration.instance`` makes it and prints its path, for scripts that start Dagster.
"""

import os
import sys
from pathlib import Path

from stock_pipeline.core.atomic_files import write_text
from stock_pipeline.core.errors import InputError, StockPipelineError
from stock_pipeline.core.layout import Layout
from stock_pipeline.core.locks import exclusive
from stock_pipeline.settings import Settings, load_settings

VARIABLE = "DAGSTER_HOME"
CONFIG = "dagster.yaml"
PROJECT_FOLDER = Path(__file__).resolve().parents[2]


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
    """The instance folder: DAGSTER_HOME where it is set, else ``dagster`` under the data directory with the project's dagster.yaml.

    Raises:
        InputError: DAGSTER_HOME is not a folder.
    """
    given = given_dagster_home()
    if given is not None:
        return given
    import dagster as dg

    home = Layout(settings.home).dagster.resolve()
    with exclusive(home / ".lock"):
        config = PROJECT_FOLDER / CONFIG
        if config.is_file():  # renamed into place whole, as a daemon may be reading the one that is there
            write_text(home / CONFIG, config.read_text(encoding="utf-8"))
        with dg.DagsterInstance.from_config(str(home)) as instance:
            instance.get_runs(limit=1)
            instance.all_asset_keys()
    return home


if __name__ == "__main__":
    try:
        print(prepare_dagster_home(load_settings()))  # noqa: T201
    except StockPipelineError as error:
        sys.exit(f"Error: {error}")
