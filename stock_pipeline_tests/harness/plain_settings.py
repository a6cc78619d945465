"""Settings as they come, whatever the environment and the working directory of the test run hold."""

import os
from pathlib import Path
from unittest.mock import patch

from stock_pipeline.settings import FILE_VARIABLE, PREFIX, Settings

NO_FILE = "no-such-file.yaml"


def plain_environment() -> dict[str, str]:
    """The environment without anything that would change settings or the place of the Dagster instance."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) and name != "DAGSTER_HOME"}


def plain_settings(home: Path, **values: object) -> Settings:
    """The defaults, but for the data directory and ``values`` (sections as mappings)."""
    with patch.dict(os.environ, plain_environment() | {FILE_VARIABLE: NO_FILE}, clear=True):
        return Settings(home=home, **values)  # type: ignore[arg-type]
