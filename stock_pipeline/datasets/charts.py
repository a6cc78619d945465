"""Charts of the datasets: the folds along the calendar."""

import polars as pl

from stock_pipeline.core.charts import BLUE, ORANGE, day_axis, headline, legend_beside, new_figure, png
from stock_pipeline.core.columns import AS_OF, FOLD


def folds_chart(splits: pl.DataFrame) -> bytes:
    """A Gantt chart (PNG) of rows of WALK_FORWARD_SPLITS of one ``as_of``: training and test range of each fold."""
    ordered = splits.sort(FOLD)
    folds = ordered[FOLD].to_list()
    figure, (ax,) = new_figure(width=10.0, height=1.4 + 0.35 * len(folds))
    for label, colour in (("train", BLUE), ("test", ORANGE)):
        firsts, lasts = ordered[f"{label}_from"].to_list(), ordered[f"{label}_to"].to_list()
        # A range of one session is drawn one day wide, or it would vanish.
        widths = [(last - first).days + 1 for first, last in zip(firsts, lasts, strict=True)]
        bars = ax.barh(folds, widths, left=firsts, height=0.6, color=colour, label=label)
        ax.bar_label(bars, [f"{count:,}" for count in ordered[f"{label}_sessions"]], label_type="center", color="white", fontsize=8)
    ax.xaxis_date()
    ax.set_yticks(folds, [f"fold {fold}" for fold in folds])
    ax.invert_yaxis()
    ax.grid(visible=False)
    day_axis(ax)
    gap = f"{ordered['purge'][0]} purged and {ordered['embargo'][0]} embargoed"
    headline(ax, f"Walk-forward folds as of {ordered[AS_OF][0]}: sessions of training and test, between them {gap}")
    legend_beside(ax)
    return png(figure)
