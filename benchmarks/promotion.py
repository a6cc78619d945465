"""``promotion``: how often the promotion rule takes noise, an equal retraining and a better version, on made-up skill that is known.

Daily rank ICs are made up as those of real models are: about 0.02 on average, with a standard deviation of 0.11. The errors follow from
them, as a score correlates with its target as its rank IC says. Every figure is a share of 2,000 draws.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Final, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.figure import Figure
from stock_pipeline.core.columns import BASELINE_MAE, BASELINE_MSE, MAE, MSE, PREDICTIONS, RANK_IC, SCORE_SQUARE, SESSION, TARGET_IC
from stock_pipeline.datasets.catalogue import JudgedBy
from stock_pipeline.registry.comparison import compare
from stock_pipeline.registry.promotion import judge
from stock_pipeline.settings import PromotionSettings

DRAWS, SESSIONS = 2000, 250
SKILL, DEVIATION = 0.02, 0.11  # mean and standard deviation of the active version's daily rank IC
FIRST: Final = date(2012, 1, 2)
Draws = NDArray[np.float64]  # of shape (draws, sessions)


@dataclass(frozen=True)
class Made:
    """A version that is made up.

    Attributes:
        skill: its mean rank IC.
        correlation: of its daily rank ICs with those of the active version.
        bets: whether these are in step for common bets on exposures alone, of which the target is freed.
        size: its scores' size, as a multiple of that at which the active version's are calibrated.
    """

    skill: float
    correlation: float = 0.0
    bets: bool = False
    size: float = 1.0


TINY_NOISE, NOISE, BETTING_NOISE = "noise of tiny size", "noise as large as the scores", "noise with the bets of the active version"
EQUAL, BETTER = "an equal retraining", "a better version"
VERSIONS: Final[Mapping[str, Made]] = {
    TINY_NOISE: Made(0.0, size=0.001),
    NOISE: Made(0.0),
    BETTING_NOISE: Made(0.0, correlation=0.7, bets=True),
    EQUAL: Made(SKILL, correlation=0.9),
    BETTER: Made(2 * SKILL, correlation=0.5),
    f"{BETTER} of another kind": Made(2 * SKILL),
}


def measure(_data: str | None) -> Iterator[Figure]:
    """The share of the draws in which each version takes the place of the active one."""
    for judged_by in get_args(JudgedBy):
        for sessions in (SESSIONS, 2 * SESSIONS):
            for name, share in shares_promoted(judged_by, sessions).items():
                yield Figure(f"{name}, judged by {judged_by}, {sessions} sessions", share, "share")


def shares_promoted(judged_by: JudgedBy, sessions: int = SESSIONS, draws: int = DRAWS, seed: int = 0) -> dict[str, float]:
    """The share of ``draws`` in which each of VERSIONS passes the rule as it is by default.

    Args:
        judged_by: what versions are compared by.
        sessions: on which they are compared.
        draws: how many times.
        seed: of the random numbers.
    """
    rng, rule = np.random.default_rng(seed), PromotionSettings()
    common = rng.standard_normal((draws, sessions))
    active = daily_of(Made(SKILL, correlation=1.0), common, rng)
    found = {}
    for name, made in VERSIONS.items():
        compared = [compare(*pair, judged_by) for pair in zip(daily_of(made, common, rng), active, strict=True)]
        found[name] = sum(one is not None and judge(one, None, rule).passed for one in compared) / draws
    return found


def daily_of(made: Made, common: Draws, rng: np.random.Generator) -> list[pl.DataFrame]:
    """The ``daily_metrics`` of a version in each draw; ``common`` is by how much the active version's skill deviates from its mean."""
    draws, sessions = common.shape
    own = rng.standard_normal(common.shape)
    in_step = made.correlation * common + sqrt(1 - made.correlation**2) * own
    rank_ic, target_ic = ((made.skill + DEVIATION * moves).clip(-1, 1) for moves in (in_step, own if made.bets else in_step))
    score = made.size * SKILL  # the size of scores for targets of size 1
    days = [FIRST + timedelta(days=day) for day in range(sessions)]
    rows = pl.DataFrame({SESSION: days * draws, RANK_IC: rank_ic.reshape(-1), TARGET_IC: target_ic.reshape(-1)}).with_columns(
        pl.lit(500, pl.Int32).alias(PREDICTIONS),
        pl.lit(0.8).alias(MAE),
        pl.lit(0.8).alias(BASELINE_MAE),
        pl.lit(1.0).alias(BASELINE_MSE),
        pl.lit(score**2).alias(SCORE_SQUARE),
        (1 - 2 * score * pl.col(RANK_IC) + score**2).alias(MSE),
    )
    return list(rows.iter_slices(sessions))
