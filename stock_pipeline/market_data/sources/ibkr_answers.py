"""Translating requests to Interactive Brokers and its answers. No connection here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import polars as pl

from stock_pipeline.core.columns import CLOSE
from stock_pipeline.market_data.sources import errors
from stock_pipeline.market_data.sources.source import BARS, INSTRUMENTS, Request
from stock_pipeline.market_data.tables import SPLIT_ADJUSTED

if TYPE_CHECKING:
    from ib_async import BarData, Contract, ContractDetails

SYMBOL_LIMIT = 64
DAYS_LIMIT = 365  # a longer time is to be asked for in years

CORRECT = "correct or remove it in source.symbols or in the file of source.universe_path"
SUBSCRIBE = "subscribe to its market data at Interactive Brokers, or let a source of source.fallbacks give it"
FEWER = "lower source.ibkr.requests_per_ten_minutes, or try again in ten minutes"
OTHER_CLIENT = "set source.ibkr.client_id to a number that no other program uses there"
OTHER_SESSION = "log the other session of this user out"
RESTART = "see that it is logged in and connected to Interactive Brokers"
FALL_BACK = "let a source of source.fallbacks give it"

# The code of an error, a word of its text where the code alone does not tell, what that means to us, and the remedy.
MEANINGS: tuple[tuple[frozenset[int], str, type[errors.SourceError], str], ...] = (
    (frozenset({200}), "", errors.UnknownSymbolError, CORRECT),
    (frozenset({326}), "", errors.WrongClientError, OTHER_CLIENT),
    (frozenset({100}), "", errors.RateLimitedError, FEWER),
    (frozenset({203, 354, 10089, 10090, 10091, 10168, 10186}), "", errors.NoPermissionError, SUBSCRIBE),
    (frozenset({502, 503, 504, 1100}), "", errors.SourceDownError, RESTART),
    (frozenset({162, 420}), "pacing violation", errors.RateLimitedError, FEWER),
    (frozenset({162, 420}), "permission", errors.NoPermissionError, SUBSCRIBE),
    (frozenset({162, 420}), "subscription", errors.NoPermissionError, SUBSCRIBE),
    (frozenset({162}), "no data", errors.NoDataError, FALL_BACK),
    (frozenset({162}), "different ip address", errors.WrongClientError, OTHER_SESSION),
    (frozenset({162}), "hmds connection", errors.SourceDownError, RESTART),
    (frozenset({162}), "hmds server disconnect", errors.SourceDownError, RESTART),
)


@dataclass(frozen=True)
class Instrument:
    """An instrument as Interactive Brokers describes it. Text that it does not give is empty."""

    contract: Contract
    name: str
    sector: str
    industry: str


def meaning(code: int, text: str) -> errors.SourceError:
    """The error that a code and its text stand for; RefusedRequestError where they are unknown."""
    said = " ".join(text.split())
    found = ((kind, remedy) for codes, word, kind, remedy in MEANINGS if code in codes and word in said.lower())
    kind, remedy = next(found, (errors.RefusedRequestError, FALL_BACK))
    return kind(f"error {code}, {said.rstrip('.')!r}; {remedy}")


def is_symbol(text: str) -> bool:
    """Whether ``text`` may be sent as a symbol. The fields of a message end at a NUL, so control characters must never be."""
    return bool(text.strip()) and len(text) <= SYMBOL_LIMIT and text.isprintable()


def broker_symbol(symbol: str) -> str:
    """How Interactive Brokers writes ``symbol``: BRK B for BRK.B.

    Raises:
        UnknownSymbolError: it cannot be a symbol.
    """
    if not is_symbol(symbol):
        raise errors.UnknownSymbolError(f"a symbol has 1 to {SYMBOL_LIMIT} printable characters, so it was not asked for; {CORRECT}")
    return symbol.replace(".", " ")


def duration(first: date, last: date) -> str:
    """A time that reaches from the end of ``last`` back to ``first`` or beyond, as Interactive Brokers writes it."""
    days = (last - first).days + 1
    return f"{days} D" if days <= DAYS_LIMIT else f"{math.ceil(days / DAYS_LIMIT)} Y"


def end_of(last: date) -> str:
    """The end of ``last`` for a request: late in the evening of New York, whatever the time zone of this machine."""
    return f"{last:%Y%m%d} 23:59:59 UTC"


def only_one(found: Sequence[ContractDetails]) -> Instrument:
    """The one instrument that a symbol stands for.

    Raises:
        UnknownSymbolError: it is none, or several.
    """
    by_number = {
        details.contract.conId: Instrument(details.contract, details.longName, details.industry, details.category)
        for details in found
        if details.contract is not None
    }
    if len(by_number) != 1:
        problem = f"it stands for the contracts {', '.join(map(str, sorted(by_number)))}" if by_number else "no contract came for it"
        raise errors.UnknownSymbolError(f"{problem}; {CORRECT}")
    return next(iter(by_number.values()))


def instrument_row(symbol: str, instrument: Instrument) -> pl.DataFrame:
    """One row of INSTRUMENTS under our own ``symbol``."""
    contract = instrument.contract
    values = (instrument.name, contract.primaryExchange, contract.currency, instrument.sector, instrument.industry, str(contract.conId))
    return pl.DataFrame([(symbol, *(text or None for text in values))], schema=INSTRUMENTS, orient="row")


def bar_rows(request: Request, currency: str, bars: Iterable[BarData]) -> pl.DataFrame:
    """Rows of BARS, one for each bar of the sessions that were asked for.

    Raises:
        NoDataError: there is none.
        UnreadableAnswerError: not one of them has a close.
    """
    rows = [
        (request.symbol, session, *_prices(bar), _volume(bar.volume), None, SPLIT_ADJUSTED, currency or None, None)
        for bar in bars
        if request.first <= (session := _day(bar.date)) <= request.last
    ]
    if not rows:
        raise errors.NoDataError(f"no bar from {request.first} to {request.last}; {FALL_BACK}")
    frame = pl.DataFrame(rows, schema=BARS, orient="row")
    if frame[CLOSE].null_count() == frame.height:
        raise errors.UnreadableAnswerError(f"not one of its {frame.height} bars has a close; {FALL_BACK}")
    return frame


def _day(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _prices(bar: BarData) -> tuple[float | None, ...]:
    return tuple(map(_number, (bar.open, bar.high, bar.low, bar.close)))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _volume(value: float) -> float | None:
    # Below zero says that there is no such figure.
    return _number(value) if value >= 0 else None
