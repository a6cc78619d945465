"""Charts of the predictions room: the stocks with the highest and the lowest predictions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from stock_pipeline.core.charts import BLUE, INK, ORANGE, headline, new_figure, png
from stock_pipeline.core.columns import MODEL, PREDICTED_EXCESS_RETURN, SCORE, SESSION, SYMBOL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROUNDING: Final = 1e-9  # a predicted return or a score is not known any better
PALE: Final = 0.35  # opacity of a bar within the cost


def prediction_bars(predictions: pl.DataFrame, cost_bps_per_side: float, count: int = 10) -> bytes:
    """A PNG of the ``count`` highest and ``count`` lowest predicted excess returns of one model on one session, as horizontal bars.

    The axis reaches as far as the cost of buying and selling, and bars within that cost are pale: a trade would not bring what it costs.
    Scores, which have no cost, stand in where the model predicts no return at all.

    Args:
        predictions: rows of ``DAILY_PREDICTIONS`` or ``SIGNALS``.
        cost_bps_per_side: of one dollar bought or sold, in basis points.
        count: of stocks at either end.
    """
    has_return = predictions[PREDICTED_EXCESS_RETURN].count() > 0
    shown, factor, unit = (PREDICTED_EXCESS_RETURN, 100.0, "%") if has_return else (SCORE, 1.0, "")
    ordered = predictions.drop_nulls(shown).sort([shown, SYMBOL], descending=[True, False])
    chosen = ordered if ordered.height <= 2 * count else pl.concat([ordered.head(count), ordered.tail(count)])
    figure, (ax,) = new_figure(height=1.6 + 0.22 * max(chosen.height, 4))
    if chosen.is_empty():
        headline(ax, "No predictions")
        return png(figure)
    cost = 2 * cost_bps_per_side / 100 if has_return else 0.0
    values = (factor * chosen[shown]).to_list()
    labels = [f"{value:+.3g}{unit}" if abs(value) > ROUNDING else f"0{unit}" for value in values]
    _bars(ax, values, labels, cost)
    ax.set_yticks(range(chosen.height), chosen[SYMBOL].to_list(), fontsize=8)
    ax.set_xlabel("predicted excess return over the horizon from the next open, %" if has_return else "score")
    titles = [f"{chosen[MODEL][0]} after the close of {chosen[SESSION][0]}: {chosen.height} of {ordered.height} stocks, best and worst"]
    if cost:
        reached = (factor * ordered[shown].abs() >= cost).sum()
        titles.append(f"Predicted excess returns beyond the cost of buying and selling, {cost:g}%: {reached or 'none'} of {ordered.height}")
    headline(ax, "\n".join(titles))
    return png(figure, ", ".join(f"{symbol} {label}" for symbol, label in zip(chosen[SYMBOL], labels, strict=True)))


def _bars(ax: "Axes", values: Sequence[float], labels: Sequence[str], cost: float) -> None:
    bars = ax.barh(range(len(values)), values, color=[BLUE if value >= 0 else ORANGE for value in values])
    for bar, value in zip(bars, values, strict=True):
        bar.set_alpha(PALE if abs(value) < cost else 1.0)
    ax.bar_label(bars, labels, padding=3, fontsize=7)
    ax.grid(visible=False)
    ax.invert_yaxis()
    ax.axvline(0, color="black", linewidth=0.6)
    for side in (-cost, cost) if cost else ():
        ax.axvline(side, color=INK, linewidth=1.0, linestyle="--")
        ax.annotate("cost", (side, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -9), textcoords="offset points", fontsize=7)
    ax.margins(x=0.12)  # room for the labels
