"""Charts of the registry: when each version of a model was active."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from stock_pipeline.core.charts import BLUE, INK, ORANGE, SKY, day_axis, headline, legend_beside, new_figure, png
from stock_pipeline.core.columns import AS_OF, MODEL, VERSION
from stock_pipeline.registry.tables import DECISION, NUMBER, PROMOTION, REJECTION, ROLLBACK, SHADOWING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS: Final = {REJECTION: ("X", ORANGE), SHADOWING: ("o", INK)}
_NIGHT: Final = timedelta(days=1)  # a version serves at least the night of its promotion
_LEAST_SPAN: Final = timedelta(days=7)  # of the axis, or a single night would look like a long time
_NARROW: Final = 0.02  # of the axis; a number does not fit into a narrower bar


def active_periods(promotions: pl.DataFrame, until: date) -> bytes:
    """A PNG with a row for each model: a bar for each period of an active version, a mark for each version rejected or moved to shadow.

    The version that serves now is darker than those before it.

    Args:
        promotions: rows of DECISIONS; a model of which no version was ever active has marks alone.
        until: the last night.
    """
    models = promotions[MODEL].unique().sort(descending=True).to_list()
    figure, (ax,) = new_figure(height=1.4 + 0.28 * max(len(models), 4))
    end = until + _NIGHT
    ax.set_xlim(min(*promotions[AS_OF], end - _LEAST_SPAN), end)  # type: ignore[arg-type]  # matplotlib takes dates too
    now = [f"{model} {_draw_periods(ax, place, _of(promotions, model), end)}" for place, model in enumerate(models)]
    for decision, (mark, colour) in MARKS.items():
        made = promotions.filter(pl.col(DECISION) == decision)
        if made.height:
            places = [models.index(model) for model in made[MODEL]]
            label = decision.replace("_", " ")
            ax.plot(made[AS_OF].to_list(), places, mark, color=colour, markersize=8, markeredgecolor="white", clip_on=False, label=label)
    ax.set_yticks(range(len(models)), models, fontsize=8)
    ax.grid(visible=False)
    day_axis(ax)
    ax.set_xlabel("night")
    headline(ax, f"Times in service until the night of {until}: the number of each active version, the present one dark")
    if ax.get_legend_handles_labels()[0]:
        legend_beside(ax)
    return png(figure, f"In service now: {', '.join(reversed(now))}")


def _of(promotions: pl.DataFrame, model: str) -> pl.DataFrame:
    return promotions.filter(pl.col(MODEL) == model).sort(NUMBER)


def _draw_periods(ax: "Axes", place: int, of_model: pl.DataFrame, end: date) -> str:
    """The bars of one model up to ``end``; returns the version that serves now."""
    served = of_model.filter(pl.col(DECISION).is_in([PROMOTION, ROLLBACK]))
    periods = served.select(VERSION, AS_OF, pl.col(AS_OF).shift(-1).fill_null(end).alias("end"))
    left, right = ax.get_xlim()
    for version, start, stop in periods.iter_rows():
        now = stop == end
        ax.barh(place, stop - start, left=start, height=0.6, color=BLUE if now else SKY, edgecolor="white", linewidth=0.8)
        if (stop - start).days > _NARROW * (right - left):
            ax.text(start, place, f" {version}", va="center", fontsize=7, color="white" if now else INK)
    return f"version {served[VERSION][-1]}" if served.height else "none"
