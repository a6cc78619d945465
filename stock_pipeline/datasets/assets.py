"""The asset of the walk-forward splits."""

from collections.abc import Sequence

from stock_pipeline.core.columns import SESSION
from stock_pipeline.datasets.pictures import folds_picture
from stock_pipeline.datasets.splits import check_split, chosen_splits, split_table
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.compute import label_reach
from stock_pipeline.labels.reading import read_label_ends, read_outcomes
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.storage import replace_sessions


def make_splits(night: Night) -> Product | None:
    """Split the labelled sessions into purged, embargoed folds."""
    if not night.has_news((DAILY_LABELS,)):
        return None
    chosen, labels = night.settings.datasets, night.settings.labels
    sessions = read_outcomes(night.stores, night.as_of, labels.horizons[0])[SESSION].unique().sort().to_list()
    reach = label_reach(labels.horizons, labels.volatility_horizon)
    splits = chosen_splits(sessions, chosen, labels)
    label_ends = read_label_ends(night.stores, night.as_of, labels)
    for split in splits:
        check_split(split, label_ends)
    table = split_table(splits, sessions, night.as_of, reach, chosen.embargo, chosen.train_sessions)
    return Product(
        writes=(replace_sessions(WALK_FORWARD_SPLITS, table),),
        watermark=night.as_of,
        pictures={"folds": folds_picture(table)},
        tables={"folds": table},
        facts={"labelled_sessions": len(sessions)},
    )


ASSETS: Sequence[StageAsset] = (
    StageAsset(
        keys=(key_of(WALK_FORWARD_SPLITS),),
        description="Which sessions train and which test.",
        tables=(WALK_FORWARD_SPLITS,),
        depends_on=(key_of(DAILY_FEATURES), key_of(DAILY_LABELS)),
        body=make_splits,
        code_version="2",
    ),
)
