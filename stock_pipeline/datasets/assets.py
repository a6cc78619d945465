"""The asset of the walk-forward splits."""

from collections.abc import Sequence

from stock_pipeline.core.columns import SESSION
from stock_pipeline.datasets.pictures import folds_picture
from stock_pipeline.datasets.reading import read_labels
from stock_pipeline.datasets.splits import split_table, walk_forward
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.compute import RETURN_REACH
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.storage import Write


def make_splits(night: Night) -> Product | None:
    """Split the labelled sessions into purged, embargoed folds."""
    if not night.has_news((DAILY_LABELS,)):
        return None
    sessions = read_labels(night.stores, night.as_of)[SESSION].unique().sort().to_list()
    chosen = night.settings.datasets
    splits = walk_forward(sessions, chosen.folds, RETURN_REACH, chosen.embargo, chosen.minimum_train_sessions)
    table = split_table(splits, sessions, night.as_of, RETURN_REACH, chosen.embargo)
    return Product(
        writes=(Write(WALK_FORWARD_SPLITS, table, scope=("as_of",)),),
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
    ),
)
