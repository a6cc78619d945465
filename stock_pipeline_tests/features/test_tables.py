import polars as pl
import pytest

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.features.catalogue import FEATURE_SETS, FeatureSet
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.tables import DAILY_FEATURES, daily_features
from stock_pipeline_tests.factories.feature_bars import with_companies
from stock_pipeline_tests.factories.panels import adjusted_panel

BY_SET = pytest.mark.parametrize("chosen", FEATURE_SETS, ids=lambda chosen: chosen.name)


@BY_SET
def test_the_table_has_the_key_and_a_nullable_column_per_feature(chosen: FeatureSet) -> None:
    table = daily_features(chosen)
    assert table.qualified_name == DAILY_FEATURES.qualified_name == "features.daily_features"
    assert table.store == "ml"
    assert table.column_names == (SYMBOL, SESSION, *(feature.name for feature in chosen.made))
    assert chosen.name in table.description
    described = {column.name: column for column in table.columns}
    for feature in chosen.made:
        column = described[feature.name]
        assert (column.dtype, column.nullable) == (pl.Float32, True)
        assert feature.formula in column.description
        assert feature.source in column.description


@BY_SET
def test_what_is_computed_fits_the_table(chosen: FeatureSet) -> None:
    features = compute_features(with_companies(adjusted_panel(symbols=4, count=80, missing_share=0.1)), chosen.made)
    assert daily_features(chosen).validate(features).equals(features)
