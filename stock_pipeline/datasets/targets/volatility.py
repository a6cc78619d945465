"""The target of the volatility: that of the sessions ahead against that of the past ones."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import (
    FORWARD_VOLATILITY,
    PAST_VOLATILITY,
    PREDICTED_VOLATILITY,
    SCORE,
    TARGET,
    VOLATILITY_EXPONENT,
    VOLATILITY_FACTOR,
)
from stock_pipeline.datasets.targets.target_kind import TargetKind

_AHEAD, _PAST = pl.col(FORWARD_VOLATILITY), pl.col(PAST_VOLATILITY)

VOLATILITY_KIND: Final = TargetKind(
    name="volatility",
    outcomes=(FORWARD_VOLATILITY, PAST_VOLATILITY),
    make=pl.when((_AHEAD > 0) & (_PAST > 0)).then((_AHEAD / _PAST).log()),  # 0 where the stock goes on as it was
    prediction=PREDICTED_VOLATILITY,
    # Per session. The score alone says a median; the calibration makes it a mean.
    predict=pl.col(VOLATILITY_FACTOR).fill_null(1.0) * (pl.col(SCORE).exp() * _PAST).pow(pl.col(VOLATILITY_EXPONENT).fill_null(1.0)),
    calibration=(VOLATILITY_FACTOR, VOLATILITY_EXPONENT),
    ranked_against=TARGET,
    ranks_stocks=False,
    judged_by="loss",
    betrays_leaks=False,
)
