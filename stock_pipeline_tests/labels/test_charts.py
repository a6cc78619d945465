import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.charts import alternative_text
from stock_pipeline.core.errors import InputError
from stock_pipeline.labels.charts import return_bands
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions
from stock_pipeline_tests.harness.figures import assert_legible, watched

PNG = b"\x89PNG\r\n\x1a\n"


def labels(count: int) -> pl.DataFrame:
    days = sessions(count + 6)
    return compute_labels(adjusted_panel(symbols=3, count=count), days, days[count - 1], (1, 5), 5)


@pytest.mark.parametrize("count", [7, 40, 400])
def test_the_bands_are_a_png_for_few_sessions_and_for_many(count: int) -> None:
    made = labels(count)
    assert return_bands(made, 1).startswith(PNG)
    assert return_bands(made, 5).startswith(PNG)


def test_other_returns_make_another_picture() -> None:
    made = labels(40)
    assert return_bands(made, 1) == return_bands(made.reverse(), 1)
    assert return_bands(made, 1) != return_bands(made.with_columns(pl.col("forward_return_1") * 2), 1)
    assert return_bands(made, 1) != return_bands(made, 5)


def test_the_horizon_is_part_of_the_picture() -> None:
    same = labels(40).with_columns(pl.col("forward_return_1").alias("forward_return_5"))
    assert return_bands(same, 1) != return_bands(same, 5)


def test_nothing_to_draw_is_said_so() -> None:
    with pytest.raises(InputError, match="no row of the labels has a forward_return_5 to draw; wait for 6 more sessions"):
        return_bands(labels(6), 5)


@pytest.mark.parametrize(("horizon", "until"), [(1, "the open after"), (5, "the open 5 sessions later")])
def test_the_legend_stands_beside_the_bands_and_percent_are_told(horizon: int, until: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    made = labels(40)
    content = return_bands(made, horizon)
    (figure,) = saved
    assert_legible(figure, content)
    (ax,) = figure.axes
    assert ax.get_title("left") == f"Forward returns of each session's stocks in %, next open to {until}"
    name = f"forward_return_{horizon}"
    medians = [100 * float(np.median(rows[name].to_numpy())) for _, rows in made.drop_nulls(name).group_by("session")]
    assert f"{min(medians):+.2f}% and {max(medians):+.2f}%" in alternative_text(content)
