import polars as pl
import pytest

from stock_pipeline.core.columns import FORWARD_VOLATILITY
from stock_pipeline.core.errors import SchemaError
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.tables import DAILY_LABELS, daily_labels
from stock_pipeline.settings import LabelSettings
from stock_pipeline_tests.factories.label_bars import DAYS, OPENS, panel, scattered


@pytest.mark.parametrize("horizons", [(1, 5), (3,), (10, 2, 1)])
def test_what_is_computed_fits_the_table_of_its_horizons(horizons: tuple[int, ...]) -> None:
    made = compute_labels(scattered(5), DAYS, DAYS[20], horizons, 4)
    assert daily_labels(horizons).validate(made).equals(made)


def test_the_table_has_the_columns_of_each_horizon_in_their_order() -> None:
    own = ("forward_return_{}", "direction_{}", "label_status_{}", "known_on_{}")
    assert daily_labels((5, 1)).column_names == (
        "symbol",
        "session",
        *(name.format(5) for name in own),
        *(name.format(1) for name in own),
        "forward_volatility",
        "label_status_volatility",
        "known_on_volatility",
    )


def test_the_default_table_is_that_of_the_default_settings() -> None:
    assert daily_labels(LabelSettings().horizons) == DAILY_LABELS
    assert (DAILY_LABELS.store, DAILY_LABELS.qualified_name) == ("ml", "labels.daily_labels")


def test_each_column_says_what_it_is_of_which_horizon() -> None:
    meanings = {column.name: column.description for column in DAILY_LABELS.columns}
    assert meanings["forward_return_1"] == "open 1 session after the next open over the next open, less 1"
    assert meanings["forward_return_5"] == "open 5 sessions after the next open over the next open, less 1"
    assert len(set(meanings.values())) == len(meanings)


@pytest.mark.parametrize(
    ("name", "value"),
    [("forward_return_5", -1.5), ("direction_1", 2), (FORWARD_VOLATILITY, -0.1), ("label_status_1", "lost"), ("known_on_volatility", None)],
)
def test_impossible_labels_are_refused(name: str, value: float | str | None) -> None:
    row = compute_labels(panel(OPENS), DAYS, DAYS[20], (1, 5), 5).head(1)
    with pytest.raises(SchemaError, match=name):
        DAILY_LABELS.validate(row.with_columns(pl.lit(value).alias(name)))
