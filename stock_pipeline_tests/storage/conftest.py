from pathlib import Path

import pytest

from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.trial_tables import copied, make_stores


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """Stores with the made-up tables, to be copied and never written to."""
    return make_stores(tmp_path_factory.mktemp("template"))


@pytest.fixture
def stores(template: Stores, tmp_path: Path) -> Stores:
    return copied(template, tmp_path / "data")
