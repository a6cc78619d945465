"""A chart of the labels over time."""

import polars as pl

from stock_pipeline.core.charts import BLUE, GREY, day_axis, headline, legend_beside, new_figure, png
from stock_pipeline.core.columns import FORWARD_RETURN, SESSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.labels.catalogue import return_reach
from stock_pipeline.labels.tables import column_of

_BANDS = ((0.05, 0.95, 0.15), (0.25, 0.75, 0.35))  # lower and upper quantile, opacity
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_MOST_POINTS = 150


def return_bands(labels: pl.DataFrame, horizon: int) -> bytes:
    """The cross-section of forward returns over time (PNG): the median of each session's stocks, their middle half and nine tenths.

    Args:
        labels: session and the forward return over ``horizon``. Of many sessions, the quantiles of neighbouring ones are averaged.

    Raises:
        InputError: no row has a forward return.
    """
    name = column_of(FORWARD_RETURN, horizon)
    quantiles = _quantiles(labels, name)
    if quantiles.is_empty():
        raise InputError(f"no row of the labels has a {name} to draw; wait for {return_reach(horizon)} more sessions or widen the range")
    figure, (ax,) = new_figure()
    days = quantiles[SESSION].to_numpy()
    percent = {level: quantiles[str(level)].to_numpy() * 100 for level in _LEVELS}
    for low, high, opacity in _BANDS:
        band = f"{low:.0%} to {high:.0%} of stocks"
        ax.fill_between(days, percent[low], percent[high], color=BLUE, alpha=opacity, linewidth=0, label=band)
    ax.plot(days, percent[0.5], color=BLUE, linewidth=1, label="median")
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.set_ylabel("forward return, %")
    until = "the open after" if horizon == 1 else f"the open {horizon} sessions later"
    headline(ax, f"Forward returns of each session's stocks in %, next open to {until}")
    day_axis(ax)
    legend_beside(ax)
    median = percent[0.5]
    return png(figure, f"The median lies between {median.min():+.2f}% and {median.max():+.2f}%")


def _quantiles(labels: pl.DataFrame, name: str) -> pl.DataFrame:
    """Session and one column per level, at most ``_MOST_POINTS`` rows."""
    levels = [pl.col(name).quantile(level, "linear").alias(str(level)) for level in _LEVELS]
    by_session = labels.drop_nulls(name).group_by(SESSION).agg(levels).sort(SESSION).with_row_index("position")
    neighbours = pl.col("position") // (by_session.height // _MOST_POINTS + 1)
    return by_session.group_by(neighbours).agg(pl.col(SESSION).first(), pl.exclude(SESSION, "position").mean()).sort(SESSION)
