"""The definition of a kind of target: what a model learns, and what its scores then mean."""

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from stock_pipeline.core.columns import FORWARD_RETURN, TARGET
from stock_pipeline.core.cross_section import session_rank
from stock_pipeline.datasets.targets.neutralisation import neutralised

JudgedBy = Literal["rank_ic", "loss"]


@dataclass(frozen=True)
class TargetKind:
    """One kind of target.

    Attributes:
        name: as it is stored with trainings and in manifests.
        outcomes: the columns of a panel that the target is made of.
        make: the target as an expression (Float64, null where the outcome is not known) on a panel with those columns.
        exposures: columns of ranks that target and scores are neutralised against; without them the target stays as it is made.
        prediction: the column of a prediction that a score stands for.
        predict: that column as an expression on session, score, past_volatility and ``calibration`` (null where it is not known).
        calibration: names of the numbers that a training finds for ``predict``, from its scores out of fold.
        ranked_against: the column that scores are ranked against.
        ranks_stocks: whether its scores rank stocks by expected return.
        judged_by: what its versions are compared by: the daily rank IC, where a score ranks stocks and its size matters little; or the
            loss, the squared error, where a score is a number that is used as it is.
        is_stacked: whether its models enter the stack.
        betrays_leaks: whether a high rank IC suggests look-ahead, because the target is hardly predictable.
        charts: names of the charts of its out-of-fold scores that other kinds do not have.
    """

    name: str
    outcomes: tuple[str, ...]
    make: pl.Expr = field(compare=False)
    prediction: str
    predict: pl.Expr = field(compare=False)
    calibration: tuple[str, ...] = ()
    exposures: tuple[str, ...] = ()
    ranked_against: str = FORWARD_RETURN
    ranks_stocks: bool = True
    judged_by: JudgedBy = "rank_ic"
    is_stacked: bool = False
    betrays_leaks: bool = True
    charts: tuple[str, ...] = ()

    def with_target(self, panel: pl.DataFrame) -> pl.DataFrame:
        """The panel (session, ``outcomes`` and ``exposures``) with the column target: Float64, null where the outcome is not known.

        A target that is neutralised against exposures is ranked again within its session, from -0.5 to 0.5.
        """
        made = panel.with_columns(self.make.alias(TARGET))
        if not self.exposures:
            return made
        return neutralised(made, TARGET, self.exposures).with_columns(session_rank(TARGET))
