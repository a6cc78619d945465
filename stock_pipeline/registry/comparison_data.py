"""Comparisons of two stored versions on the same sessions: out of fold, or in shadow."""

import polars as pl

from stock_pipeline.core.columns import SESSION, TRAINING_ID
from stock_pipeline.core.scores import daily_metrics
from stock_pipeline.datasets.catalogue import TargetKind, target_kind
from stock_pipeline.models.tables import OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.registry.comparison import Comparison, compare, on_common_rows
from stock_pipeline.registry.registration import Compare
from stock_pipeline.registry.tables import LIVE_RESULTS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def out_of_fold(stores: Stores) -> Compare:
    """A comparison of two trainings on the stocks and sessions that both scored out of fold, purged and embargoed.

    The sessions since the champion was trained count, too: it predicted them each night, and the candidate scored them out of fold. Where
    a retraining has kept the older folds, they are the only ones that can tell the two apart.
    """
    live = stores.read(LIVE_RESULTS)

    def both(candidate: str, champion: str) -> Comparison | None:
        own, other = (stores.read(OUT_OF_FOLD_PREDICTIONS, Selection(equals={TRAINING_ID: [name]})) for name in (candidate, champion))
        kind = _kind_of(stores, candidate)
        mine, its = (daily_metrics(rows, kind.ranked_against) for rows in on_common_rows(own, other))
        since = live.filter((pl.col(TRAINING_ID) == champion) & ~pl.col(SESSION).is_in(other[SESSION].implode())).select(its.columns)
        newer = daily_metrics(own.join(since, on=SESSION, how="semi"), kind.ranked_against)
        return compare(pl.concat([mine, newer]), pl.concat([its, since.join(newer, on=SESSION, how="semi")]), kind.judged_by)

    return both


def in_shadow(stores: Stores) -> Compare:
    """A comparison of two trainings on the outcomes of the nights that both predicted."""
    results = stores.read(LIVE_RESULTS)

    def both(candidate: str, champion: str) -> Comparison | None:
        mine, its = (results.filter(pl.col(TRAINING_ID) == name) for name in (candidate, champion))
        return compare(mine, its, _kind_of(stores, candidate).judged_by)

    return both


def _kind_of(stores: Stores, training_id: str) -> TargetKind:
    learned = stores.read(TRAININGS, Selection(columns=("target",), equals={TRAINING_ID: [training_id]})).item()
    return target_kind(learned)
