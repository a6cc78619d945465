"""Pictures of models: the rank IC of each session, and the models side by side."""

import polars as pl

from stock_pipeline.core.columns import METRIC, MODEL, SESSION, VALUE
from stock_pipeline.core.pictures import BLUE, GREY, ORANGE, new_figure, png
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.scores import RANK_IC

# About a month: long enough to average out most of a session's noise.
WINDOW = 20


def rank_ic_picture(daily: pl.DataFrame, model: str) -> bytes:
    """Bars of daily rank IC with their mean over 20 sessions (PNG).

    Args:
        daily: session and rank_ic, as ``rank_ic_by_session`` returns them.
        model: name for the title.
    """
    rows = daily.drop_nulls(RANK_IC).sort(SESSION)
    sessions, smooth = rows[SESSION].to_list(), rows[RANK_IC].rolling_mean(WINDOW)
    figure, (ax,) = new_figure()
    ax.bar(sessions, rows[RANK_IC].to_list(), width=1.0, color=GREY, alpha=0.5, label="rank IC of a session")
    ax.plot(sessions, smooth.to_list(), color=BLUE, linewidth=1.6, label=f"mean of {WINDOW} sessions")
    ax.axhline(0, color="black", linewidth=0.6)
    mean = rows.select(pl.col(RANK_IC).mean().cast(pl.Float64)).item()
    found = "no rank IC yet" if mean is None else f"mean rank IC {float(mean):.3f} over {rows.height} sessions"
    ax.set_title(f"{model}: {found}", loc="left")
    ax.legend(loc="upper right", frameon=False, ncols=2)
    return png(figure)


def scores_picture(scores: pl.DataFrame) -> bytes:
    """Mean rank IC of each model, best on top, with two standard errors either side (PNG); the stack in its own colour.

    Args:
        scores: model, metric and value, one row for each model and measure; rank_ic and rank_ic_t are drawn.
    """
    ranked = scores.group_by(MODEL).agg(pl.col(VALUE).filter(pl.col(METRIC) == name).first().alias(name) for name in (RANK_IC, "rank_ic_t"))
    # A t-value is a mean over its standard error; without one no error is drawn.
    two_errors = (2 * pl.col(RANK_IC) / pl.col("rank_ic_t")).abs()
    ranked = (
        ranked.drop_nulls(RANK_IC)
        .sort(RANK_IC, MODEL)
        .with_columns(pl.when(two_errors.is_finite()).then(two_errors).otherwise(0.0).alias("error"))
    )
    figure, (ax,) = new_figure(height=1.4 + 0.45 * ranked.height)
    colours = [ORANGE if model == STACK else BLUE for model in ranked[MODEL]]
    ax.barh(ranked[MODEL].to_list(), ranked[RANK_IC].to_list(), xerr=ranked["error"].to_list(), color=colours)
    ax.axvline(0, color="black", linewidth=0.6)
    ax.set_title("Mean rank IC out of fold, with two standard errors", loc="left")
    return png(figure)
