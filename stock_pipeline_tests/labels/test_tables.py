from itertools import pairwise

import polars as pl
import pytest

from stock_pipeline.core.columns import DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, SESSION, SYMBOL
from stock_pipeline.core.errors import SchemaError
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline_tests.panels import adjusted_panel, sessions


def test_what_is_computed_fits_the_table() -> None:
    days = sessions(32)
    labels = compute_labels(adjusted_panel(symbols=3, count=30, missing_share=0.1), dict(pairwise(days)))
    assert (DAILY_LABELS.store, DAILY_LABELS.qualified_name) == ("ml", "labels.daily_labels")
    assert DAILY_LABELS.column_names == (SYMBOL, SESSION, FORWARD_RETURN, DIRECTION, FORWARD_VOLATILITY)
    assert DAILY_LABELS.conform(labels).equals(labels)


@pytest.mark.parametrize(("name", "value"), [(FORWARD_RETURN, -1.5), (DIRECTION, 2), (FORWARD_VOLATILITY, -0.1)])
def test_impossible_labels_are_refused(name: str, value: float) -> None:
    row = pl.DataFrame({SYMBOL: ["A"], SESSION: sessions(1), FORWARD_RETURN: [0.1], DIRECTION: [1], FORWARD_VOLATILITY: [0.1]})
    with pytest.raises(SchemaError, match=name):
        DAILY_LABELS.conform(row.with_columns(pl.lit(value).alias(name)))
