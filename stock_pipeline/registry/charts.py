"""Charts of the registry: when each version of a model was active."""

from datetime import date, timedelta

import polars as pl

from stock_pipeline.core.charts import new_figure, png
from stock_pipeline.core.columns import AS_OF, MODEL, VERSION
from stock_pipeline.registry.tables import DECISION, NUMBER, PROMOTION, REJECTION, ROLLBACK, SHADOWING

MARKS = {REJECTION: ("x", "C3"), SHADOWING: ("o", "C7")}


def active_periods(promotions: pl.DataFrame, until: date) -> bytes:
    """A PNG with a row for each model: a bar for each period of an active version, a mark for each version rejected or moved to shadow.

    ``promotions`` holds rows of DECISIONS, of which at least one made a version active.
    """
    models = promotions[MODEL].unique().sort(descending=True).to_list()
    figure, (ax,) = new_figure()
    for place, model in enumerate(models):
        of_model = promotions.filter(pl.col(MODEL) == model).sort(NUMBER)
        served = of_model.filter(pl.col(DECISION).is_in([PROMOTION, ROLLBACK]))
        starts = served[AS_OF].to_list()
        for version, start, end in zip(served[VERSION], starts, [*starts[1:], until + timedelta(days=1)], strict=True):
            ax.barh(place, end - start, left=start, height=0.6, color=f"C{version % 10}", alpha=0.6)
            if end > start:
                ax.text(start, place, f" {version}", va="center", fontsize=7)
        for decision, (mark, colour) in MARKS.items():
            days = of_model.filter(pl.col(DECISION) == decision)[AS_OF].to_list()
            ax.plot(days, [place] * len(days), mark, color=colour, markersize=6, label=decision if place == 0 else None)
    ax.set_yticks(range(len(models)), models, fontsize=8)
    ax.set_title("Active versions", fontsize=10)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.autofmt_xdate()
    return png(figure)
