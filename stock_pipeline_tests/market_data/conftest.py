import shutil
from pathlib import Path

import pytest

from stock_pipeline.market_data.assets import TABLES
from stock_pipeline.market_data.views import VIEWS
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.harness.ingest_helpers import Bring, bringing


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with both stores, empty, to be copied."""
    home = tmp_path_factory.mktemp("empty")
    open_stores(home).prepare(TABLES, VIEWS)
    return home


@pytest.fixture
def stores(empty_home: Path, tmp_path: Path) -> Stores:
    shutil.copytree(empty_home, tmp_path / "data")
    return open_stores(tmp_path / "data", wait_seconds=5)


@pytest.fixture
def bring(stores: Stores) -> Bring:
    """Ingest bars into the store."""
    return bringing(stores)
