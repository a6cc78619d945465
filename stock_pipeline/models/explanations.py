"""Explanations: what each feature adds to a score, by the models' own exact contributions (SHAP values, Lundberg and Lee 2017)."""

from typing import Final

import numpy as np
import polars as pl

from stock_pipeline.core.columns import CONTRIBUTION, FEATURE, RANK, SESSION, SYMBOL, VALUE
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators.estimator import Estimator

IMPORTANCE: Final = "importance"
SHARE: Final = "share"
# Rows of history that are explained at each training: enough for a chart, and for importances within a few percent.
SAMPLE: Final = 500
EXPLAINED: Final = {SESSION: pl.Date, SYMBOL: pl.String, FEATURE: pl.String, CONTRIBUTION: pl.Float32, VALUE: pl.Float32}


def explain_sample(estimator: Estimator, ordered: pl.DataFrame, samples: Samples, seed: int) -> pl.DataFrame:
    """The contributions to some of the samples, drawn at random; no rows where the model has no exact contributions.

    Args:
        ordered: the panel that the samples are of: session and symbol.

    Returns:
        session, symbol, feature, contribution and value (the feature as the model sees it), sorted by session, symbol and the
        features' own order.
    """
    drawn = np.random.default_rng(seed).choice(len(samples), size=min(SAMPLE, len(samples)), replace=False)
    return explain(estimator, ordered, samples.take(np.sort(drawn)))


def explain(estimator: Estimator, ordered: pl.DataFrame, samples: Samples) -> pl.DataFrame:
    """The contributions to every sample; arguments and result as for ``explain_sample``."""
    contributions = estimator.explain(samples)
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
