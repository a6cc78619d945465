"""Whether a model is too good to be true."""

from collections.abc import Mapping
from typing import Final

from stock_pipeline.models.scores import RANK_IC

# Few stocks or sessions give a high rank IC by luck; so many standard errors they do not.
CERTAIN: Final = 3.0


def is_plausible(metrics: Mapping[str, float | None], suspicious: float) -> bool:
    """False where the mean rank IC lies above ``suspicious`` and by no luck: daily returns are not that predictable, a leak is likely.

    Args:
        metrics: measures over all test sessions, rank_ic and rank_ic_t among them; one that is not known raises no suspicion.
        suspicious: for example 0.1; rank ICs of daily returns that others have published lie between 0.02 and 0.05.
    """
    rank_ic, t_value = metrics.get(RANK_IC), metrics.get("rank_ic_t")
    return rank_ic is None or t_value is None or rank_ic <= suspicious or t_value <= CERTAIN
