"""Reading the training panel: features and labels as of a session, ranked and joined."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import FORWARD_RETURN, SESSION, SYMBOL
from stock_pipeline.datasets.training_panel import rank_within_session, training_panel
from stock_pipeline.features.catalogue import feature_names
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def read_labels(stores: Stores, as_of: date) -> pl.DataFrame:
    """symbol, session and forward_return of the rows whose outcome is known."""
    labels = stores.read(DAILY_LABELS, Selection(columns=(SYMBOL, SESSION, FORWARD_RETURN), last=as_of))
    return labels.drop_nulls(FORWARD_RETURN)


def read_training_panel(stores: Stores, as_of: date) -> pl.DataFrame:
    """The training panel of everything known on the night of ``as_of``; see ``training_panel``."""
    features = stores.read(DAILY_FEATURES, Selection(last=as_of))
    return training_panel(rank_within_session(features, feature_names()), read_labels(stores, as_of), feature_names())
