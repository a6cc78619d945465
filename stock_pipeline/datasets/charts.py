"""Charts of the datasets: the folds along the calendar."""

import polars as pl

from stock_pipeline.core.charts import BLUE, ORANGE, new_figure, png
from stock_pipeline.core.columns import FOLD


def folds_chart(splits: pl.DataFrame) -> bytes:
    """A Gantt chart (PNG) of rows of WALK_FORWARD_SPLITS of one ``as_of``: training and test range of each fold."""
    ordered = splits.sort(FOLD)
    folds = ordered[FOLD].to_list()
    figure, (ax,) = new_figure(height=1.4 + 0.35 * len(folds))
    for label, colour in (("train", BLUE), ("test", ORANGE)):
        firsts, lasts = ordered[f"{label}_from"].to_list(), ordered[f"{label}_to"].to_list()
        # A range of one session is drawn one day wide, or it would vanish.
        widths = [(last - first).days + 1 for first, last in zip(firsts, lasts, strict=True)]
        ax.barh(folds, widths, left=firsts, height=0.6, color=colour, label=label)
    ax.xaxis_date()
    ax.set_yticks(folds, [f"fold {fold}" for fold in folds])
    ax.invert_yaxis()
    ax.set_title("Walk-forward folds by session", loc="left")
    ax.legend(loc="upper right", frameon=False, ncols=2)
    return png(figure)
