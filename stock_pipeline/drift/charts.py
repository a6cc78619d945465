"""Charts of the drift room: which features have moved most."""

import polars as pl

from stock_pipeline.core.charts import BLUE, GREEN, GREY, ORANGE, RED, new_figure, png
from stock_pipeline.core.columns import FEATURE, VALUE
from stock_pipeline.drift.severity import CRITICAL, HIGH, LOW, MEDIUM, NONE
from stock_pipeline.drift.statistics.psi import PSI
from stock_pipeline.drift.tables import SEVERITY, STATISTIC

COLOURS = {NONE: GREY, LOW: GREEN, MEDIUM: BLUE, HIGH: ORANGE, CRITICAL: RED}


def psi_bars(drift: pl.DataFrame, count: int = 30) -> bytes:
    """A PNG of the ``count`` largest population stability indices by feature, coloured by severity.

    ``drift`` holds rows of ``FEATURE_DRIFT`` of one ``as_of``.
    """
    from matplotlib.patches import Patch

    judged = drift.filter(pl.col(STATISTIC) == PSI.name, pl.col(VALUE).is_not_null())
    chosen = judged.sort([VALUE, FEATURE], descending=[True, False]).head(count)
    figure, (ax,) = new_figure(height=1.4 + 0.2 * max(chosen.height, 6))
    ax.barh(range(chosen.height), chosen[VALUE].to_list(), color=[COLOURS[grade] for grade in chosen[SEVERITY]])
    ax.set_yticks(range(chosen.height), chosen[FEATURE].to_list(), fontsize=7)
    ax.invert_yaxis()
    ax.set_xlabel("population stability index, nats")
    ax.set_title(
        f"Feature drift: {chosen.height} of {judged.height} features judged" if judged.height else "no feature judged",
        fontsize=10,
    )
    ax.legend(handles=[Patch(color=colour, label=grade) for grade, colour in COLOURS.items()], fontsize=8, frameon=False)
    return png(figure)
