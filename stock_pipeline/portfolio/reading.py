"""Reading the suggestions."""

import polars as pl

from stock_pipeline.core.columns import PROFILE, RANK
from stock_pipeline.core.errors import InputError
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.reading import shortage_now


def latest_suggestions(stores: Stores, profile: str, minimum_stocks: int) -> pl.DataFrame:
    """Read the suggestions of a profile after the last session that has any, best first: rows of SUGGESTED_STOCKS.

    Args:
        stores: the stores.
        profile: its name.
        minimum_stocks: ``universe.minimum_stocks``, for what is said where nothing can be suggested.

    Raises:
        InputError: no stocks have been suggested yet.
    """
    last = stores.read(SUGGESTED_STOCKS, Selection(latest=True)) if stores.exist else SUGGESTED_STOCKS.empty()
    if last.is_empty():
        why = shortage_now(stores, minimum_stocks)
        raise InputError(
            f"there are no suggestions in {stores.home.absolute()} yet{f': {why}' if why else '; run `stock-pipeline run` first'}"
        )
    return last.filter(pl.col(PROFILE) == profile).sort(RANK)
