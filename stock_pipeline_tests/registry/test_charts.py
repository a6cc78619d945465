from datetime import date

import polars as pl
import pytest
from matplotlib.colors import to_hex
from matplotlib.dates import date2num

from stock_pipeline.core.charts import BLUE, SKY, alternative_text
from stock_pipeline.core.columns import AS_OF, MODEL, VERSION
from stock_pipeline.registry.charts import active_periods
from stock_pipeline.registry.tables import DECISION, NUMBER, PROMOTION, REJECTION, ROLLBACK, SHADOWING
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.figures import assert_legible, watched, written

DAYS = sessions(8)


def decisions(*made: tuple[str, date, int, str]) -> pl.DataFrame:
    numbered = enumerate(made, 1)
    rows = [
        {MODEL: model, NUMBER: number, AS_OF: day, VERSION: version, DECISION: told} for number, (model, day, version, told) in numbered
    ]
    return pl.DataFrame(rows)


def test_every_time_of_service_and_every_refusal_shows() -> None:
    story = [("a", DAYS[0], 1, PROMOTION), ("b", DAYS[0], 1, PROMOTION), ("a", DAYS[2], 2, PROMOTION)]
    charts = [
        active_periods(decisions(*story), DAYS[7]),
        active_periods(decisions(*story, ("a", DAYS[4], 1, ROLLBACK)), DAYS[7]),
        active_periods(decisions(*story, ("b", DAYS[4], 2, REJECTION)), DAYS[7]),
        active_periods(decisions(*story), DAYS[6]),
        active_periods(decisions(*story, ("c", DAYS[4], 1, REJECTION)), DAYS[7]),
        active_periods(decisions(("c", DAYS[4], 1, REJECTION)), DAYS[7]),
    ]
    assert all(chart.startswith(b"\x89PNG") for chart in charts)
    assert len(set(charts)) == len(charts)
    assert active_periods(decisions(*story), DAYS[7]) == charts[0]


def test_a_single_night_is_marked_by_days_and_has_no_legend_of_marks_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    content = active_periods(decisions(("a", DAYS[0], 1, PROMOTION), ("b", DAYS[0], 1, PROMOTION)), DAYS[0])
    (figure,) = saved
    assert_legible(figure, content)
    (ax,) = figure.axes
    assert ax.get_legend() is None
    assert str(DAYS[0]) in written(figure) and not any(":" in label.get_text() for label in ax.get_xticklabels())
    assert all(tick == int(tick) for tick in ax.get_xticks())
    left, right = ax.get_xlim()
    assert {bar.get_width() / (right - left) for bar in ax.patches} == {1 / 7}  # type: ignore[attr-defined]


def test_the_version_in_service_is_dark_and_only_marks_that_are_there_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    story = [
        ("a", DAYS[0], 1, PROMOTION),
        ("b", DAYS[0], 1, PROMOTION),
        ("a", DAYS[2], 2, PROMOTION),
        ("a", DAYS[4], 1, ROLLBACK),
        ("b", DAYS[3], 2, SHADOWING),
    ]
    content = active_periods(decisions(*story), DAYS[7])
    (figure,) = saved
    assert_legible(figure, content)
    (ax,) = figure.axes
    drawn = [(round(bar.get_y()), bar.get_x(), to_hex(bar.get_facecolor())) for bar in ax.patches]  # type: ignore[attr-defined]
    days = [date2num(DAYS[place]) for place in (0, 2, 4)]  # type: ignore[no-untyped-call]
    assert sorted(drawn) == sorted([(0, days[0], BLUE), (1, days[0], SKY), (1, days[1], SKY), (1, days[2], BLUE)])
    legend = ax.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == ["moved to shadow"]
    assert alternative_text(content).endswith("In service now: a version 1, b version 1")
    assert str(DAYS[7]) in ax.get_title("left")


def test_numbers_do_not_overlap_where_a_version_served_for_a_night(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    days = sessions(200)
    content = active_periods(decisions(*(("a", day, version, PROMOTION) for version, day in enumerate(days, 1))), days[-1])
    assert_legible(saved[0], content)
    assert len(saved[0].axes[0].patches) == 200
