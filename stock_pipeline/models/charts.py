"""Charts of models: the rank IC of each session, the models side by side, and the contributions of their features."""

from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from stock_pipeline.core.charts import BLUE, GREY, INK, MUTED, day_axis, drawn_once, headline, legend_beside, new_figure, png
from stock_pipeline.core.columns import CONTRIBUTION, FEATURE, METRIC, MODEL, RANK_IC, SCORE, SESSION, SYMBOL, TARGET, VALUE
from stock_pipeline.datasets.catalogue import DIRECTION_KIND
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.models.explanations import IMPORTANCE, SHARE, importances
from stock_pipeline.models.shrinkage import error_of_sum

if TYPE_CHECKING:
    from shap import Explanation

# About a month: long enough to average out most of a session's noise.
WINDOW: Final = 20
MOST_SHOWN: Final = 15  # features
NEAREST: Final = 1 / 50  # of the span of all bins; marks closer together cover each other
_BIN: Final = "bin"


def rank_ic_chart(daily: pl.DataFrame, model: str) -> bytes:
    """Daily rank IC as vertical lines, with its mean over 20 sessions (PNG).

    ``daily`` has session and rank_ic, as ``rank_ic_by_session`` returns them.
    """
    return _rank_ic_chart(daily.select(SESSION, RANK_IC).drop_nulls(RANK_IC).sort(SESSION), model)


@drawn_once
def _rank_ic_chart(rows: pl.DataFrame, model: str) -> bytes:
    sessions, smooth = rows[SESSION].to_list(), rows[RANK_IC].rolling_mean(WINDOW)
    figure, (ax,) = new_figure()
    # One collection: a bar for each of thousands of sessions would be an object of its own. Neighbours touch only where a session has
    # less than a point of the axes, which are about 420 wide, and of which a twentieth at either end is empty.
    days = (sessions[-1] - sessions[0]).days + 1 if sessions else 1
    width = min(max(0.8 * 0.9 * 420 / days, 0.8), 8.0)
    ax.vlines(sessions, 0, rows[RANK_IC].to_list(), color=GREY, alpha=0.5, linewidth=width, label="rank IC of a session")
    if rows.height >= WINDOW:
        ax.plot(sessions, smooth.to_list(), color=BLUE, linewidth=1.6, label=f"mean of {WINDOW} sessions")
    ax.axhline(0, color="black", linewidth=0.6)
    mean = rows.select(pl.col(RANK_IC).mean().cast(pl.Float64)).item()
    found = "no rank IC yet" if mean is None else f"mean rank IC {float(mean):+.4f} over {rows.height:,} sessions"
    ax.set_ylabel("rank IC (Spearman, -1 to 1)")
    headline(ax, f"{model} out of fold: {found}")
    if rows.height:
        day_axis(ax)
    legend_beside(ax)
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
    values, errors = ranked[RANK_IC].to_list(), ranked["error"].to_list()
    ax.barh(ranked[MODEL].to_list(), values, color=[BLUE if model == STACK else MUTED for model in ranked[MODEL]])
    ax.errorbar(values, range(ranked.height), xerr=errors, fmt="none", ecolor=INK, elinewidth=1.0)
    # The figures stand beyond the errors, in a column of their own.
    beyond = max((value + error for value, error in zip(values, errors, strict=True)), default=0.0)
    for place, value in enumerate(values):
        ax.annotate(f"{value:+.4f}", (max(beyond, 0.0), place), xytext=(8, 0), textcoords="offset points", va="center", fontsize=8)
    ax.grid(visible=False)
    ax.axvline(0, color="black", linewidth=0.6)
    ax.set_xlabel("mean rank IC of a session; lines: two standard errors either side")
    headline(ax, "Mean rank IC out of fold, the best model on top")
    return png(figure, ", ".join(f"{model} {value:+.4f}" for model, value in ranked.reverse().select(MODEL, RANK_IC).iter_rows()))


def weights_chart(weights: pl.DataFrame) -> bytes:
    """The weight of each model in the stack, beside equal weights (PNG); ``weights`` has model and weight."""
    ranked = weights.sort("weight", MODEL)
    figure, (ax,) = new_figure(height=1.4 + 0.45 * ranked.height)
    bars = ax.barh(ranked[MODEL].to_list(), (100 * ranked["weight"]).to_list(), color=BLUE)
    ax.bar_label(bars, [f"{weight:.1%}" for weight in ranked["weight"]], padding=3, fontsize=8)
    ax.axvline(100 / ranked.height, color=INK, linewidth=1.0, linestyle="--", label=f"equal weights, {1 / ranked.height:.1%}")
    ax.grid(visible=False)
    ax.set_xlabel("weight, %")
    headline(ax, "Weight of each model in the stack")
    legend_beside(ax)
    return png(figure, ", ".join(f"{model} {weight:.1%}" for model, weight in ranked.reverse().select(MODEL, "weight").iter_rows()))


def calibration_chart(out_of_fold: pl.DataFrame, horizon: int, bins: int = 10) -> bytes:
    """The calibration chart (PNG): how often the return was positive by predicted probability, in bins of about equally many rows.

    Equal probabilities share a bin, and so do those that the eye could not tell apart. No line joins the bins, as it would make waves of
    their errors. Both axes have one scale.

    Args:
        out_of_fold: session, score (the probability less 1/2) and target (0.5 where the return was positive, otherwise -0.5).
        horizon: sessions of the return.
        bins: how many, at most.
    """
    rows = calibration(out_of_fold, horizon, bins).with_columns((2 * pl.col("error")).clip(upper_bound=1.0).alias("two_errors"))
    predicted, observed, two_errors = (rows[name].to_numpy() for name in ("predicted", "observed", "two_errors"))
    reach = np.minimum(two_errors, observed), np.minimum(two_errors, 1 - observed)  # a share leaves neither 0 nor 1
    figure, (ax,) = new_figure(width=7.0, height=4.6)
    ax.errorbar(predicted, observed, yerr=reach, fmt="o", color=BLUE, label="a bin of rows, with two\nstandard errors by session")
    ax.axline((0.5, 0.5), slope=1.0, color=GREY, linewidth=1.0, linestyle="--", label="perfectly calibrated")
    low, high = min(predicted.min(), (observed - reach[0]).min()), max(predicted.max(), (observed + reach[1]).max())
    margin = 0.05 * (high - low) or 0.05
    ax.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
    ax.set_xlabel("predicted probability of a rise")
    ax.set_ylabel("share that rose")
    headline(ax, f"Calibration of the probability of a rise, out of fold: {rows['rows'].sum():,} rows")
    legend_beside(ax)
    told = (f"predicted {said:.3f}, rose {came:.3f} ± {off:.3f}" for said, came, off in zip(predicted, observed, two_errors, strict=True))
    return png(figure, "; ".join(told))


def calibration(out_of_fold: pl.DataFrame, horizon: int, bins: int) -> pl.DataFrame:
    """The bins of ``calibration_chart`` in the order of the predicted probability: predicted and observed (means), rows and error.

    Of a fixed number of bins, those with less than half their share of the rows join the one before, the first ones the one after; then
    every bin joins those that begin within a fiftieth of all that is predicted. The error is the standard error of ``observed`` by session,
    as the stocks of a session rise together (see ``shrinkage.error_of_sum``); infinite where all rows are of one session.
    """
    pairs = out_of_fold.select(SESSION, (pl.col(SCORE) + 0.5).alias("predicted"), (pl.col(TARGET) + 0.5).alias("observed"))
    # The middle of the places that equal probabilities share.
    place = ((pl.col("predicted").rank("average") - 0.5) * bins / pl.len()).floor()
    placed = pairs.sort(SESSION, "predicted").with_columns(place.alias(_BIN))
    large = (
        placed.group_by(_BIN).len().sort(_BIN).select(_BIN, (2 * bins * pl.col("len") >= pl.col("len").sum()).cum_sum().clip(1).alias("to"))
    )
    placed = _renamed(placed, large)
    placed = _renamed(placed, _apart(placed))
    found = placed.group_by(_BIN).agg(pl.col("predicted", "observed").mean(), pl.len().alias("rows")).sort(_BIN)
    errors = [_error_by_session(placed, one, 2 * (horizon - 1)) for one in found[_BIN]]
    return found.drop(_BIN).with_columns(pl.Series("error", errors, pl.Float64))


def _renamed(placed: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """The rows with other bins: ``names`` has the old and the new one."""
    return placed.join(names, on=_BIN, maintain_order="left").with_columns(pl.col("to").alias(_BIN)).drop("to")


def _apart(placed: pl.DataFrame) -> pl.DataFrame:
    """The bin that each bin joins: the first one whose mean prediction lies less than NEAREST of the span below its own."""
    means = placed.group_by(_BIN).agg(pl.col("predicted").mean()).sort(_BIN)
    least = NEAREST * (means["predicted"][-1] - means["predicted"][0]) if means.height else 0.0
    joined = list[int]()
    for number, mean in enumerate(means["predicted"]):
        start = joined[-1] if joined else number
        joined.append(start if mean - means["predicted"][start] < least else number)
    return means.select(_BIN, pl.Series("to", joined, pl.UInt32))


def _error_by_session(placed: pl.DataFrame, which: object, lags: int) -> float:
    """The standard error of the share that rose in one bin."""
    inside = placed.filter(pl.col(_BIN) == which)
    off = inside.group_by(SESSION).agg((pl.col("observed") - inside["observed"].mean()).sum().alias("off"))
    if off.height < 2:
        return inf
    # A session without a row of the bin adds nothing, and still parts those before from those after.
    of_every = placed.select(SESSION).unique().sort(SESSION).join(off, on=SESSION, how="left", maintain_order="left")
    return error_of_sum(of_every["off"].fill_null(0.0).to_numpy(), lags) / inside.height


# The charts that a kind of target may ask for by name, drawn from the out-of-fold scores that have a target, and the horizon of the return.
CHARTS_OF_KINDS: Final[Mapping[str, Callable[[pl.DataFrame, int], bytes]]] = {"calibration": calibration_chart}


def explanation_charts(explained: pl.DataFrame, model: str) -> dict[str, bytes]:
    """A beeswarm of the contributions, by shap, and bars of their mean sizes (PNG), of the most important features.

    ``explained`` has session, symbol, feature, contribution and value, every feature of each stock and session.
    """
    chosen = explained.select(SESSION, SYMBOL, FEATURE, CONTRIBUTION, VALUE)
    return _explanation_charts(chosen.sort(SESSION, SYMBOL, FEATURE), model)


@drawn_once
def _explanation_charts(explained: pl.DataFrame, model: str) -> dict[str, bytes]:
    ranked = importances(explained)
    shown = ranked.head(MOST_SHOWN)
    of_shown = explained.filter(pl.col(FEATURE).is_in(shown[FEATURE].implode()))
    told = ", ".join(f"{feature} {share:.1%}" for feature, share in shown.select(FEATURE, SHARE).iter_rows())
    adds = _adds(ranked, shown)
    return {
        "shap_beeswarm": _beeswarm(
            _explanation(of_shown), f"{model}: what each feature adds to a score, by the feature's value{adds}", _unit(model), told
        ),
        "shap_importance": _importance_bars(
            shown, f"{model}: how much each feature adds to a score, up or down, and its share of all{adds}", _unit(model), told
        ),
    }


def _unit(model: str) -> str:
    """What the contributions of a model are measured in; a classifier adds them up to log-odds, of which the score is made."""
    of_directions = {entry.name for entry in CATALOGUE if entry.target == DIRECTION_KIND}
    return "in log-odds of a rise" if model in of_directions else "in units of the score"


def _adds(ranked: pl.DataFrame, shown: pl.DataFrame) -> str:
    """The second line of a title; both frames have rows of ``importances``."""
    share = shown[SHARE].sum()
    return (
        f"\nThe first {shown.height} of {ranked.height} features, {share:.0%} of what all of them add"
        if share
        else "\nNo feature adds anything"
    )


def _importance_bars(shown: pl.DataFrame, title: str, unit: str, told: str) -> bytes:
    """Bars of the mean sizes; ``shown`` has rows of ``importances``."""
    figure, (ax,) = new_figure(height=1.6 + 0.28 * max(shown.height, 4))
    bars = ax.barh(shown[FEATURE].to_list(), shown[IMPORTANCE].to_list(), color=BLUE)
    ax.bar_label(bars, [f"{share:.1%}" for share in shown[SHARE]], padding=3, fontsize=8)
    ax.grid(visible=False)
    ax.invert_yaxis()
    ax.set_xlabel(f"mean |SHAP value|, {unit}")
    headline(ax, title)
    return png(figure, told)


def _explanation(explained: pl.DataFrame) -> "Explanation":
    from shap import Explanation

    key = [SESSION, SYMBOL]
    contributions, values = (explained.pivot(on=FEATURE, index=key, values=name).drop(key) for name in (CONTRIBUTION, VALUE))
    return Explanation(
        values=contributions.to_numpy().astype(np.float64),
        data=values.select(contributions.columns).to_numpy(),
        base_values=np.zeros(contributions.height),
        feature_names=contributions.columns,
    )


def _beeswarm(explanation: "Explanation", title: str, unit: str, told: str) -> bytes:
    """The PNG of what shap draws on pyplot's current figure, which is closed afterwards."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator
    from shap import plots

    figure = plt.figure(figsize=(9, 6), layout="constrained")
    try:
        plots.beeswarm(explanation, max_display=MOST_SHOWN, show=False, plot_size=None)
        ax = figure.axes[0]
        headline(ax, title)
        ax.set_xlabel(f"SHAP value, {unit}", fontsize=10)
        ax.tick_params(labelsize=9)
        ax.xaxis.set_major_locator(MaxNLocator(6))
        return png(figure, told)
    finally:
        plt.close(figure)
