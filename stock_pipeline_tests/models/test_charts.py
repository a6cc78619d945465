import numpy as np
import polars as pl
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from stock_pipeline.core.columns import CONTRIBUTION, FEATURE, METRIC, MODEL, SCORE, SESSION, SYMBOL, TARGET, VALUE
from stock_pipeline.models import charts
from stock_pipeline.models.charts import calibration_chart, explanation_charts, rank_ic_chart, scores_chart, weights_chart
from stock_pipeline_tests.factories.panels import sessions

PNG = b"\x89PNG"


def test_daily_rank_ic_is_a_png_that_changes_with_it() -> None:
    daily = pl.DataFrame({SESSION: sessions(30), "rank_ic": [None, *(0.01 * (i % 7 - 3) for i in range(29))]})
    chart = rank_ic_chart(daily, "lightgbm")
    assert chart.startswith(PNG)
    assert chart == rank_ic_chart(daily.reverse(), "lightgbm")
    assert chart != rank_ic_chart(daily.with_columns(-pl.col("rank_ic")), "lightgbm")
    assert rank_ic_chart(daily.clear(), "lightgbm").startswith(PNG)


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
    chart = scores_chart(scores)
    assert chart.startswith(PNG)
    assert chart != scores_chart(scores.with_columns(pl.col(VALUE) * 2))
    assert scores_chart(scores.clear()).startswith(PNG)


def test_the_weights_are_a_png_that_changes_with_them() -> None:
    weights = pl.DataFrame({MODEL: ["lightgbm", "mlp"], "weight": [0.7, 0.3]})
    chart = weights_chart(weights)
    assert chart.startswith(PNG)
    assert chart == weights_chart(weights.reverse())
    assert chart != weights_chart(weights.with_columns(weight=pl.Series([0.6, 0.4])))


def said(count: int, slope: float) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    score = rng.random(count) * 0.4 - 0.2
    return pl.DataFrame({SCORE: score, TARGET: np.where(rng.random(count) < 0.5 + slope * score, 0.5, -0.5)})


@pytest.mark.parametrize("count", [1, 7, 500])
def test_calibration_is_a_png_that_changes_with_it(count: int) -> None:
    chart = calibration_chart(said(count, 1.0))
    assert chart.startswith(PNG)
    assert (chart == calibration_chart(said(count, -1.0))) == (count == 1)


def test_calibration_is_drawn_where_the_rises_came(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = list[Figure]()

    def drawn(figure: Figure) -> bytes:
        figures.append(figure)
        return b""

    monkeypatch.setattr(charts, "png", drawn)
    calibration_chart(said(50_000, 1.0), bins=5)
    (axes,) = figures[0].axes
    line = axes.containers[0].lines[0]  # type: ignore[attr-defined]
    told, came = (np.asarray(held, dtype=np.float64) for held in line.get_data())
    np.testing.assert_allclose(told, [0.34, 0.42, 0.5, 0.58, 0.66], atol=0.01)
    np.testing.assert_allclose(came, told, atol=0.02)
    assert axes.get_title(loc="left") == "Calibration of the probability of a rise"


def explained() -> pl.DataFrame:
    rng = np.random.default_rng(2)
    key = {SESSION: [day for day in sessions(10) for _ in range(3)], SYMBOL: ["A", "B", "C"] * 10}
    frames = [
        pl.DataFrame({**key, FEATURE: [name] * 30, CONTRIBUTION: size * rng.normal(size=30), VALUE: rng.random(30) - 0.5})
        for name, size in (("small", 0.01), ("big", 1.0))
    ]
    return pl.concat(frames).with_columns(pl.col(CONTRIBUTION, VALUE).cast(pl.Float32)).sort(SESSION, SYMBOL)


def test_explanations_are_two_pngs_by_shap_and_no_figure_stays_open() -> None:
    before = plt.get_fignums()
    found = explanation_charts(explained(), "lightgbm")
    assert set(found) == {"shap_beeswarm", "shap_importance"}
    assert all(chart.startswith(PNG) for chart in found.values())
    assert plt.get_fignums() == before


def test_shap_is_given_each_stock_s_contributions_beside_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    titles, given = list[str](), list[object]()

    def drawn(explanation: object, **_options: object) -> None:
        given.append(explanation)
        plt.gcf().add_subplot()

    def titled(figure: Figure, *_of: object, **_named: object) -> None:
        titles.append(figure.axes[0].get_title(loc="left"))

    monkeypatch.setattr("shap.plots.beeswarm", drawn)
    monkeypatch.setattr("shap.plots.bar", drawn)
    monkeypatch.setattr(Figure, "savefig", titled)
    explanation_charts(explained(), "xgboost")
    assert titles == ["xgboost: what features add to its scores"] * 2
    explanation = given[0]
    for place, name in enumerate(explanation.feature_names):  # type: ignore[attr-defined]
        of_feature = explained().filter(pl.col(FEATURE) == name)
        np.testing.assert_allclose(explanation.values[:, place], of_feature[CONTRIBUTION])  # type: ignore[attr-defined]
        np.testing.assert_allclose(explanation.data[:, place], of_feature[VALUE])  # type: ignore[attr-defined]
