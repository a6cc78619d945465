"""Charts of the drift room: which features have moved most, beside the thresholds of their grades."""

from typing import TYPE_CHECKING

import polars as pl

from stock_pipeline.core.charts import AMBER, BLUE, GREEN, GREY, INK, ORANGE, headline, new_figure, png
from stock_pipeline.core.columns import AS_OF, FEATURE, VALUE
from stock_pipeline.drift.severity import CRITICAL, HIGH, LOW, MEDIUM, NONE, SEVERITIES
from stock_pipeline.drift.statistics.psi import PSI
from stock_pipeline.drift.tables import SEVERITY, STATISTIC

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {NONE: GREY, LOW: GREEN, MEDIUM: BLUE, HIGH: AMBER, CRITICAL: ORANGE}
MOST_DRAWN = 80  # features
LONGEST = 3 * PSI.thresholds.critical  # a longer bar would press all thresholds into a corner


def psi_bars(drift: pl.DataFrame, count: int = MOST_DRAWN) -> bytes:
    """A PNG of the population stability indices by feature, the largest on top, with the thresholds from which a grade follows.

    Args:
        drift: rows of ``FEATURE_DRIFT`` of one ``as_of``.
        count: of features drawn; of more, those with the largest indices.
    """
    judged = drift.filter(pl.col(STATISTIC) == PSI.name, pl.col(VALUE).is_not_null())
    chosen = judged.sort([VALUE, FEATURE], descending=[True, False]).head(count)
    figure, (ax,) = new_figure(height=1.6 + 0.19 * max(chosen.height, 6))
    ax.grid(visible=False)
    if chosen.is_empty():
        headline(ax, "No feature judged: too few rows to compare")
        return png(figure)
    bars = ax.barh(
        range(chosen.height), chosen[VALUE].clip(upper_bound=LONGEST).to_list(), color=[COLOURS[grade] for grade in chosen[SEVERITY]]
    )
    labels = [f"{value:.3f}" if value <= LONGEST else f"{value:.3f}, cut off" for value in chosen[VALUE]]
    for text in ax.bar_label(bars, labels, padding=3, fontsize=6):
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.3})  # or a threshold would cross it out
    ax.set_yticks(range(chosen.height), chosen[FEATURE].to_list(), fontsize=7)
    ax.set_ylim(chosen.height - 0.4, -0.6)
    ax.set_xlabel("population stability index (PSI), nats")
    _thresholds(ax, min(chosen[VALUE][0], LONGEST))
    drifted, low = judged.filter(pl.col(SEVERITY) != NONE).height, PSI.thresholds.low
    fewer = "" if chosen.height == judged.height else f"; the {chosen.height} largest are drawn"
    of_all = f"{drifted or 'none'} of {judged.height} features with a PSI of {low:g} or more"
    headline(figure, f"Feature drift as of {chosen[AS_OF][0]}: {of_all}{fewer}")
    largest = ", ".join(f"{feature} {value:.3f}" for feature, value in chosen.select(FEATURE, VALUE).head(5).iter_rows())
    return png(figure, f"The largest: {largest}")


def _thresholds(ax: "Axes", largest: float) -> None:
    """A line at each threshold up to the first that nothing has reached, with the grade that begins there."""
    every = list(zip(SEVERITIES[1:], PSI.thresholds.values, strict=True))
    reached = sum(largest >= value for _, value in every)
    shown = every[: reached + 1]
    for grade, value in shown:
        ax.axvline(value, color=INK, linewidth=1.0, linestyle="--", zorder=1.5)
        ax.text(value, 1.005, f"{grade} from {value:g}", transform=ax.get_xaxis_transform(), fontsize=7, rotation=30)
    ax.set_xlim(0, 1.1 * max(largest, shown[-1][1]))
