"""Comparisons of two stored versions on the same sessions: out of fold, or in shadow."""

import polars as pl

from stock_pipeline.core.columns import TRAINING_ID
from stock_pipeline.core.scores import daily_metrics
from stock_pipeline.datasets.catalogue import target_kind
from stock_pipeline.models.tables import OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.registry.comparison import Comparison, compare, on_common_rows
from stock_pipeline.registry.registration import Compare
from stock_pipeline.registry.tables import LIVE_RESULTS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def out_of_fold(stores: Stores) -> Compare:
    """A comparison of two trainings on the stocks and sessions that both scored out of fold, purged and embargoed."""

    def both(candidate: str, champion: str) -> Comparison | None:
        own, other = (stores.read(OUT_OF_FOLD_PREDICTIONS, Selection(equals={TRAINING_ID: [name]})) for name in (candidate, champion))
        learned = stores.read(TRAININGS, Selection(columns=("target",), equals={TRAINING_ID: [candidate]})).item()
        return compare(*(daily_metrics(rows, target_kind(learned).ranked_against) for rows in on_common_rows(own, other)))

    return both


def in_shadow(stores: Stores) -> Compare:
    """A comparison of two trainings on the outcomes of the nights that both predicted."""
    results = stores.read(LIVE_RESULTS)

    def both(candidate: str, champion: str) -> Comparison | None:
        return compare(*(results.filter(pl.col(TRAINING_ID) == name) for name in (candidate, champion)))

    return both
