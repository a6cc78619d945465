"""The folder of the Dagster instance, made once under a lock: several processes that open an empty one at once can break it.

``python -m stock_pipeline.orchestration.instance`` makes it and prints its path, for scripts that start Dagster.
"""

import os
import shutil
from pathlib import Path

from stock_pipeline.settings import Settings, load_settings

CONFIG = "dagster.yaml"
PROJECT_FOLDER = Path(__file__).resolve().parents[2]


def prepare_dagster_home(settings: Settings) -> Path:
    """The instance folder: DAGSTER_HOME where it is set, else ``dagster`` under the data directory with the project's dagster.yaml."""
    given = os.environ.get("DAGSTER_HOME")
    if given:
        return Path(given)
    import dagster as dg
    from filelock import FileLock

    home = (settings.home / "dagster").resolve()
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        config = PROJECT_FOLDER / CONFIG
        if config.is_file():
            shutil.copyfile(config, home / CONFIG)
        os.environ["DAGSTER_HOME"] = str(home)
        with dg.DagsterInstance.get() as instance:
            instance.get_runs(limit=1)
            instance.all_asset_keys()
    return home


if __name__ == "__main__":
    print(prepare_dagster_home(load_settings()))  # noqa: T201
