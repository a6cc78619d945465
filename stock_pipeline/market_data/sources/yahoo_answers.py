"""Translating Yahoo Finance's symbols, errors and answers. No connection here."""

import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, INDUSTRY, LOW, NAME, OPEN, PRICES, SECTOR, SESSION, SYMBOL, VALUE, VOLUME
from stock_pipeline.core.reports import ASSETS, DEBT, EQUITY, NET_INCOME, OPERATING_INCOME, QUARTER, REVENUE, SHARES, YEAR
from stock_pipeline.market_data.sources import errors
from stock_pipeline.market_data.sources.source import ACTIONS, BARS, FUNDAMENTALS, INSTRUMENTS, MarketData, Request, shaped
from stock_pipeline.market_data.tables import BASIS, CURRENCY, EXCHANGE, ITEM, KIND, PERIOD, PERIOD_END, RAW

if TYPE_CHECKING:
    import pandas as pd

# What can stand in the path of a URL as it is. No symbol of Yahoo's has lower-case letters, and the client would raise them.
SPELLING = re.compile(r"\^?[A-Z0-9][A-Z0-9.=-]{0,19}")
ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")  # the client would look such a one up, and answer with another symbol's bars
# Yahoo's exchanges of one letter are F, L, T and V; none of the classes that shares have in the USA is one of them.
CLASS_SHARE = re.compile(r"([A-Z]{1,5})\.([A-C])")

COLUMNS = {"Open": OPEN, "High": HIGH, "Low": LOW, "Close": CLOSE, "Volume": VOLUME, "Stock Splits": "split", "Dividends": "dividend"}
EVENTS = ("split", "dividend")
# Yahoo sends prices in single precision. Digits beyond these are noise, and noise scaled by the next split would be other noise:
# the whole past would seem restated.
DIGITS = 7

STATEMENT_ITEMS = {
    "TotalRevenue": REVENUE,
    "OperatingIncome": OPERATING_INCOME,
    "NetIncome": NET_INCOME,
    "StockholdersEquity": EQUITY,
    "TotalAssets": ASSETS,
    "TotalDebt": DEBT,
    "OrdinarySharesNumber": SHARES,
}
STATEMENT_TYPES = {
    f"{prefix}{theirs}": (period, ours)
    for prefix, period in (("quarterly", QUARTER), ("annual", YEAR))
    for theirs, ours in STATEMENT_ITEMS.items()
}


def yahoo_symbol(symbol: str) -> str:
    """How Yahoo writes our symbol: BRK.B is BRK-B there; an index such as ^GSPC and an exchange such as VOD.L stay as they are.

    Raises:
        UnknownSymbolError: Yahoo can have no such symbol, or it could not be asked for without changing the meaning of a URL.
    """
    if not SPELLING.fullmatch(symbol) or ISIN.fullmatch(symbol):
        raise errors.UnknownSymbolError(f"Yahoo has no symbol spelt {symbol[:20]!r}; write it as AAPL, BRK.B, ^GSPC or VOD.L")
    return CLASS_SHARE.sub(r"\1-\2", symbol) if CLASS_SHARE.fullmatch(symbol) else symbol


def meaning(error: Exception) -> errors.SourceError:
    """The SourceError that an exception of the client stands for."""
    from curl_cffi.requests import exceptions
    from yfinance.exceptions import YFDataException, YFPricesMissingError, YFRateLimitError

    said = f"{type(error).__name__}: {error}"
    if isinstance(error, errors.SourceError):
        return error
    if isinstance(error, YFRateLimitError):
        return errors.RateLimitedError("Yahoo asks for fewer requests; lower source.yahoo.requests_at_once")
    if isinstance(error, YFPricesMissingError) and error.yahoo_reason is not None:
        return _meaning_of_reason(error.yahoo_reason)
    if isinstance(error, exceptions.Timeout):
        return errors.RequestTimeoutError("Yahoo did not answer within source.yahoo.request_seconds")
    if isinstance(error, (YFDataException, exceptions.RequestException)):
        return errors.SourceDownError(f"Yahoo cannot be reached, {said}")
    return errors.UnreadableAnswerError(f"Yahoo's answer cannot be read, {said}")


def _meaning_of_reason(reason: str) -> errors.SourceError:
    lowered = reason.lower()
    if "delisted" in lowered:
        return errors.ReportedDelistedError(f"Yahoo says: {reason}")
    if "data doesn't exist" in lowered:
        return errors.NoDataError(f"Yahoo says: {reason}")
    if "not found" in lowered:
        return errors.UnknownSymbolError(f"Yahoo says: {reason}")
    return errors.RefusedRequestError(f"Yahoo says: {reason}")


def raw_market_data(request: Request, history: "pd.DataFrame", currency: str | None) -> MarketData:
    """Bars as they were traded, and the splits and dividends among them.

    Yahoo divides the prices and dividends before a split by its ratio; each is multiplied here by the ratios of all splits after
    it, volumes are divided. So ``history`` must reach up to now, whatever ``request.last`` is. The adjusted close is null in every
    bar: it would be scaled to today, and the actions say more.

    Args:
        request: the symbol, and the sessions to keep.
        history: what the client's ``history(auto_adjust=False, actions=True)`` gave: a row per session in the time zone of the
            exchange, with Open, High, Low, Close, Volume, Dividends and Stock Splits.
        currency: of the prices, as Yahoo writes it; pence are GBp.

    Raises:
        NoDataError: there is no row from ``request.first`` to ``request.last``.
        UnreadableAnswerError: a column is missing or has not one number.
    """
    missing = [name for name in COLUMNS if name not in history.columns]
    if missing:
        raise errors.UnreadableAnswerError(f"Yahoo's answer lacks {', '.join(missing)}")
    numbers = {ours: history[theirs].to_numpy(dtype=float) for theirs, ours in COLUMNS.items()}
    adjusted = pl.DataFrame({SESSION: pl.Series(list(history.index.date), dtype=pl.Date), **numbers})
    rows = _undo_splits(adjusted).filter(pl.col(SESSION).is_between(request.first, request.last))
    rows = rows.with_columns(pl.lit(request.symbol).alias(SYMBOL), pl.lit(RAW).alias(BASIS), pl.lit(currency, pl.String).alias(CURRENCY))
    return MarketData(bars=_bars(request, rows), actions=_actions(rows))


def _undo_splits(adjusted: pl.DataFrame) -> pl.DataFrame:
    """Prices, volumes and dividends as on their day, from what is adjusted for every later split."""
    ratio = pl.when(pl.col("split") > 0).then("split").otherwise(1.0)
    later = ratio.shift(-1, fill_value=1.0).cum_prod(reverse=True)
    finite = [pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in COLUMNS.values()]
    return (
        adjusted.sort(SESSION)
        .select(SESSION, *finite)
        .with_columns((pl.col(*PRICES, "dividend") * later).round_sig_figs(DIGITS), (pl.col(VOLUME) / later).round())
    )


def _bars(request: Request, rows: pl.DataFrame) -> pl.DataFrame:
    bars = rows.filter(pl.any_horizontal(pl.col(*PRICES).is_not_null()))
    # A row of an action alone, on a day without a bar, is no unreadable bar.
    if bars.is_empty() and rows.filter(pl.all_horizontal(pl.col(*EVENTS) == 0)).is_empty():
        raise errors.NoDataError(f"Yahoo has no bar from {request.first} to {request.last}")
    lacking = [name for name in PRICES if bars[name].null_count() == bars.height]
    if lacking:
        raise errors.UnreadableAnswerError(f"Yahoo's answer has not one price in {', '.join(lacking)}")
    return shaped(bars, BARS)


def _actions(rows: pl.DataFrame) -> pl.DataFrame:
    said = rows.unpivot(list(EVENTS), index=[SYMBOL, SESSION], variable_name=KIND, value_name=VALUE)
    return shaped(said.filter(pl.col(VALUE) > 0).sort(SESSION, KIND), ACTIONS)


def instrument(symbol: str, summary: Mapping[str, Any], metadata: Mapping[str, Any]) -> pl.DataFrame:
    """The row of INSTRUMENTS from the quoteSummary answer (modules quoteType and assetProfile) and the metadata of the history."""
    found = summary["quoteSummary"]["result"][0]
    kind, profile = found.get("quoteType") or {}, found.get("assetProfile") or {}
    row = {
        SYMBOL: symbol,
        NAME: kind.get("longName") or kind.get("shortName") or metadata.get("longName") or metadata.get("shortName"),
        EXCHANGE: metadata.get("fullExchangeName") or metadata.get("exchangeName"),
        CURRENCY: metadata.get("currency"),
        SECTOR: profile.get("sector") or None,
        INDUSTRY: profile.get("industry") or None,
    }
    return shaped(pl.DataFrame([row]), INSTRUMENTS)


def fundamentals(symbol: str, answer: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of FUNDAMENTALS from the timeseries answer: STATEMENT_TYPES, each with its own currency; ``captured`` is null."""
    said = [
        (STATEMENT_TYPES[name], value)
        for series in answer["timeseries"]["result"] or []
        for name in STATEMENT_TYPES.keys() & series.keys()
        for value in series[name]
        if value is not None
    ]
    rows = [
        (symbol, date.fromisoformat(value["asOfDate"]), period, item, value["reportedValue"]["raw"], value.get("currencyCode"), None)
        for (period, item), value in said
    ]
    return pl.DataFrame(rows, schema=FUNDAMENTALS, orient="row").sort(PERIOD, ITEM, PERIOD_END)
