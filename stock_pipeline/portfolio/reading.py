"""Reading the suggestions."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import PROFILE, RANK, SESSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection


def latest_suggestions(stores: Stores, profile: str) -> pl.DataFrame:
    """The suggestions of a profile after the last session that has any, best first: rows of SUGGESTED_STOCKS.

    Raises:
        InputError: no stocks have been suggested yet.
    """
    sessions = stores.read(SUGGESTED_STOCKS, Selection(columns=(SESSION,)))[SESSION] if stores.exist else pl.Series(dtype=pl.Date)
    last = sessions.max()
    if not isinstance(last, date):
        raise InputError(f"there are no suggestions in {stores.home} yet; run `stock-pipeline run` first")
    return stores.read(SUGGESTED_STOCKS, Selection(first=last, equals={PROFILE: [profile]})).sort(RANK)
