"""The training panel: what was known of features and outcomes on a night, joined."""

from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import FORWARD_RETURN, SESSION, SYMBOL
from stock_pipeline.datasets.reading import read_training_panel
from stock_pipeline.datasets.training_panel import TARGET
from stock_pipeline.features.catalogue import EXTENDED
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.tables import daily_features
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.tables import daily_labels
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.features.bars import with_companies
from stock_pipeline_tests.panels import adjusted_panel, sessions
from stock_pipeline_tests.plain_settings import plain_settings
from stock_pipeline_tests.stored import empty_stores, put

COUNT, EARLIER = 90, 80
DAYS = sessions(COUNT + 10)
PANEL = with_companies(adjusted_panel(9, COUNT, missing_share=0.05))


def brought_to(home: Path, last: int) -> Stores:
    """Stores with the features and labels that a night makes."""
    stores, as_of = empty_stores(home), DAYS[last]
    known = PANEL.filter(pl.col(SESSION) <= as_of)
    put(stores, daily_features(EXTENDED), compute_features(known, EXTENDED.features), as_of)
    put(stores, daily_labels((1, 5)), compute_labels(known, DAYS, as_of, (1, 5), 5), as_of)
    return stores


def settings(stores: Stores) -> Settings:
    return plain_settings(stores.home, features={"set": "extended"})


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return brought_to(tmp_path / "last", COUNT - 1)


def test_as_of_an_earlier_night_the_panel_is_that_night_s_though_the_tables_have_gone_further(stores: Stores, tmp_path: Path) -> None:
    then = brought_to(tmp_path / "then", EARLIER)
    panel = read_training_panel(stores, settings(stores), DAYS[EARLIER])
    assert panel.equals(read_training_panel(then, settings(then), DAYS[EARLIER]))
    assert panel[SESSION].max() == DAYS[EARLIER - 2]  # the last whose way out, two sessions later, has been seen
    assert read_training_panel(stores, settings(stores), DAYS[COUNT - 1])[SESSION].max() == DAYS[COUNT - 3]


def test_models_see_ranks_and_the_market_between_its_bounds(stores: Stores) -> None:
    panel = read_training_panel(stores, settings(stores), DAYS[COUNT - 1])
    assert panel.columns == [SESSION, SYMBOL, *EXTENDED.names, FORWARD_RETURN, TARGET]
    assert panel.select(pl.col(EXTENDED.names).is_between(-0.5, 0.5).all()).row(0) == (True,) * len(EXTENDED.names)
    of_market = list(EXTENDED.bounds)
    assert panel.group_by(SESSION).agg(pl.col(of_market).n_unique()).select(pl.col(of_market).max()).row(0) == (1,) * len(of_market)
    assert min(panel[name].n_unique() for name in of_market) > 5
