"""From the settings and the user's wishes to data that is ready for the store. Writes nothing, so that it can be tried first."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import SOURCE, SYMBOL
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.catalogue import open_source
from stock_pipeline.market_data.ingestion import Ingested, prepare
from stock_pipeline.market_data.sources.source import MarketData, Source
from stock_pipeline.market_data.tables import INGESTION_REPORTS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores


def chosen_source(settings: Settings, name: str | None, path: str | None) -> Source:
    """The source that the run asked for, or else the one in the settings."""
    return open_source(name, path) if name else open_source(settings.source.name, path or settings.source.path)


def gather(source: Source, settings: Settings, as_of: date | None) -> Ingested:
    """What the source has, fetched and made ready for the store. Writes nothing.

    Raises:
        InputError: the source cannot be used as it is.
    """
    data = _of_symbols(source.fetch(), source.name, settings.source.symbols)
    return prepare(data, source.name, as_of, trading_calendar(settings.exchange), settings.quality.price_tolerance)


def _of_symbols(data: MarketData, source: str, symbols: Sequence[str] | None) -> MarketData:
    if symbols is None:
        return data
    known = set(data.bars[SYMBOL].unique())
    unknown = [symbol for symbol in symbols if symbol not in known]
    if unknown:
        raise InputError(f"setting source.symbols names {unknown[0]!r}, of which source {source} has no bar; correct it or leave it out")
    wanted = pl.col(SYMBOL).is_in(list(symbols))
    return MarketData(data.bars.filter(wanted), data.actions.filter(wanted), data.instruments.filter(wanted))


def refuse_mixing(stores: Stores, source: Source) -> None:
    """Keep closed sources apart: a panel made of two of them would be of no use.

    Raises:
        InputError: the data directory holds another source that cannot be mixed with this one.
    """
    held = set(stores.read(INGESTION_REPORTS)[SOURCE]) if stores.exist else set()
    strangers = sorted(name for name in held - {source.name} if source.is_closed or open_source(name, "any").is_closed)
    if strangers:
        raise InputError(
            f"data directory {stores.home} holds bars of source {strangers[0]}, which cannot be mixed with {source.name}; "
            f"choose another directory with STOCK_PIPELINE_HOME"
        )
