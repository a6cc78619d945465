from html.parser import HTMLParser

import polars as pl
import pytest

from stock_pipeline.drift.catalogue import STATISTICS
from stock_pipeline.drift.charts import psi_bars
from stock_pipeline.drift.report import html_report
from stock_pipeline.drift.tables import FEATURE_DRIFT
from stock_pipeline_tests.drift.test_feature_drift import drift, panel

PNG = b"\x89PNG\r\n\x1a\n"


class Cells(HTMLParser):
    """The texts of the table's cells, row by row, and every source of a chart."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.sources: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "img":
            self.sources.append(dict(attrs)["src"] or "")

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
    assert "http" not in page and "<script" not in page
    grades = [row[4] for row in cells.rows[1:]]
    assert set(grades[:each]) <= {"MEDIUM", "HIGH", "CRITICAL"} and grades[each:] == ["NONE"] * 2 * each
    assert f", {2 * each} NONE." in page
    assert "too few rows to judge: 1" in page


def test_names_and_captions_are_escaped(found: pl.DataFrame) -> None:
    nasty = found.with_columns(feature=pl.lit("<script>alert(1)</script>"))
    page = html_report(nasty, {'"><b>caption': PNG})
    assert "script" not in parsed(page).tags and "b" not in parsed(page).tags
    assert parsed(page).rows[1][0] == "<script>alert(1)</script>"


def test_nothing_compared() -> None:
    assert "Nothing was compared" in html_report(FEATURE_DRIFT.empty(), {})


def test_pictures_of_any_drift(found: pl.DataFrame) -> None:
    assert psi_bars(found).startswith(PNG)
    assert psi_bars(FEATURE_DRIFT.empty()).startswith(PNG)
    assert psi_bars(found) == psi_bars(found.reverse())
    assert psi_bars(found) != psi_bars(found.filter(pl.col("feature") == "calm"))
