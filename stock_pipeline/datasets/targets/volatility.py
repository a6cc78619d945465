"""The target of the volatility: that of the sessions ahead against that of the past ones."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import FORWARD_VOLATILITY, PAST_VOLATILITY, PREDICTED_VOLATILITY, SCORE, TARGET
from stock_pipeline.datasets.targets.target_kind import TargetKind


def log_of_ahead_over_past() -> pl.Expr:
    """The log of the forward volatility over the past volatility: 0 where the stock goes on as it was."""
    ahead, past = pl.col(FORWARD_VOLATILITY), pl.col(PAST_VOLATILITY)
    return pl.when((ahead > 0) & (past > 0)).then((ahead / past).log())


def volatility_ahead() -> pl.Expr:
    """The past volatility times what the score makes of it, per session."""
    return pl.col(SCORE).exp() * pl.col(PAST_VOLATILITY)


VOLATILITY_KIND: Final = TargetKind(
    name="volatility",
    outcomes=(FORWARD_VOLATILITY, PAST_VOLATILITY),
    make=log_of_ahead_over_past,
    prediction=PREDICTED_VOLATILITY,
    predict=volatility_ahead,
    ranked_against=TARGET,
    ranks_stocks=False,
    betrays_leaks=False,
)
