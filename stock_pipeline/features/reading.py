"""Reading stored features, and the bars that features are computed from."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import LOCAL_VOLATILITY, SECTOR, SESSION, SYMBOL
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.features.catalogue import VOLATILITY_EXPOSURE, FeatureSet, feature_set
from stock_pipeline.features.fundamental_ratios import RATIOS
from stock_pipeline.features.tables import DAILY_FEATURES_ASSET, FUNDAMENTAL_RATIOS, daily_features
from stock_pipeline.market_data.reading import bars_with_factors, particulars, under_symbols_of
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.reading import with_universe


def chosen_set(settings: Settings) -> FeatureSet:
    """The feature set that the settings choose."""
    return feature_set(settings.features.set)


def read_features(stores: Stores, chosen: FeatureSet, selection: Selection) -> pl.DataFrame:
    """Read the stored features of the set: symbol, session and the features, sorted by symbol and session.

    Raises:
        StockPipelineError: the table holds another set, or an earlier version of this one, whose columns would be read as null.
    """
    made = stores.watermark("ml", DAILY_FEATURES_ASSET)
    if made is not None and made.code_version != chosen.hash:
        raise StockPipelineError(
            f"the features of set {chosen.name!r} as it is now have not been made yet; materialise {DAILY_FEATURES_ASSET} first, "
            "or set features.set back to the set that was made"
        )
    return stores.read(daily_features(chosen), selection)


def read_local_volatility(stores: Stores, settings: Settings, first: date, last: date) -> pl.DataFrame:
    """The volatility of each stock over 60 sessions, as it was known on each night.

    Args:
        stores: the stores.
        settings: for the feature set; every set has the volatility, and it is the same.
        first: the first session.
        last: the last session.

    Returns:
        symbol, session and local_volatility (Float64, per session, null where it is not known), sorted by symbol and session.
    """
    wanted = Selection(columns=(SYMBOL, SESSION, VOLATILITY_EXPOSURE), first=first, last=last)
    rows = read_features(stores, chosen_set(settings), wanted)
    return rows.select(SYMBOL, SESSION, pl.col(VOLATILITY_EXPOSURE).cast(pl.Float64).alias(LOCAL_VOLATILITY))


def read_bars_for(stores: Stores, chosen: FeatureSet, settings: Settings, known_on: date, first: date) -> pl.DataFrame:
    """The panel that ``compute.compute_features`` needs for a set, as known on a night, with the universe.

    Fundamentals and sectors are read only for a set that needs them.

    Args:
        stores: the stores.
        chosen: the feature set.
        settings: for the limits beyond which a bar jumps and beyond which it is suspect.
        known_on: the session whose night counts.
        first: the first session to read.
    """
    panel = with_universe(stores, bars_with_factors(stores, known_on, settings.quality, first))
    if chosen.needs_sectors:
        panel = panel.join(particulars(stores, known_on).select(SYMBOL, SECTOR), on=SYMBOL, how="left", maintain_order="left")
    if chosen.needs_reports:
        panel = panel.join(_ratios(stores, known_on, first), on=[SYMBOL, SESSION], how="left", maintain_order="left")
    return panel


def _ratios(stores: Stores, known_on: date, first: date) -> pl.DataFrame:
    """The ratios of each session as they were known on its night, under the symbol that the company bore last."""
    ratios = stores.read(FUNDAMENTAL_RATIOS, Selection(first=first, last=known_on))
    return under_symbols_of(stores, ratios, known_on).select(SYMBOL, SESSION, *RATIOS)
