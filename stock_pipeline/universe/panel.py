"""The panel that the universe is computed from."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import CLOSE, NAME, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.reading import members_known, particulars, raw_bars, with_judgements
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline.universe.compute import EXCLUDED, with_members
from stock_pipeline.universe.kinds import of_kinds


def read_panel(stores: Stores, settings: Settings, known_on: date, first: date) -> pl.DataFrame:
    """The panel that ``compute.compute_universe`` needs, as known on a night.

    Args:
        stores: the stores.
        settings: for the limit of suspicion, the kinds of securities left out and the exchange.
        known_on: the session whose night counts.
        first: the first session to read.
    """
    bars = raw_bars(stores, known_on, first).select(SYMBOL, SESSION, CLOSE, VOLUME)
    judged = with_members(with_judgements(stores, bars, known_on, settings.quality.suspect_ratio), members_known(stores, known_on))
    listed = bars.select(SYMBOL).unique().join(particulars(stores, known_on).select(SYMBOL, NAME), on=SYMBOL, how="left")
    left_out = of_kinds(listed, settings.universe.excluded_kinds, settings.exchange)
    return judged.with_columns(pl.col(SYMBOL).is_in(left_out[SYMBOL].implode()).alias(EXCLUDED))
