from html.parser import HTMLParser

import polars as pl
import pytest
from matplotlib.colors import to_hex

from stock_pipeline.core.charts import GREY, alternative_text
from stock_pipeline.drift.catalogue import STATISTICS
from stock_pipeline.drift.charts import COLOURS, LONGEST, psi_bars
from stock_pipeline.drift.report import html_report
from stock_pipeline.drift.severity import severity
from stock_pipeline.drift.statistics.psi import PSI
from stock_pipeline.drift.tables import FEATURE_DRIFT
from stock_pipeline_tests.drift.test_feature_drift import drift, panel
from stock_pipeline_tests.harness.figures import EMPTY, assert_legible, watched, written

PNG = b"\x89PNG\r\n\x1a\n"


class Cells(HTMLParser):
    """The texts of the table's cells, row by row, and every chart's source and what stands for it in words."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.sources: list[str] = []
        self.alternatives: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "img":
            self.sources.append(dict(attrs)["src"] or "")
            self.alternatives.append(dict(attrs)["alt"] or "")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data


def parsed(page: str) -> Cells:
    parser = Cells()
    parser.feed(page)
    return parser


@pytest.fixture(scope="module")
def found() -> pl.DataFrame:
    return drift(panel(), ["calm", "torn", "market"])


def test_the_page_stands_alone_and_tells_the_worst_first(found: pl.DataFrame) -> None:
    page = html_report(found, {"PSI by feature": psi_bars(found)})
    cells = parsed(page)
    each = len(STATISTICS)
    assert len(cells.rows) == 1 + 3 * each
    assert [row[0] for row in cells.rows[1 : 1 + each]] == ["torn"] * each
    assert [row[0] for row in cells.rows[-each:]] == ["market"] * each
    assert cells.rows[-1][2] == "\N{EN DASH}"
    assert len(cells.sources) == 1 and cells.sources[0].startswith("data:image/png;base64,iVBOR")
    assert cells.alternatives == [alternative_text(psi_bars(found))]
    assert "http" not in page and "<script" not in page
    grades = [row[4] for row in cells.rows[1:]]
    assert set(grades[:each]) <= {"MEDIUM", "HIGH", "CRITICAL"} and grades[each:] == ["NONE"] * 2 * each
    assert f", {2 * each} NONE." in page
    assert "too few rows to judge: 1" in page


def test_names_and_captions_are_escaped(found: pl.DataFrame) -> None:
    nasty = found.with_columns(feature=pl.lit("<script>alert(1)</script>"))
    page = html_report(nasty, {'"><b>caption': EMPTY})
    assert "script" not in parsed(page).tags and "b" not in parsed(page).tags
    assert parsed(page).rows[1][0] == "<script>alert(1)</script>"


def test_nothing_compared() -> None:
    assert "Nothing was compared" in html_report(FEATURE_DRIFT.empty(), {})


def test_pictures_of_any_drift(found: pl.DataFrame) -> None:
    assert psi_bars(found).startswith(PNG)
    assert psi_bars(FEATURE_DRIFT.empty()).startswith(PNG)
    assert psi_bars(found) == psi_bars(found.reverse())
    assert psi_bars(found) != psi_bars(found.filter(pl.col("feature") == "calm"))


def of_psi(*values: float) -> pl.DataFrame:
    """Rows of FEATURE_DRIFT of as many features."""
    graded = [(f"f{place:02d}", value, severity(value, PSI.thresholds)) for place, value in enumerate(values)]
    features = pl.DataFrame(graded, schema=["feature", "value", "severity"], orient="row")
    one = drift(panel(), ["calm"]).filter(pl.col("statistic") == PSI.name).drop("feature", "value", "severity")
    return one.join(features, how="cross")


@pytest.mark.parametrize(
    ("largest", "drifted", "thresholds"),
    [(0.04, "none", [0.1]), (0.1, "1", [0.1, 0.2]), (0.25, "1", [0.1, 0.2, 0.3]), (9.0, "1", [0.1, 0.2, 0.3, 0.5])],
)
def test_every_feature_is_drawn_beside_the_thresholds_that_grade_it(
    largest: float, drifted: str, thresholds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = watched(monkeypatch)
    content = psi_bars(of_psi(*(0.001 * place for place in range(39)), largest))
    (figure,) = saved
    assert_legible(figure, content)
    (ax,) = figure.axes
    assert len(ax.patches) == 40 and [label.get_text() for label in ax.get_yticklabels()][:2] == ["f39", "f38"]
    lines = [line.get_xdata()[0] for line in ax.get_lines()]  # type: ignore[index]
    assert lines == thresholds and max(min(largest, LONGEST), thresholds[-1]) < ax.get_xlim()[1] <= 1.2 * LONGEST
    assert ("9.000, cut off" in written(figure)) == (largest > LONGEST)
    named = [text.get_text() for text in ax.texts if "from" in text.get_text()]
    assert named == [f"{grade} from {value:g}" for grade, value in zip(("LOW", "MEDIUM", "HIGH", "CRITICAL"), thresholds, strict=False)]
    assert figure.get_suptitle().endswith(f": {drifted} of 40 features with a PSI of 0.1 or more")
    assert f"The largest: f39 {largest:.3f}, f38 0.038" in alternative_text(content)
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == [COLOURS[severity(largest, PSI.thresholds)], *[GREY] * 39]


def test_of_more_features_than_fit_the_title_says_how_many_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = watched(monkeypatch)
    psi_bars(of_psi(0.3, 0.2, 0.1, 0.01), count=2)
    assert len(saved[0].axes[0].patches) == 2
    assert saved[0].get_suptitle().endswith(": 3 of 4 features with a PSI of 0.1 or more; the 2 largest are drawn")
