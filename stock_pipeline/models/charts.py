"""Charts of models: the rank IC of each session, the models side by side, and the contributions of their features."""

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import polars as pl

from stock_pipeline.core.charts import BLUE, GREY, ORANGE, drawn_once, new_figure, png
from stock_pipeline.core.columns import CONTRIBUTION, FEATURE, METRIC, MODEL, RANK_IC, SCORE, SESSION, SYMBOL, TARGET, VALUE
from stock_pipeline.models.catalogue import STACK

if TYPE_CHECKING:
    from shap import Explanation

# About a month: long enough to average out most of a session's noise.
WINDOW: Final = 20
MOST_SHOWN: Final = 15  # features


def rank_ic_chart(daily: pl.DataFrame, model: str) -> bytes:
    """Daily rank IC as vertical lines, with its mean over 20 sessions (PNG).

    ``daily`` has session and rank_ic, as ``rank_ic_by_session`` returns them.
    """
    return _rank_ic_chart(daily.select(SESSION, RANK_IC).drop_nulls(RANK_IC).sort(SESSION), model)


@drawn_once
def _rank_ic_chart(rows: pl.DataFrame, model: str) -> bytes:
    sessions, smooth = rows[SESSION].to_list(), rows[RANK_IC].rolling_mean(WINDOW)
    figure, (ax,) = new_figure()
    # One collection: a bar for each of thousands of sessions would be an object of its own.
    width = min(max(600 / max(rows.height, 1), 1.0), 8.0)
    ax.vlines(sessions, 0, rows[RANK_IC].to_list(), color=GREY, alpha=0.5, linewidth=width, label="rank IC of a session")
    if rows.height >= WINDOW:
        ax.plot(sessions, smooth.to_list(), color=BLUE, linewidth=1.6, label=f"mean of {WINDOW} sessions")
    ax.axhline(0, color="black", linewidth=0.6)
    mean = rows.select(pl.col(RANK_IC).mean().cast(pl.Float64)).item()
    found = "no rank IC yet" if mean is None else f"mean rank IC {float(mean):.3f}, sessions: {rows.height:,}"
    ax.set_title(f"{model}: {found}", loc="left")
    ax.legend(loc="upper right", frameon=False, ncols=2)
    return png(figure)


def scores_chart(scores: pl.DataFrame) -> bytes:
    """Mean rank IC of each model, best on top, with two standard errors either side (PNG); the stack in its own colour.

    ``scores`` has model, metric and value, one row for each model and metric; rank_ic and rank_ic_t are drawn.
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


def weights_chart(weights: pl.DataFrame) -> bytes:
    """The weight of each model in the stack, beside equal weights (PNG); ``weights`` has model and weight."""
    ranked = weights.sort("weight", MODEL)
    figure, (ax,) = new_figure(height=1.4 + 0.45 * ranked.height)
    ax.barh(ranked[MODEL].to_list(), ranked["weight"].to_list(), color=BLUE)
    ax.axvline(1 / ranked.height, color=ORANGE, linewidth=1.2, label="equal weights")
    ax.set_title("Weight of each model in the stack", loc="left")
    ax.legend(loc="lower right", frameon=False)
    return png(figure)


def calibration_chart(out_of_fold: pl.DataFrame, bins: int = 10) -> bytes:
    """The calibration chart (PNG): how often the return was positive by predicted probability, in bins of equally many rows.

    ``out_of_fold`` has score (the probability less 1/2) and target (0.5 where the return was positive, otherwise -0.5).
    """
    pairs = out_of_fold.select((pl.col(SCORE) + 0.5).alias("predicted"), (pl.col(TARGET) + 0.5).alias("observed"))
    place = (pl.col("predicted").rank("ordinal") - 1) * bins // pl.len()
    rows = pairs.group_by(place.alias("bin")).agg(pl.all().mean(), pl.len().alias("rows")).sort("bin")
    error = 2 * (rows["observed"] * (1 - rows["observed"]) / rows["rows"]).sqrt()
    figure, (ax,) = new_figure()
    ax.errorbar(
        rows["predicted"].to_list(),
        rows["observed"].to_list(),
        yerr=error.to_list(),
        fmt="o-",
        color=BLUE,
        label="out of fold, two standard errors",
    )
    ax.axline((0.5, 0.5), slope=1.0, color=GREY, linewidth=1.0, label="perfectly calibrated")
    ax.set_xlabel("predicted probability")
    ax.set_ylabel("share of rises")
    ax.set_title("Calibration of the probability of a rise", loc="left")
    ax.legend(loc="upper left", frameon=False)
    return png(figure)


# The charts that a kind of target may ask for by name, drawn from out-of-fold scores.
CHARTS_OF_KINDS: Final[Mapping[str, Callable[[pl.DataFrame], bytes]]] = {"calibration": calibration_chart}


def explanation_charts(explained: pl.DataFrame, model: str) -> dict[str, bytes]:
    """A beeswarm of the contributions and bars of their mean sizes, by shap (PNG), of the most important features.

    ``explained`` has session, symbol, feature, contribution and value, every feature of each stock and session.
    """
    chosen = explained.select(SESSION, SYMBOL, FEATURE, CONTRIBUTION, VALUE)
    return _explanation_charts(chosen.sort(SESSION, SYMBOL, FEATURE), model)


@drawn_once
def _explanation_charts(explained: pl.DataFrame, model: str) -> dict[str, bytes]:
    from shap import plots

    explanation = _explanation(explained)
    return {
        "shap_beeswarm": _drawn_by(lambda: plots.beeswarm(explanation, max_display=MOST_SHOWN, show=False, plot_size=(9, 6)), model),
        "shap_importance": _drawn_by(lambda: plots.bar(explanation, max_display=MOST_SHOWN, show=False), model),
    }


def _explanation(explained: pl.DataFrame) -> "Explanation":
    import numpy as np
    from shap import Explanation

    key = [SESSION, SYMBOL]
    contributions, values = (explained.pivot(on=FEATURE, index=key, values=name).drop(key) for name in (CONTRIBUTION, VALUE))
    return Explanation(
        values=contributions.to_numpy().astype(np.float64),
        data=values.select(contributions.columns).to_numpy(),
        base_values=np.zeros(contributions.height),
        feature_names=contributions.columns,
    )


def _drawn_by(draw: Callable[[], object], model: str) -> bytes:
    """The PNG of what shap draws on pyplot's current figure, which is closed afterwards."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(9, 6))
    try:
        draw()
        figure = plt.gcf()
        figure.axes[0].set_title(f"{model}: what features add to its scores", loc="left", fontsize=11)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
        return buffer.getvalue()
    finally:
        plt.close(figure)
