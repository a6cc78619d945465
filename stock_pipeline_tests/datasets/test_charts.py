from stock_pipeline.datasets.charts import folds_chart
from stock_pipeline.datasets.splits import split_table
from stock_pipeline_tests.factories.folds import equal_folds
from stock_pipeline_tests.factories.panels import sessions


def test_the_folds_are_a_png_that_changes_with_them() -> None:
    days = sessions(200)
    charts = [folds_chart(split_table(equal_folds(days, folds, 2, 5, 60), days, days[-1], 2, 5)) for folds in (3, 3, 4)]
    assert charts[0].startswith(b"\x89PNG")
    assert charts[0] == charts[1] != charts[2]
