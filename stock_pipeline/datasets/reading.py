"""Reading what models learn from: features as models see them, and beside them what came of each row."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.datasets.past_volatility import SPAN, past_volatility
from stock_pipeline.datasets.targets import Kind, with_target
from stock_pipeline.datasets.training_panel import model_inputs, training_panel
from stock_pipeline.features.catalogue import EXPOSURES, FeatureSet
from stock_pipeline.features.reading import chosen_set, read_features
from stock_pipeline.labels.reading import read_forward_volatility, read_outcomes
from stock_pipeline.market_data.reading import sessions_of, stepped_bars
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def read_training_panel(stores: Stores, settings: Settings, as_of: date, kind: Kind = "return") -> pl.DataFrame:
    """Everything known on the night of ``as_of``: ``training_panel`` with the target of a kind of model.

    Where ``datasets.sessions`` is set, only so many of the last sessions with features are there.
    """
    chosen = chosen_set(settings)
    outcomes = read_outcomes(stores, as_of, settings.labels.horizons[0])
    sessions = outcomes[SESSION].unique().sort().to_list()
    first = sessions[-settings.datasets.sessions :][0] if settings.datasets.sessions and sessions else None
    inputs = read_inputs(stores, settings, Selection(first=first, last=as_of))
    if kind == "volatility":
        known = read_forward_volatility(stores, as_of)
        outcomes = outcomes.join(known, on=[SYMBOL, SESSION], how="inner").join(
            read_past_volatility(stores, settings, as_of), on=[SYMBOL, SESSION], how="left"
        )
    return with_target(training_panel(inputs, outcomes, input_names(chosen)), kind, EXPOSURES)


def read_inputs(stores: Stores, settings: Settings, selection: Selection) -> pl.DataFrame:
    """symbol, session, the features of the chosen set as models see them (see ``model_inputs``), and the exposures likewise."""
    chosen = chosen_set(settings)
    return model_inputs(read_features(stores, chosen, selection), input_names(chosen), chosen.bounds)


def input_names(chosen: FeatureSet) -> tuple[str, ...]:
    """The features of the set to learn from, and the exposures that are not among them."""
    return (*chosen.names, *(name for name in EXPOSURES if name not in chosen.names))


def read_past_volatility(stores: Stores, settings: Settings, as_of: date, only_last: bool = False) -> pl.DataFrame:
    """``past_volatility`` of every session known on the night of ``as_of``, or right for the last of them alone."""
    first = sessions_of(stores, as_of)[-SPAN:][0] if only_last else None
    bars = stepped_bars(stores, as_of, settings.quality.jump_ratio, first)
    return past_volatility(bars)
