from pathlib import Path

import pytest

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.features.catalogue import ALPHA158, CORE
from stock_pipeline.features.reading import chosen_set, read_features
from stock_pipeline.storage.reading import Selection
from stock_pipeline_tests.factories.rows import empty_stores
from stock_pipeline_tests.harness.nightly_simulator import Machine
from stock_pipeline_tests.harness.plain_settings import plain_settings


def test_the_settings_choose_the_set(tmp_path: Path) -> None:
    assert chosen_set(plain_settings(tmp_path)) is CORE
    assert chosen_set(plain_settings(tmp_path, features={"set": "alpha158"})) is ALPHA158


def test_features_that_are_not_made_yet_are_not_read_as_nulls(tmp_path: Path) -> None:
    machine = Machine(empty_stores(tmp_path), "core", [])
    machine.bring(0)
    machine.make_features(0)
    assert read_features(machine.stores, CORE, Selection()).height > 0
    with pytest.raises(StockPipelineError, match="set 'alpha158' as it is now have not been made yet; materialise features/daily_features"):
        read_features(machine.stores, ALPHA158, Selection())


def test_a_store_without_features_has_none_to_read(tmp_path: Path) -> None:
    assert read_features(empty_stores(tmp_path), CORE, Selection()).is_empty()
