from datetime import date

import numpy as np
import polars as pl
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.stats import norm

from stock_pipeline.core.charts import BLUE, MUTED, alternative_text
from stock_pipeline.core.columns import CONTRIBUTION, FEATURE, METRIC, MODEL, SCORE, SESSION, SYMBOL, TARGET, VALUE
from stock_pipeline.models.charts import (
    MOST_SHOWN,
    calibration,
    calibration_chart,
    explanation_charts,
    rank_ic_chart,
    scores_chart,
    weights_chart,
)
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.figures import assert_legible, watched, written

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


def on_days(days: int, count: int) -> list[date]:
    """``count`` sessions, row by row the next of so many days."""
    return [sessions(days)[row % days] for row in range(count)]


def said(count: int, slope: float) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    score = rng.random(count) * 0.4 - 0.2
    days = on_days(50, count)
    return pl.DataFrame({SESSION: days, SCORE: score, TARGET: np.where(rng.random(count) < 0.5 + slope * score, 0.5, -0.5)})


@pytest.mark.parametrize("count", [1, 7, 500])
def test_calibration_is_a_png_that_changes_with_it(count: int) -> None:
    chart = calibration_chart(said(count, 1.0), 1)
    assert chart.startswith(PNG)
    assert (chart == calibration_chart(said(count, -1.0), 1)) == (count == 1)


def test_calibration_is_drawn_where_the_rises_came(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    content = calibration_chart(said(50_000, 1.0), 1, bins=5)
    (figure,) = saved
    assert_legible(figure, content)
    (axes,) = figure.axes
    line = axes.containers[0].lines[0]  # type: ignore[attr-defined]
    told, came = (np.asarray(held, dtype=np.float64) for held in line.get_data())
    np.testing.assert_allclose(told, [0.34, 0.42, 0.5, 0.58, 0.66], atol=0.01)
    np.testing.assert_allclose(came, told, atol=0.02)
    assert axes.get_title(loc="left") == "Calibration of the probability of a rise, out of fold: 50,000 rows"
    assert (axes.get_xlim(), axes.get_aspect()) == (axes.get_ylim(), 1.0)
    assert all(f"predicted {x:.3f}, rose {y:.3f} ± 0.0" in alternative_text(content) for x, y in zip(told, came, strict=True))
    assert line.get_linestyle() == "None"  # a line would make waves of the errors
    assert any("standard errors by session" in text for text in written(figure))


def test_equal_probabilities_share_a_bin_so_that_none_stands_above_another() -> None:
    """A model that says few different numbers, as trees do; a bin that they leave nearly empty joins its neighbour."""
    scores = np.repeat([-0.02, 0.001, 0.02, 0.021], [5, 400, 580, 15])
    rises = np.resize([0.5, -0.5, 0.5, 0.5], len(scores))
    days = on_days(20, len(scores))
    found = calibration(pl.DataFrame({SESSION: days, SCORE: scores, TARGET: rises}), 1, bins=10)
    assert found["predicted"].is_sorted() and found["predicted"].n_unique() == found.height == 2
    assert found["rows"].to_list() == [405, 595]
    np.testing.assert_allclose(found["predicted"], [0.5 + scores[:405].mean(), 0.5 + scores[405:].mean()])
    np.testing.assert_allclose(found["observed"], [(rises[:405] > 0).mean(), (rises[405:] > 0).mean()])


def test_bins_too_close_to_be_told_apart_are_one() -> None:
    """Marks over each other, with their errors apart, look like a line that goes up and down."""
    scores = np.repeat([-0.1, -0.001, 0.0, 0.001, 0.1], 20)
    days = on_days(20, len(scores))
    found = calibration(pl.DataFrame({SESSION: days, SCORE: scores, TARGET: np.resize([0.5, -0.5], 100)}), 1, bins=5)
    assert found["rows"].to_list() == [20, 60, 20]
    np.testing.assert_allclose(found["predicted"], [0.4, 0.5, 0.6])


def moved_together(days: int, stocks: int, span: int, rng: np.random.Generator) -> pl.DataFrame:
    """Rows of a calibrated model, whose stocks rise or fall together; ``span`` sessions share half of what moves them."""
    market = np.convolve(rng.normal(size=days + span - 1), np.full(span, span**-0.5), "valid")
    score = rng.random((days, stocks)) * 0.2 - 0.1
    risen = norm.cdf(np.sqrt(0.5) * market[:, None] + np.sqrt(0.5) * rng.normal(size=(days, stocks))) < 0.5 + score
    dated = np.repeat(np.arange(days), stocks)
    return pl.DataFrame({SESSION: dated, SCORE: score.ravel(), TARGET: np.where(risen.ravel(), 0.5, -0.5)})


@pytest.mark.parametrize(("horizon", "stocks"), [(1, 60), (5, 20)])
def test_two_errors_of_a_bin_hold_the_true_share_as_often_as_they_say(horizon: int, stocks: int) -> None:
    rng = np.random.default_rng(4)
    tried = pl.concat(calibration(moved_together(240, stocks, horizon, rng), horizon, bins=4) for _ in range(60))
    off = (tried["observed"] - tried["predicted"]).abs()
    assert 0.88 <= float((off <= 2 * tried["error"]).mean()) <= 0.98  # type: ignore[arg-type]
    binomial = (tried["observed"] * (1 - tried["observed"]) / tried["rows"]).sqrt()
    assert float((off <= 2 * binomial).mean()) < 0.7  # type: ignore[arg-type]


def test_the_error_of_a_bin_is_that_of_a_ratio_of_totals_over_its_sessions() -> None:
    days = [day for day, count in zip(sessions(4), (3, 1, 2, 2), strict=True) for _ in range(count)]
    rises = np.array([1, 1, 1, 0, 0, 1, 0, 0])
    (row,) = calibration(pl.DataFrame({SESSION: days, SCORE: [0.1] * 8, TARGET: rises - 0.5}), 1, bins=3).iter_rows(named=True)
    off = [3 - 1.5, 0 - 0.5, 1 - 1.0, 0 - 1.0]  # of each session: rises less half its rows
    assert (row["observed"], row["error"]) == (0.5, pytest.approx((4 / 3 * sum(x * x for x in off)) ** 0.5 / 8))
    assert calibration(pl.DataFrame({SESSION: days[:3], SCORE: [0.1] * 3, TARGET: [0.5, -0.5, 0.5]}), 1, 3)["error"].to_list() == [np.inf]


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


def many() -> pl.DataFrame:
    """Contributions of 20 features, of which the later ones add more."""
    rng = np.random.default_rng(3)
    key = {SESSION: [day for day in sessions(5) for _ in range(2)], SYMBOL: ["A", "B"] * 5}
    frames = [
        pl.DataFrame(
            {**key, FEATURE: [f"f{place:02d}"] * 10, CONTRIBUTION: 1e-5 * (place + 1) * rng.choice([-1, 1], 10), VALUE: rng.random(10)}
        )
        for place in range(20)
    ]
    return pl.concat(frames)


def test_bars_of_importance_have_shares_that_tell_and_none_of_the_features_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    charts = explanation_charts(many(), "lightgbm")
    beeswarm, bars = saved
    assert_legible(bars, charts["shap_importance"])
    (ax,) = bars.axes
    shares = {f"f{place:02d}": (place + 1) / 210 for place in range(20)}  # 1 + 2 + ... + 20 = 210
    first = sorted(shares, key=lambda name: -shares[name])[:MOST_SHOWN]
    assert [label.get_text() for label in ax.get_yticklabels()] == first
    assert [text.get_text() for text in ax.texts] == [f"{shares[name]:.1%}" for name in first]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([210e-5 * shares[name] for name in first])  # type: ignore[attr-defined]
    of_all = sum(shares[name] for name in first)
    assert f"The first {MOST_SHOWN} of 20 features, {of_all:.0%} of what all of them add" in ax.get_title("left")
    assert "SHAP" in ax.get_xlabel()
    for figure in (beeswarm, bars):
        assert not any("other features" in text or "+0" in text for text in written(figure))
    assert [label.get_text() for label in beeswarm.axes[0].get_yticklabels()] == first[::-1]
    assert all(f"f19 {20 / 210:.1%}" in alternative_text(chart) for chart in charts.values())


def test_features_that_add_nothing_are_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    explanation_charts(many().with_columns(pl.lit(0.0).alias(CONTRIBUTION)), "direction")
    assert all(figure.axes[0].get_title("left").endswith("No feature adds anything") for figure in saved)


def test_the_stack_stands_out_among_the_models_compared_and_figures_stand_beside_the_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    values = {"lightgbm": 0.02, "stack": 0.03, "mlp": -0.01}
    rows = [row for model, value in values.items() for row in ((model, "rank_ic", value), (model, "rank_ic_t", 2.0))]
    content = scores_chart(pl.DataFrame(rows, schema=[MODEL, METRIC, VALUE], orient="row"))
    weighed = weights_chart(pl.DataFrame({MODEL: ["lightgbm", "mlp"], "weight": [0.7, 0.3]}))
    compared, weights = saved
    assert_legible(compared, content)
    assert_legible(weights, weighed)
    assert [to_hex(bar.get_facecolor()) for bar in compared.axes[0].patches] == [MUTED, MUTED, BLUE]
    assert {"+0.0200", "+0.0300", "-0.0100"} <= set(written(compared)) and {"70.0%", "30.0%", "equal weights, 50.0%"} <= set(
        written(weights)
    )
    assert alternative_text(content).endswith("stack +0.0300, lightgbm +0.0200, mlp -0.0100")
    assert alternative_text(weighed).endswith("lightgbm 70.0%, mlp 30.0%")


def test_the_rank_ic_of_each_session_has_its_legend_beside_and_its_mean_in_the_title(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    daily = pl.DataFrame({SESSION: sessions(30), "rank_ic": [None, *(0.01 * (i % 7 - 2) for i in range(29))]})
    content = rank_ic_chart(daily, "mlp")
    assert_legible(saved[0], content)
    mean = sum(0.01 * (i % 7 - 2) for i in range(29)) / 29
    assert saved[0].axes[0].get_title("left") == f"mlp out of fold: mean rank IC {mean:+.4f} over 29 sessions"


@pytest.mark.parametrize("count", [6, 9, 16, 30, 60, 110, 250])
def test_dates_stand_apart_and_so_do_the_bars_of_neighbouring_sessions(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    daily = pl.DataFrame({SESSION: sessions(count), "rank_ic": [0.01 * (i % 7 - 2) for i in range(count)]})
    content = rank_ic_chart(daily, "a_model")
    (figure,) = saved
    assert_legible(figure, content)
    (ax,) = figure.axes
    (bars,) = (held for held in ax.collections if isinstance(held, LineCollection))
    places = np.asarray(ax.transData.transform(np.array([path.vertices[0] for path in bars.get_paths()])))[:, 0]  # type: ignore[index]
    assert min(np.diff(places)) >= np.max(bars.get_linewidth()) * figure.dpi / 72


def test_contributions_are_in_log_odds_for_the_classifier_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    for model in ("direction", "catboost"):
        explanation_charts(explained(), model)
    units = [figure.axes[0].get_xlabel().partition(", ")[2] for figure in saved]
    assert units == ["in log-odds of a rise"] * 2 + ["in units of the score"] * 2


def test_shap_is_given_each_stock_s_contributions_beside_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    titles, given = list[str](), list[object]()

    def drawn(explanation: object, **_options: object) -> None:
        given.append(explanation)
        plt.gcf().add_subplot()

    def titled(figure: Figure, *_of: object, **_named: object) -> None:
        titles.append(figure.axes[0].get_title(loc="left"))

    monkeypatch.setattr("shap.plots.beeswarm", drawn)
    monkeypatch.setattr(Figure, "savefig", titled)
    explanation_charts(explained(), "xgboost")
    assert [title.splitlines()[0] for title in titles] == [
        "xgboost: what each feature adds to a score, by the feature's value",
        "xgboost: how much each feature adds to a score, up or down, and its share of all",
    ]
    explanation = given[0]
    for place, name in enumerate(explanation.feature_names):  # type: ignore[attr-defined]
        of_feature = explained().filter(pl.col(FEATURE) == name)
        np.testing.assert_allclose(explanation.values[:, place], of_feature[CONTRIBUTION])  # type: ignore[attr-defined]
        np.testing.assert_allclose(explanation.data[:, place], of_feature[VALUE])  # type: ignore[attr-defined]
