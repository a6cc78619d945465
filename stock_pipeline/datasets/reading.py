"""Reading the training panel: features and labels as of a session, ranked and joined."""

from datetime import date

import polars as pl

from stock_pipeline.datasets.training_panel import model_inputs, training_panel
from stock_pipeline.features.reading import chosen_set, read_features
from stock_pipeline.labels.reading import read_outcomes
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def read_training_panel(stores: Stores, settings: Settings, as_of: date) -> pl.DataFrame:
    """The training panel of everything known on the night of ``as_of``; see ``training_panel``."""
    chosen = chosen_set(settings)
    inputs = model_inputs(read_features(stores, chosen, Selection(last=as_of)), chosen.names, chosen.bounds)
    return training_panel(inputs, read_outcomes(stores, as_of, settings.labels.horizons[0]), chosen.names)
