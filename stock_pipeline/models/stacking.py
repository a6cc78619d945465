"""The stack, a meta-learner: the weighted mean of the base models' scores, ranked within their session.

The weights come from out-of-fold scores and are pulled towards equal ones, the less the more rows there are. Free weights overfit:
base models resemble each other, their advantages are small beside the noise, and on real panels non-negative least squares gave
everything to one model and gained nothing out of sample. Equal weights are hard to beat (Bates and Granger 1969; Smith and Wallis
2009), unless a model has been of no use for years: so many rows then show that it should lose its weight.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import polars as pl

from stock_pipeline.core.columns import FOLD, FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL, TARGET
from stock_pipeline.core.cross_section import session_rank
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.splits import Split
from stock_pipeline.models.catalogue import STACK

FILE: Final = "stack.json"
# The slope of a target on the rank of a score is their rank IC; so much of it, and as surely as so many rows tell, is usual.
USUAL_SLOPE: Final = 0.02
USUAL_ROWS: Final = 20_000
# Rows that speak for equal weights: what a slope of 0.02, shared by eight models whose skills differ by about as much as they amount to,
# weighs against a target whose rows tell as much as a third of independent ones would. Half of the evidence after some 500 sessions.
EQUAL_ROWS: Final = 240_000
LEAST_SLOPE: Final = 0.001


@dataclass(frozen=True)
class StackedModel:
    """The stack as an artefact: no estimator of its own, only weights and the trainings that they belong to.

    Attributes:
        weights: weight of each base model, summing to 1.
        members: training_id of each base model.
        scale: what the weighted mean of ranks is multiplied by, see ``stack_scale``.
    """

    weights: Mapping[str, float]
    members: Mapping[str, str]
    scale: float = 1.0

    def parameters(self) -> dict[str, Any]:
        """Weights, members and scale, ready for JSON."""
        return {"weights": dict(self.weights), "members": dict(self.members), "scale": self.scale}

    def save(self, folder: Path) -> None:
        """Write ``stack.json`` into ``folder``, which exists."""
        (folder / FILE).write_text(json.dumps(self.parameters(), sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The stack that ``save`` wrote into ``folder``."""
        return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))


def widen(out_of_fold: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Out-of-fold predictions of several models, a frame for each, as one row a stock.

    Models may have been trained on different nights or with other folds; a row is what each predicted for the stock on that session, and
    target and forward_return are those of the first model that has them, null where none has.

    Args:
        out_of_fold: session, symbol, model, score, target and forward_return of a model; one frame at a time is held in memory.

    Returns:
        session, symbol, target, forward_return and one column of scores for each model (null where a model has none), sorted by
        session and symbol.
    """
    key, outcomes = [SESSION, SYMBOL], [TARGET, FORWARD_RETURN]
    wide = pl.DataFrame(schema={SESSION: pl.Date, SYMBOL: pl.String, TARGET: pl.Float64, FORWARD_RETURN: pl.Float64})
    for rows in out_of_fold:
        if rows.height:
            named = rows.select(*key, *outcomes, pl.col(SCORE).alias(rows[MODEL][0]))
            wide = wide.join(named, on=key, how="full", coalesce=True)
            others = [f"{name}_right" for name in outcomes]
            wide = wide.with_columns(pl.coalesce(pair) for pair in zip(outcomes, others, strict=True)).drop(others)
    return wide.sort(key)


def stack_weights(wide: pl.DataFrame, models: Sequence[str], equal_rows: float = EQUAL_ROWS) -> dict[str, float]:
    """Each model's weight: non-negative least squares of the target on the ranked scores, shrunk to equal weights; they sum to 1.

    The shrinkage is a ridge: the squared distance of the coefficients from equal ones that sum to a usual slope, times so many rows.
    Scores are ranked as ``combine`` ranks them, among all that the model scored: whose target becomes known no one knows on the night.

    Args:
        wide: session, target and one column of out-of-fold scores for each of ``models``; rows that lack one teach nothing.
        equal_rows: how many rows speak for equal weights; 0 keeps the fitted weights.

    Raises:
        InputError: ``equal_rows`` is negative, or there is no model.
    """
    from scipy.optimize import nnls

    if not models or not equal_rows >= 0:
        raise InputError(
            f"the stack has models {list(models)} and {equal_rows} rows for equal weights; give at least one model and 0 rows or more"
        )
    equal = np.full(len(models), 1 / len(models))
    ranked = wide.select(*(session_rank(model) for model in models), TARGET).drop_nulls()
    scores, prior = ranked.select(models).to_numpy(), np.sqrt(equal_rows / 12)  # the variance of ranks is 1/12
    pulled = np.vstack([scores, prior * np.eye(len(models))])
    fitted = nnls(pulled, np.concatenate([ranked[TARGET].to_numpy(), prior * USUAL_SLOPE * equal]))[0]
    # Where no model helps, none has earned more weight than another.
    weights = fitted / fitted.sum() if fitted.sum() > 0 else equal
    return dict(zip(models, weights.tolist(), strict=True))


def stack_scale(wide: pl.DataFrame, weights: Mapping[str, float]) -> float:
    """The factor from the weighted mean of ranks to an expected target: the slope of the target on it, shrunk to a usual one.

    Without it the stack's errors could be compared with no one else's. It is positive, so it changes no ranking.

    Arguments as for ``combine`` and ``stack_weights``.
    """
    rows = combine(wide, weights, 1.0).drop_nulls([SCORE, TARGET])
    product, square = rows.select((pl.col(SCORE) * pl.col(TARGET)).sum().alias("product"), (pl.col(SCORE) ** 2).sum()).row(0)
    prior = USUAL_ROWS / 12  # the variance of ranks
    return max(float((product + USUAL_SLOPE * prior) / (square + prior)), LEAST_SLOPE)


def combine(scores: pl.DataFrame, weights: Mapping[str, float], scale: float) -> pl.DataFrame:
    """The stack's score: the weighted mean of the models' scores, each ranked within its session, times ``scale``.

    A stock that some models do not score gets the weighted mean of the others; one that none scores gets null.

    Args:
        scores: session and one column of scores for each model in ``weights``; other columns are kept.
        scale: see ``stack_scale``.

    Returns:
        ``scores`` without the models' columns and with score (Float64).
    """
    ranks = {model: session_rank(model) for model in weights}
    total = pl.sum_horizontal((rank * weights[model]).fill_null(0.0) for model, rank in ranks.items())
    present = pl.sum_horizontal(rank.is_not_null() * pl.lit(weights[model]) for model, rank in ranks.items())
    mean = pl.when(present > 0).then(scale * total / present).alias(SCORE)
    return scores.with_columns(mean).drop(*weights)


def stack_out_of_fold(wide: pl.DataFrame, models: Sequence[str], splits: Sequence[Split], equal_rows: float = EQUAL_ROWS) -> pl.DataFrame:
    """The stack's own out-of-fold predictions: each fold is combined with weights from earlier folds' scores only.

    Weights for a fold rest on sessions up to the last that the fold's models trained on, so purge and embargo hold for the stack
    too. Folds without such scores, the first at least, get equal weights.

    Args:
        wide, models, equal_rows: as for ``stack_weights``.
        splits: those that the base models were trained on.

    Returns:
        model, fold, session, symbol, score, target and forward_return, both null where they are not known, sorted by session and
        symbol, without the stocks that no model scored.
    """
    parts = []
    for split in splits:
        known = wide.filter(pl.col(SESSION) <= split.train_to)
        weights = stack_weights(known, models, equal_rows)
        tested = wide.filter(pl.col(SESSION).is_between(split.test_from, split.test_to))
        parts.append(combine(tested, weights, stack_scale(known, weights)).with_columns(pl.lit(split.fold, pl.Int32).alias(FOLD)))
    columns = (pl.lit(STACK).alias(MODEL), FOLD, SESSION, SYMBOL, SCORE, TARGET, FORWARD_RETURN)
    return pl.concat(parts).drop_nulls(SCORE).select(columns).sort(SESSION, SYMBOL)
