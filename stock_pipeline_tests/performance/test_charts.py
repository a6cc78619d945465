import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.charts import alternative_text
from stock_pipeline.performance.charts import cumulative_rank_ic, cumulative_return
from stock_pipeline.performance.log import SESSION_RETURN
from stock_pipeline.performance.tables import DAILY_PERFORMANCE
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.figures import assert_legible, line_colours, watched, written

PNG = b"\x89PNG\r\n\x1a\n"


def performance(model: str, origin: str, level: float | None, training_id: str = "t1") -> pl.DataFrame:
    return DAILY_PERFORMANCE.validate(
        pl.DataFrame({"session": sessions(15)}).with_columns(
            model=pl.lit(model),
            training_id=pl.lit(training_id),
            origin=pl.lit(origin),
            stocks=100,
            rank_ic=pl.lit(level, pl.Float64),
            sign_accuracy=pl.lit(0.5),
            long_short_return=pl.lit(0.001),
        )
    )


def test_a_line_per_model_and_origin() -> None:
    one = performance("ridge", "live", 0.02)
    several = pl.concat([one, performance("ridge", "out_of_fold", 0.03), performance("zero", "live", None)])
    assert cumulative_rank_ic(one).startswith(PNG)
    assert cumulative_rank_ic(several).startswith(PNG)
    assert cumulative_rank_ic(several) != cumulative_rank_ic(one)


def test_live_and_out_of_fold_are_seen_apart_and_the_stack_among_ten_models(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    models = [*(f"model_{place}" for place in range(9)), "stack"]
    levels = {model: 0.01 * place - 0.03 for place, model in enumerate(models)}
    content = cumulative_rank_ic(
        pl.concat(
            [performance(model, origin, levels[model] / part) for model in models for part, origin in ((1, "out_of_fold"), (2, "live"))]
        )
    )
    (figure,) = saved
    assert_legible(figure, content)
    assert [("live" in ax.get_title("left"), "out of fold" in ax.get_title("left")) for ax in figure.axes] == [(True, False), (False, True)]
    assert len(line_colours(figure)) == 1
    for ax, part in zip(figure.axes, (2, 1), strict=True):
        lines = ax.get_lines()[:-1]  # but that of zero
        assert {line.get_linestyle() for line in lines} == {"-"} and len(lines) == 10
        assert sorted(line.get_linewidth() for line in lines)[-2:] == [1.1, 2.2]
        for model in models:
            assert f"{model} {levels[model] / part:+.3f} mean" in [text.get_text() for text in ax.texts]
        ends = [float(np.asarray(line.get_ydata())[-1]) for line in lines]
        assert sorted(ends) == pytest.approx([15 * levels[model] / part for model in models])
    assert "stack +0.060 mean" in alternative_text(content)


def test_the_first_nights_are_marked_by_days_and_a_session_without_a_rank_ic_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    first = pl.concat([performance("ridge", "live", 0.02).head(3), performance("zero", "live", None).head(3)])
    content = cumulative_rank_ic(first)
    (figure,) = saved
    assert_legible(figure, content)
    assert str(sessions(1)[0]) in written(figure) and not any(":" in text for text in written(figure))
    assert [text.get_text() for text in figure.axes[0].texts] == ["ridge +0.020 mean"]
    assert "zero, nothing known" in alternative_text(content)


def test_trainings_of_one_model_are_averaged() -> None:
    both = pl.concat([performance("ridge", "live", 0.25), performance("ridge", "live", 0.75, "t2")])
    assert cumulative_rank_ic(both) == cumulative_rank_ic(performance("ridge", "live", 0.5))


def test_no_outcomes_yet() -> None:
    assert cumulative_rank_ic(DAILY_PERFORMANCE.empty()).startswith(PNG)


def returns(model: str, level: float) -> pl.DataFrame:
    return pl.DataFrame({"session": sessions(15)}).with_columns(pl.lit(model).alias("model"), pl.lit(level).alias(SESSION_RETURN))


def test_a_line_of_returns_per_model() -> None:
    one, two = returns("lightgbm", 0.001), returns("stack", -0.001)
    assert cumulative_return(one).startswith(PNG)
    assert cumulative_return(pl.concat([two, one])) == cumulative_return(pl.concat([one, two])) != cumulative_return(one)
    assert cumulative_return(one.clear()).startswith(PNG)


def test_the_returns_are_in_percent_and_their_means_in_basis_points(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    content = cumulative_return(pl.concat([returns("lightgbm", 0.001), returns("stack", -0.002)]))
    (figure,) = saved
    assert_legible(figure, content)
    (ax,) = figure.axes
    assert "%" in ax.get_ylabel() and "after costs" in ax.get_title("left")
    assert {text.get_text() for text in ax.texts} == {"lightgbm +10.0 bp a session", "stack -20.0 bp a session"}
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in ax.get_lines()[:2]]
    assert sorted(ends) == pytest.approx([-3.0, 1.5])
