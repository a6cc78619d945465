"""The asset of the walk-forward splits."""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import SESSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.charts import folds_chart
from stock_pipeline.datasets.splits import check_split, chosen_splits, shortened, split_table
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.labels.catalogue import labelled_horizons, predicted_horizon, purge_span
from stock_pipeline.labels.reading import read_first_known, read_label_ends
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, key_of
from stock_pipeline.settings import Settings
from stock_pipeline.universe.reading import universe_stocks
from stock_pipeline.universe.tables import DAILY_UNIVERSE


def make_splits(context: StageContext) -> StageOutput | None:
    """Split the labelled sessions that have a universe into purged, embargoed folds."""
    if not context.has_news():
        return None
    ranked = set(universe_stocks(context.stores, last=context.as_of)[SESSION])
    of_all = read_first_known(context.stores, context.as_of, predicted_horizon(context.settings.labels))
    known = {session: first for session, first in of_all.items() if session in ranked}
    ends = read_label_ends(context.stores, context.as_of, context.settings.labels)
    table = _splits_of(context.settings, known, ends, context.as_of)
    note = shortened(list(known), context.settings.datasets, context.settings.labels)
    if note is not None:
        context.report_progress(note)
    earlier = [_splits_of_the_past(context.settings, known, ends, day) for day in context.nights_to_make(WALK_FORWARD_SPLITS, ends)[:-1]]
    return StageOutput(
        writes=(context.rows_of_nights(WALK_FORWARD_SPLITS, pl.concat([*earlier, table]), least_share=0.9),),
        watermark=context.as_of,
        charts=lambda: {"walk_forward": folds_chart(table)},
        tables={"folds": table},
        facts={"labelled_sessions": len(known)} | ({} if note is None else {"note": note}),
    )


def _splits_of(settings: Settings, known: Mapping[date, date], ends: Mapping[date, date], as_of: date) -> pl.DataFrame:
    """The splits of the sessions whose outcome was known on a night: rows of WALK_FORWARD_SPLITS."""
    chosen, labels = settings.datasets, settings.labels
    sessions = [session for session, first in known.items() if first <= as_of]
    splits = chosen_splits(sessions, chosen, labels)
    for split in splits:
        check_split(split, ends)
    reach = purge_span(labelled_horizons(labels), labels.volatility_horizon)
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
        reads=(DAILY_LABELS, DAILY_UNIVERSE),
        body=make_splits,
        settings=("datasets", "exchange", "labels", "quality.jump_ratio", "quality.suspect_ratio", "universe"),
        code_version="3",
    ),
)
