"""The drift report: one HTML file that needs nothing beside it."""

import base64
from collections.abc import Mapping
from html import escape

import polars as pl

from stock_pipeline.core.charts import alternative_text
from stock_pipeline.core.columns import AS_OF, FEATURE, VALUE
from stock_pipeline.drift.severity import SEVERITIES
from stock_pipeline.drift.tables import P_VALUE, SEVERITY, STATISTIC

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1c2530; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #e1e5ea; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; }
.LOW { background: #eaf5ee; } .MEDIUM { background: #e8f0fa; } .HIGH { background: #fdf0e3; } .CRITICAL { background: #fbe7e7; }
"""

_HEADINGS = ("feature", "statistic", "value", "p-value", "severity", "reference rows", "current rows")


def html_report(drift: pl.DataFrame, figures: Mapping[str, bytes]) -> str:
    """A whole HTML page: what was compared, how many features have which severity, the figures, and every row, worst first.

    Args:
        drift: rows of ``FEATURE_DRIFT`` of one ``as_of``.
        figures: PNG files by their caption; they are put into the page itself.
    """
    as_of = str(drift[AS_OF][0]) if drift.height else "no session"
    charts = "\n".join(_figure(caption, chart) for caption, chart in figures.items())
    title = escape(f"Feature drift as of {as_of}")
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>
<body>
<h1>{title}</h1>
{_summary(drift)}
{charts}
<h2>Every comparison</h2>
{_table(drift)}
</body>
</html>
"""


def _summary(drift: pl.DataFrame) -> str:
    if drift.is_empty():
        return "<p>Nothing was compared.</p>"
    first = drift.row(0, named=True)
    counts = dict(drift.group_by(SEVERITY).len().iter_rows())
    grades = ", ".join(f"{counts[grade]} {grade}" for grade in reversed(SEVERITIES) if grade in counts)
    unjudged = drift.filter(pl.col(VALUE).is_null())[FEATURE].n_unique()
    spans = f"{_span(first, 'current')} against {_span(first, 'reference')}"
    return f"<p>Sessions {escape(spans)}. By severity: {escape(grades)}. Features with too few rows to judge: {unjudged}.</p>"


def _span(row: Mapping[str, object], side: str) -> str:
    return f"{row[f'{side}_from'] or 'none'} to {row[f'{side}_to'] or 'none'}"


def _figure(caption: str, chart: bytes) -> str:
    data = base64.b64encode(chart).decode()
    said = escape(alternative_text(chart) or caption)
    return f'<figure><img src="data:image/png;base64,{data}" alt="{said}"><figcaption>{escape(caption)}</figcaption></figure>'


def _table(drift: pl.DataFrame) -> str:
    grade = pl.col(SEVERITY).replace_strict({name: place for place, name in enumerate(SEVERITIES)}, return_dtype=pl.Int8)
    ordered = drift.sort([grade, pl.col(VALUE), pl.col(FEATURE)], descending=[True, True, False], nulls_last=True)
    head = "".join(f"<th>{heading}</th>" for heading in _HEADINGS)
    body = "\n".join(_row(row) for row in ordered.iter_rows(named=True))
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def _row(row: Mapping[str, object]) -> str:
    texts = [f"<td>{escape(str(row[name]))}</td>" for name in (FEATURE, STATISTIC)]
    numbers = [f'<td class="number">{_number(row[name])}</td>' for name in (VALUE, P_VALUE)]
    counts = [f'<td class="number">{row[name]}</td>' for name in ("reference_rows", "current_rows")]
    grade = escape(str(row[SEVERITY]))
    return f'<tr class="{grade}">{"".join(texts + numbers)}<td>{grade}</td>{"".join(counts)}</tr>'


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "&ndash;"
