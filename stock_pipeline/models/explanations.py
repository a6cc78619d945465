"""Explanations: what each feature adds to a score, by the models' own exact contributions (SHAP values, Lundberg and Lee 2017).

A score is the estimator's output neutralised against the exposures within its session, which is a linear projection. The contributions are
neutralised by the same, feature by feature, so that those to one stock's score add up to it, less a constant of its session.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import CONTRIBUTION, FEATURE, RANK, SESSION, SYMBOL, VALUE
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.scoring import neutralised_scores

IMPORTANCE: Final = "importance"
SHARE: Final = "share"
# Rows of history that are explained at each training: enough for a chart, and for importances within a few percent.
SAMPLE: Final = 500
# Rows of whole sessions that may be explained for it, as neutralised contributions need the other stocks of the session.
MOST_EXPLAINED: Final = 5000
EXPLAINED: Final = {SESSION: pl.Date, SYMBOL: pl.String, FEATURE: pl.String, CONTRIBUTION: pl.Float32, VALUE: pl.Float32}


def explain_sample(estimator: Estimator, ordered: pl.DataFrame, samples: Samples, exposures: Sequence[str], seed: int) -> pl.DataFrame:
    """The contributions to some of the samples, drawn at random; no rows where the model has no exact contributions.

    Where there are exposures, the samples drawn are of so few sessions that these have at most ``MOST_EXPLAINED`` rows, or of a single one.

    Args:
        estimator: the model.
        ordered: the panel that the samples are of: session, symbol and ``exposures``.
        samples: which to draw from.
        exposures: those that the scores are neutralised against; without them contributions stay as they are.
        seed: of the draw.

    Returns:
        session, symbol, feature, contribution and value (the feature as the model sees it), sorted by session, symbol and the
        features' own order.
    """
    rng = np.random.default_rng(seed)
    offered = _of_some_sessions(samples, rng) if exposures else samples
    drawn = rng.choice(len(offered), size=min(SAMPLE, len(offered)), replace=False)
    return explain(estimator, ordered, offered.take(np.sort(drawn)), exposures)


def _of_some_sessions(samples: Samples, rng: np.random.Generator) -> Samples:
    there, rows = np.unique(samples.whole_sessions().sessions, return_counts=True)
    order = rng.permutation(len(there))
    count = max(1, int(np.searchsorted(np.cumsum(rows[order]), MOST_EXPLAINED, side="right")))
    return samples.take(np.isin(samples.sessions, there[order[:count]]))


def explain(estimator: Estimator, ordered: pl.DataFrame, samples: Samples, exposures: Sequence[str]) -> pl.DataFrame:
    """The contributions to every sample; the result is as of ``explain_sample``.

    Args:
        estimator, ordered, exposures: as for ``explain_sample``.
        samples: which to explain; where there are exposures, their sessions are whole in ``ordered``.
    """
    contributions = _contributions(estimator, ordered, samples, exposures)
    if contributions is None:
        return pl.DataFrame(schema=EXPLAINED)
    count = len(samples.names)
    keys = ordered[samples.rows].select(SESSION, SYMBOL)
    repeated = keys.select(pl.all().repeat_by(count)).explode(SESSION, SYMBOL)
    return repeated.with_columns(
        pl.Series(FEATURE, list(samples.names) * len(samples)),
        pl.Series(CONTRIBUTION, contributions.ravel().astype(np.float32)),
        pl.Series(VALUE, samples.matrix().ravel()),
    ).select(list(EXPLAINED))


def _contributions(estimator: Estimator, ordered: pl.DataFrame, samples: Samples, exposures: Sequence[str]) -> NDArray[np.float64] | None:
    """What each feature adds to the score of each sample, shape (samples, features); None where the model does not tell."""
    if not exposures:
        return estimator.explain(samples)
    whole = samples.whole_sessions()
    raw = estimator.explain(whole)
    if raw is None:
        return None
    neutral = neutralised_scores(raw.astype(np.float64), ordered[whole.rows].select(exposures).to_numpy(), whole.sessions.astype(np.int64))
    return neutral[np.searchsorted(whole.rows, samples.rows)]


def importances(explained: pl.DataFrame) -> pl.DataFrame:
    """How much each feature counts: its mean absolute contribution, most important first.

    Returns:
        feature, importance (in units of the score), share (of the sum of all) and rank (1 for the most important).
    """
    mean = explained.group_by(FEATURE, maintain_order=True).agg(pl.col(CONTRIBUTION).abs().cast(pl.Float64).mean().alias(IMPORTANCE))
    total = pl.col(IMPORTANCE).sum()
    return mean.sort(IMPORTANCE, FEATURE, descending=[True, False]).with_columns(
        pl.when(total > 0).then(pl.col(IMPORTANCE) / total).otherwise(0.0).alias(SHARE),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias(RANK),
    )


def strongest(explained: pl.DataFrame, count: int) -> pl.DataFrame:
    """The ``count`` features that moved each score the most, by session and stock, with their rank, 1 for the strongest."""
    strength = pl.col(CONTRIBUTION).abs().rank("ordinal", descending=True).over(SESSION, SYMBOL).cast(pl.Int32)
    ranked = explained.with_columns(strength.alias(RANK)).filter(pl.col(RANK) <= count)
    return ranked.sort(SESSION, SYMBOL, RANK)
