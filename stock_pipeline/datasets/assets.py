"""The asset of the walk-forward splits."""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.pictures import folds_picture
from stock_pipeline.datasets.splits import check_split, chosen_splits, split_table
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.labels.catalogue import label_reach
from stock_pipeline.labels.reading import read_first_known, read_label_ends
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage import Stage, key_of
from stock_pipeline.settings import Settings


def make_splits(night: Night) -> Product | None:
    """Split the labelled sessions into purged, embargoed folds."""
    if not night.has_news():
        return None
    known = read_first_known(night.stores, night.as_of, night.settings.labels.horizons[0])
    ends = read_label_ends(night.stores, night.as_of, night.settings.labels)
    table = _splits_of(night.settings, known, ends, night.as_of)
    earlier = [_splits_of_the_past(night.settings, known, ends, day) for day in night.nights_to_make(WALK_FORWARD_SPLITS)[:-1]]
    return Product(
        writes=(night.rows_of_nights(WALK_FORWARD_SPLITS, pl.concat([*earlier, table]), least_share=0.9),),
        watermark=night.as_of,
        pictures=lambda: {"folds": folds_picture(table)},
        tables={"folds": table},
        facts={"labelled_sessions": len(known)},
    )


def _splits_of(settings: Settings, known: Mapping[date, date], ends: Mapping[date, date], as_of: date) -> pl.DataFrame:
    """The splits of the sessions whose outcome was known on a night: rows of WALK_FORWARD_SPLITS."""
    chosen, labels = settings.datasets, settings.labels
    sessions = [session for session, first in known.items() if first <= as_of]
    splits = chosen_splits(sessions, chosen, labels)
    for split in splits:
        check_split(split, ends)
    reach = label_reach(labels.horizons, labels.volatility_horizon)
    return split_table(splits, sessions, as_of, reach, chosen.embargo, chosen.train_sessions)


def _splits_of_the_past(settings: Settings, known: Mapping[date, date], ends: Mapping[date, date], as_of: date) -> pl.DataFrame:
    """The same of an earlier night; none where its history is too short for the settings as they are now."""
    try:
        return _splits_of(settings, known, ends, as_of)
    except InputError:
        return WALK_FORWARD_SPLITS.empty()


STAGES: Sequence[Stage] = (
    Stage(
        keys=(key_of(WALK_FORWARD_SPLITS),),
        description="Which sessions train and which test.",
        tables=(WALK_FORWARD_SPLITS,),
        reads=(DAILY_LABELS,),
        body=make_splits,
        settings=("datasets", "exchange", "labels", "quality.jump_ratio"),
        code_version="2",
    ),
)
