import polars as pl

from stock_pipeline.core.columns import METRIC, MODEL, SESSION, VALUE
from stock_pipeline.models.pictures import rank_ic_picture, scores_picture
from stock_pipeline_tests.panels import sessions


def test_daily_rank_ic_is_a_png_that_changes_with_it() -> None:
    daily = pl.DataFrame({SESSION: sessions(30), "rank_ic": [None, *(0.01 * (i % 7 - 3) for i in range(29))]})
    picture = rank_ic_picture(daily, "lightgbm")
    assert picture.startswith(b"\x89PNG")
    assert picture == rank_ic_picture(daily.reverse(), "lightgbm")
    assert picture != rank_ic_picture(daily.with_columns(-pl.col("rank_ic")), "lightgbm")
    assert rank_ic_picture(daily.clear(), "lightgbm").startswith(b"\x89PNG")


def test_models_side_by_side_are_a_png_also_where_values_are_missing() -> None:
    rows = [
        ("lightgbm", "rank_ic", 0.02),
        ("lightgbm", "rank_ic_t", 4.0),
        ("stack", "rank_ic", 0.03),
        ("stack", "rank_ic_t", None),
        ("spline_ridge", "rank_ic", None),
        ("spline_ridge", "rank_ic_t", None),
        ("spline_ridge", "mae", 0.25),
    ]
    scores = pl.DataFrame(rows, schema={MODEL: pl.String, METRIC: pl.String, VALUE: pl.Float64}, orient="row")
    picture = scores_picture(scores)
    assert picture.startswith(b"\x89PNG")
    assert picture != scores_picture(scores.with_columns(pl.col(VALUE) * 2))
    assert scores_picture(scores.clear()).startswith(b"\x89PNG")
