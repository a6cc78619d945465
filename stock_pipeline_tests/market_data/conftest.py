from pathlib import Path

import pytest

from stock_pipeline.storage import Stores, open_stores


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    made = open_stores(tmp_path / "data", wait_seconds=5)
    made.migrate()
    return made
