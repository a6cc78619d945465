import pytest

from stock_pipeline.datasets.charts import folds_chart
from stock_pipeline.datasets.splits import split_table
from stock_pipeline_tests.factories.folds import equal_folds
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.figures import assert_legible, watched, written


def test_the_folds_are_a_png_that_changes_with_them() -> None:
    days = sessions(200)
    charts = [folds_chart(split_table(equal_folds(days, folds, 2, 5, 60), days, days[-1], 2, 5)) for folds in (3, 3, 4)]
    assert charts[0].startswith(b"\x89PNG")
    assert charts[0] == charts[1] != charts[2]


def test_each_range_has_its_sessions_and_the_title_what_lies_between(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    days = sessions(200)
    splits = split_table(equal_folds(days, 3, 2, 5, 60), days, days[-1], 2, 5)
    content = folds_chart(splits)
    (figure,) = saved
    assert_legible(figure, content)
    for column in ("train_sessions", "test_sessions"):
        assert {f"{count:,}" for count in splits[column]} <= set(written(figure))
    title = figure.axes[0].get_title("left")
    assert str(days[-1]) in title and title.endswith("between them 2 purged and 5 embargoed")
    assert "2 purged and 5 embargoed" in content.decode("latin-1")
