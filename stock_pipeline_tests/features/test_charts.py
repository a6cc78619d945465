from datetime import date

import polars as pl
import pytest

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.features.catalogue import CORE
from stock_pipeline.features.charts import heat_map
from stock_pipeline.features.compute import compute_features
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.harness.figures import assert_legible, watched, written

BY = CORE.display_feature
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def features() -> pl.DataFrame:
    return compute_features(adjusted_panel(symbols=12, count=62, missing_share=0.04), CORE.features)


def test_a_heat_map_is_a_png_and_the_same_every_time(features: pl.DataFrame) -> None:
    session = features[SESSION].max()
    assert isinstance(session, date)
    first = heat_map(features, session, BY, stocks=6)
    assert first.startswith(PNG)
    assert first == heat_map(features.sample(fraction=1, shuffle=True, seed=1), session, BY, stocks=6)


def test_it_shows_another_picture_for_another_session(features: pl.DataFrame) -> None:
    days = features[SESSION].unique().sort()
    assert heat_map(features, days[-1], BY, stocks=5) != heat_map(features, days[-2], BY, stocks=5)


@pytest.mark.parametrize("symbols", [1, 3])
def test_few_stocks_and_null_columns_can_be_drawn(features: pl.DataFrame, symbols: int) -> None:
    few = features.filter(pl.col(SESSION) == features[SESSION].min()).sort(SYMBOL).head(symbols)
    assert heat_map(few, few[SESSION][0], BY).startswith(PNG)


def test_a_session_without_features_is_named(features: pl.DataFrame) -> None:
    with pytest.raises(InputError, match="no stock has features in session 1999-12-31"):
        heat_map(features, date(1999, 12, 31), BY)


def test_the_title_tells_what_is_seen_and_the_bar_what_the_colours_mean(features: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    session = features[SESSION].max()
    assert isinstance(session, date)
    content = heat_map(features, session, BY, stocks=6)
    assert_legible(saved[0], content)
    assert f"Features of session {session} by rank: 6 of 12 stocks in the order of {BY}" in written(saved[0])
    assert "rank within the session, 0 lowest, 1 highest; grey: no value" in written(saved[0])
