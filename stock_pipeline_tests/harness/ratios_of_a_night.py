"""The ratios of one night by themselves, from reports as they were known on it: what those of many sessions at once must be equal to."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import CLOSE, KNOWN_FROM, KNOWN_TO, SESSION, SYMBOL
from stock_pipeline.features.fundamental_ratios import _NIGHT, RATIOS, _reported, _restated, _with_prices
from stock_pipeline.market_data.reading import REPORT_COLUMNS, reports_by_instrument
from stock_pipeline.market_data.tables import FIRST, INSTRUMENT, ITEM, PERIOD, PERIOD_END, SYMBOL_HISTORY
from stock_pipeline.storage import Stores


def fundamentals_known(stores: Stores, night: date) -> pl.DataFrame:
    """Reported figures as they were known on ``night``, under the symbols of that night; no instrument that is yet to trade.

    Returns:
        symbol, period_end, period, item, value, currency and known_from, sorted by the first four.
    """
    in_force = reports_by_instrument(stores, night).filter(pl.col(KNOWN_TO).is_null())
    shown = [(instrument, _symbol_of(instrument, stores.read(SYMBOL_HISTORY), night)) for instrument in in_force[INSTRUMENT].unique()]
    symbols = pl.DataFrame(shown, schema={INSTRUMENT: pl.String, SYMBOL: pl.String}, orient="row").drop_nulls()
    named = in_force.join(symbols, on=INSTRUMENT, how="inner")
    return named.select(SYMBOL, *REPORT_COLUMNS, KNOWN_FROM).sort(SYMBOL, PERIOD_END, PERIOD, ITEM)


def _symbol_of(instrument: str, history: pl.DataFrame, night: date) -> str | None:
    """The last symbol that the instrument took by ``night``, with its first session where another has taken that since."""
    if instrument not in history[INSTRUMENT]:
        return instrument
    begun = history.filter(pl.col(FIRST) <= night).sort(FIRST)
    own = begun.filter(pl.col(INSTRUMENT) == instrument)
    if own.is_empty():
        return None
    symbol, first = own.select(SYMBOL, FIRST).row(-1)
    holder = begun.filter(pl.col(SYMBOL) == symbol)[INSTRUMENT][-1]
    return str(symbol) if holder == instrument else f"{symbol}@{first}"


def restate_shares(known: pl.DataFrame, actions: pl.DataFrame, session: date) -> pl.DataFrame:
    """Reports (symbol, item, value, known_from) whose numbers of shares count the shares of ``session``.

    ``actions`` are symbol, session (ex-session), kind and value as known on that night.
    """
    return _restated(known, actions.filter(pl.col(SESSION) <= session))


def fundamental_ratios(known: pl.DataFrame, closes: pl.DataFrame, session: date, currency: str) -> pl.DataFrame:
    """The ratios of each company on the night of ``session``; see ``ratios_of_sessions``.

    Args:
        known: symbol, period_end, period, item, value and currency as known on that night, one row per figure.
        closes: symbol and raw close of the session, one row per symbol.
        session: the session.
        currency: of the closes, ISO 4217.

    Returns:
        symbol and the ratios, one row per symbol with a close or with a report of the last 28 months, in the order of symbol.
    """
    reported = _reported(known.with_columns(pl.lit(session).alias(_NIGHT)))
    everyone = pl.concat([reported.select(SYMBOL), closes.select(SYMBOL)]).unique().sort(SYMBOL)
    for part in (closes.select(SYMBOL, CLOSE), reported):
        everyone = everyone.join(part, on=SYMBOL, how="left", maintain_order="left")
    return _with_prices(everyone, currency).select(SYMBOL, *RATIOS)
