"""Charts of the portfolio room: a profile's suggestions as a table of bars."""

import polars as pl

from stock_pipeline.core.charts import BLUE, new_figure, png
from stock_pipeline.core.columns import NAME, PROFILE, RANK, SECTOR, SYMBOL
from stock_pipeline.portfolio.risk import VOLATILITY
from stock_pipeline.portfolio.suggest import TOTAL_SCORE, WEIGHT


def suggestion_bars(suggestions: pl.DataFrame, profile: str, count: int = 15) -> bytes:
    """A PNG of the first ``count`` suggestions of ``profile``: a bar for each weight, beside it name, sector and figures.

    ``suggestions`` holds the rows of one session, of any number of profiles.
    """
    chosen = suggestions.filter(pl.col(PROFILE) == profile).sort(RANK).head(count)
    weights = [100 * weight for weight in chosen[WEIGHT]]
    figure, (ax,) = new_figure(height=1.2 + 0.26 * max(len(weights), 4))
    ax.barh(range(len(weights)), weights, color=BLUE)
    for place, (row, weight) in enumerate(zip(chosen.iter_rows(named=True), weights, strict=True)):
        ax.text(weight, place, f"  {_words(row)}", va="center", fontsize=7)
    ax.set_yticks(range(len(weights)), chosen[SYMBOL].to_list(), fontsize=8)
    ax.invert_yaxis()
    ax.grid(visible=False)
    # The words stand right of the bars and need twice their room.
    ax.set_xlim(0, 3 * max(weights, default=1.0))
    ax.set_xlabel("weight, %")
    ax.set_title(f"Suggested stocks, {profile}" if weights else f"No stock suits the profile {profile}", fontsize=10)
    return png(figure)


def _words(row: dict[str, object]) -> str:
    # A dollar sign would start a formula.
    name = str(row[NAME] or row[SYMBOL]).replace("$", r"\$")
    return f"{name[:32]}, {row[SECTOR] or 'sector unknown'}; volatility {row[VOLATILITY]:.0%}, score {row[TOTAL_SCORE]:.2f}"
