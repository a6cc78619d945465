"""Performance of each session's scores against the returns that followed, and of every version's against its own target."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from stock_pipeline.core.columns import FORWARD_RETURN, MODEL, RANK_IC, SCORE, SESSION, STOCKS, SYMBOL, TRAINING_ID, VERSION
from stock_pipeline.core.cross_section import in_best_share, in_worst_share
from stock_pipeline.core.scores import daily_metrics, rank_ic_by_session
from stock_pipeline.datasets.catalogue import target_kind
from stock_pipeline.performance.tables import DAILY_PERFORMANCE, LONG_SHORT_RETURN, ORIGIN, SIGN_ACCURACY
from stock_pipeline.registry.tables import LIVE_RESULTS

_TRAINING = (MODEL, TRAINING_ID, ORIGIN)
_KEY = (*_TRAINING, SESSION)


def with_outcomes(predictions: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The predictions whose outcome is known, each with its ``forward_return``, in the order of model, session and symbol.

    Args:
        predictions: session, symbol, model, training_id, origin and score; more columns are dropped.
        labels: session, symbol and forward_return (a fraction), null where the outcome is not known yet.
    """
    return _joined(predictions.select(*_KEY, SYMBOL, pl.col(SCORE).cast(pl.Float64).fill_nan(None)), labels)


def _joined(scores: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    found = scores.join(labels.select(SESSION, SYMBOL, pl.col(FORWARD_RETURN).cast(pl.Float64)), on=[SESSION, SYMBOL])
    return found.drop_nulls([SCORE, FORWARD_RETURN]).sort(*_KEY, SYMBOL)


def daily_performance(predictions: pl.DataFrame, outcomes: pl.DataFrame, returns: pl.DataFrame, share: float = 0.1) -> pl.DataFrame:
    """Rank IC, sign accuracy and long-short return of each training on each session.

    Rank IC and sign accuracy judge scores by what they predict. The long-short return is what a book earned from one session to the
    next, whatever the horizon that is predicted. Its sides are chosen among all scored stocks, as it is not known on the night which
    of them will have a return; one without is left out, and a side without any earns nothing.

    Scores of zero say nothing of a stock's direction, so the sign accuracy leaves them out; it is null where no other is left. The
    rank IC is null below three stocks and where all scores or all returns of a session are equal. Ties at the edge of a decile
    count wholly; where all scores tie, the long-short return is 0.

    Args:
        predictions: as for ``with_outcomes``.
        outcomes: the returns over the predicted horizon, as ``with_outcomes`` takes them; a session without any gives no row.
        returns: the returns over one session, likewise.
        share: part of the stocks on each side of the long-short return.

    Returns:
        Rows of ``DAILY_PERFORMANCE`` in the order of its key.
    """
    known = with_outcomes(predictions, outcomes)
    if known.is_empty():
        return DAILY_PERFORMANCE.empty()
    excess = pl.col(FORWARD_RETURN) - pl.col(FORWARD_RETURN).mean().over(_KEY)
    marked = known.with_columns(pl.when(pl.col(SCORE) != 0).then(pl.col(SCORE).sign() == excess.sign()).alias("_same_sign"))
    figures = marked.group_by(_KEY, maintain_order=True).agg(
        pl.len().cast(pl.Int32).alias(STOCKS),
        pl.col("_same_sign").mean().alias(SIGN_ACCURACY),
    )
    for part in (_rank_ics(known), _long_short_returns(predictions, returns, share)):
        figures = figures.join(part, on=_KEY, how="left")
    return figures.select(DAILY_PERFORMANCE.column_names).sort(_KEY)


def _long_short_returns(predictions: pl.DataFrame, returns: pl.DataFrame, share: float) -> pl.DataFrame:
    """The long-short return by model, training, origin and session; none of a session without a return."""
    best, worst = in_best_share(SCORE, share, _KEY).alias("_best"), in_worst_share(SCORE, share, _KEY).alias("_worst")
    sides = predictions.select(*_KEY, SYMBOL, pl.col(SCORE).cast(pl.Float64).fill_nan(None)).with_columns(best, worst)
    known = _joined(sides, returns)
    earned = pl.col(FORWARD_RETURN)
    # Where all scores tie nothing is held, long or short.
    long, short = (earned.filter(side).mean().fill_null(0.0) for side in ("_best", "_worst"))
    return known.group_by(_KEY, maintain_order=True).agg((long - short).alias(LONG_SHORT_RETURN))


def _rank_ics(known: pl.DataFrame) -> pl.DataFrame:
    """Rank IC by model, training, origin and session; the loop is over trainings, of which there are few."""
    # A correlation may exceed 1 by a rounding error, which the table would refuse.
    bounded = pl.col(RANK_IC).fill_nan(None).clip(-1, 1)
    parts = [
        rank_ic_by_session(part).select(
            *(pl.lit(value).alias(name) for name, value in zip(_TRAINING, names, strict=True)), SESSION, bounded
        )
        for names, part in known.partition_by(_TRAINING, as_dict=True).items()
    ]
    return pl.concat(parts)


KIND: Final = "kind"
_VERSION: Final = (MODEL, VERSION, TRAINING_ID)


def session_results(predictions: pl.DataFrame, targets: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The metrics of each version on each session of which an outcome is known.

    Args:
        predictions: session, symbol, model, version, training_id, score and kind.
        targets: for each kind that is among the predictions, by its name, what ``datasets.reading.read_targets`` returns.

    Returns:
        Rows of ``LIVE_RESULTS`` in the order of its key.
    """
    made = [LIVE_RESULTS.empty()]
    for (kind, *version), part in predictions.partition_by(KIND, *_VERSION, as_dict=True).items():
        # The order of the rows fixes that in which errors are added, so that the same rows always give the same bits.
        rows = part.join(targets[kind], on=[SESSION, SYMBOL], how="inner").sort(SESSION, SYMBOL)
        metrics = daily_metrics(rows, target_kind(kind).ranked_against).with_columns(
            *(pl.lit(value, LIVE_RESULTS.dtypes[name]).alias(name) for name, value in zip(_VERSION, version, strict=True)),
            # A correlation may exceed 1 by a rounding error, which the table would refuse.
            pl.col(RANK_IC).clip(-1, 1),
        )
        made.append(metrics.select(LIVE_RESULTS.column_names))
    return pl.concat(made).sort(LIVE_RESULTS.key)
