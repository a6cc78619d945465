from itertools import pairwise

import polars as pl
import pytest

from stock_pipeline.core.columns import FORWARD_RETURN
from stock_pipeline.core.errors import InputError
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.pictures import return_bands
from stock_pipeline_tests.panels import adjusted_panel, sessions

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("count", [3, 40, 400])
def test_the_bands_are_a_png_for_few_sessions_and_for_many(count: int) -> None:
    days = sessions(count + 2)
    labels = compute_labels(adjusted_panel(symbols=3, count=count), dict(pairwise(days)))
    assert return_bands(labels).startswith(PNG)


def test_other_returns_make_another_picture() -> None:
    days = sessions(42)
    labels = compute_labels(adjusted_panel(symbols=3, count=40), dict(pairwise(days)))
    assert return_bands(labels) == return_bands(labels.reverse())
    assert return_bands(labels) != return_bands(labels.with_columns(pl.col(FORWARD_RETURN) * 2))


def test_nothing_to_draw_is_said_so() -> None:
    labels = compute_labels(adjusted_panel(symbols=3, count=2), {})
    with pytest.raises(InputError, match="no row of the labels has a forward_return"):
        return_bands(labels)
