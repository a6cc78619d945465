"""Charts of the predictions room: the stocks with the highest and the lowest predictions."""

import polars as pl

from stock_pipeline.core.charts import GREEN, RED, new_figure, png
from stock_pipeline.core.columns import MODEL, PREDICTED_EXCESS_RETURN, SCORE, SESSION, SYMBOL


def prediction_bars(predictions: pl.DataFrame, count: int = 10) -> bytes:
    """A PNG of the ``count`` highest and ``count`` lowest predicted returns of one model on one session, as horizontal bars.

    Scores stand in where the model predicts no return at all. ``predictions`` holds rows of ``DAILY_PREDICTIONS`` or ``SIGNALS``.
    """
    has_return = predictions[PREDICTED_EXCESS_RETURN].count() > 0
    shown, factor = (PREDICTED_EXCESS_RETURN, 100.0) if has_return else (SCORE, 1.0)
    ordered = predictions.drop_nulls(shown).sort([shown, SYMBOL], descending=[True, False])
    chosen = ordered if ordered.height <= 2 * count else pl.concat([ordered.head(count), ordered.tail(count)])
    values = [value * factor for value in chosen[shown]]
    figure, (ax,) = new_figure(height=1.2 + 0.22 * max(len(values), 4))
    ax.barh(range(len(values)), values, color=[GREEN if value >= 0 else RED for value in values])
    ax.set_yticks(range(len(values)), chosen[SYMBOL].to_list(), fontsize=8)
    ax.invert_yaxis()
    ax.axvline(0, color="black", linewidth=0.6)
    ax.set_xlabel("predicted return over the predicted horizon, % from the next open on" if has_return else "score")
    ax.set_title(_title(ordered, len(values)), fontsize=10)
    return png(figure)


def _title(ordered: pl.DataFrame, shown: int) -> str:
    if ordered.is_empty():
        return "no predictions"
    return f"{ordered[MODEL][0]} after the close of {ordered[SESSION][0]}: {shown} of {ordered.height} stocks, best and worst"
