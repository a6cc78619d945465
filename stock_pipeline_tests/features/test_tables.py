import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.features.catalogue import CATALOGUE, feature_names
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline_tests.panels import adjusted_panel


def test_the_table_has_the_key_and_a_nullable_column_per_feature() -> None:
    assert DAILY_FEATURES.qualified_name == "features.daily_features"
    assert DAILY_FEATURES.store == "ml"
    assert DAILY_FEATURES.open_columns
    assert DAILY_FEATURES.column_names == (SYMBOL, SESSION, *feature_names())
    described = {column.name: column for column in DAILY_FEATURES.columns}
    for feature in CATALOGUE:
        column = described[feature.name]
        assert (column.dtype, column.nullable, column.description) == (pl.Float32, True, feature.formula)


def test_what_is_computed_fits_the_table() -> None:
    features = compute_features(adjusted_panel(symbols=4, count=80, missing_share=0.1))
    assert DAILY_FEATURES.conform(features).equals(features)
