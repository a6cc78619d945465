"""``ibkr``: daily bars and instruments from Interactive Brokers, by way of a running TWS or IB Gateway.

Prices are those of trades in regular hours, adjusted for every split until now and for no dividend. Actions and fundamentals are
not to be had there.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources import errors, ibkr_answers
from stock_pipeline.market_data.sources.ibkr_gateway import Gateway
from stock_pipeline.market_data.sources.pacing import Pace
from stock_pipeline.market_data.sources.source import Answer, MarketData, Offer, Request
from stock_pipeline.market_data.sources.streaming import streamed
from stock_pipeline.settings import IbkrSettings

if TYPE_CHECKING:
    from ib_async import BarData

Said = TypeVar("Said")
Clock = Callable[[], float]
Wait = Callable[[float], Awaitable[None]]

HUNG_LIMIT = 3  # so many requests in a row without an answer, and the gateway is taken for down
RETRY_DELAYS = (15.0, 60.0)  # seconds, after an answer that says too many


class IbkrSource:
    """Interactive Brokers. ``clock`` and ``wait`` count in seconds; what was learned of an instrument is kept for the next fetch."""

    name = "ibkr"
    is_archive = False
    is_closed = False
    offers: frozenset[Offer] = frozenset({"bars", "instruments"})

    def __init__(self, settings: IbkrSettings, clock: Clock = time.monotonic, wait: Wait = asyncio.sleep) -> None:
        self._settings = settings
        self._clock = clock
        self._wait = wait
        self._pace = Pace(settings.requests_per_ten_minutes, clock, wait)
        self._instruments: dict[str, ibkr_answers.Instrument] = {}

    def fetch(self, requests: Sequence[Request] | None) -> Iterator[Answer]:
        """One answer a symbol, as they arrive. Of two requests for one symbol the widest sessions count.

        Raises:
            InputError: no symbols are given.
        """
        if requests is None:
            raise InputError("source ibkr needs to know which symbols to ask for: set source.symbols or source.universe_path")
        return streamed(partial(self._answer_all, _one_a_symbol(requests))) if requests else iter(())

    async def _answer_all(self, requests: Iterable[Request], give: Callable[[Answer], None]) -> None:
        gateway = Gateway(self._settings)
        try:
            await _Round(self._settings, gateway, self._pace, self._instruments, self._clock, self._wait).answer_all(requests, give)
        finally:
            await gateway.close()


@dataclass
class _Round:
    """One fetch: so many requests at once, until all are answered, the time is used up or the gateway is down."""

    _settings: IbkrSettings
    _gateway: Gateway
    _pace: Pace
    _instruments: dict[str, ibkr_answers.Instrument]
    _clock: Clock
    _wait: Wait

    def __post_init__(self) -> None:
        self._deadline = self._clock() + self._settings.budget_seconds
        self._hung: Counter[str] = Counter()
        self._over: errors.SourceError | None = None  # why nothing more is asked

    async def answer_all(self, requests: Iterable[Request], give: Callable[[Answer], None]) -> None:
        try:
            await self._gateway.connect()
        except errors.SourceError as error:
            self._over = error
        waiting = deque(requests)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(self._settings.requests_at_once, len(waiting))):
                tasks.create_task(self._answer_in_turn(waiting, give))

    async def _answer_in_turn(self, waiting: deque[Request], give: Callable[[Answer], None]) -> None:
        while waiting:
            give(await self._answer(waiting.popleft()))

    async def _answer(self, request: Request) -> Answer:
        known = MarketData()
        try:
            instrument = await self._instrument_of(request.symbol)
            known = MarketData(instruments=ibkr_answers.instrument_row(request.symbol, instrument))
            return Answer(replace(known, bars=await self._bars_of(request, instrument)))
        except errors.SourceError as error:
            if error.about_all and self._over is None:
                self._over = error
            return Answer(known, {request.symbol: self._failure(request.symbol, error)})

    def _failure(self, symbol: str, error: errors.SourceError) -> errors.SourceError:
        """``error`` as a sentence that names the symbol and the place. A symbol may be anything that a file holds."""
        shown = symbol if ibkr_answers.is_symbol(symbol) else repr(symbol[: ibkr_answers.SYMBOL_LIMIT])
        return type(error)(f"{shown} from source ibkr at {self._settings.host}:{self._settings.port}: {error}")

    async def _instrument_of(self, symbol: str) -> ibkr_answers.Instrument:
        ibkr_answers.broker_symbol(symbol)  # so that what is no symbol is called so even where the gateway is down
        if symbol not in self._instruments:
            self._instruments[symbol] = await self._patiently(lambda: self._asked("particulars", partial(self._gateway.instrument, symbol)))
        return self._instruments[symbol]

    async def _bars_of(self, request: Request, instrument: ibkr_answers.Instrument) -> pl.DataFrame:
        bars = await self._patiently(lambda: self._asked_in_turn(request, instrument))
        return ibkr_answers.bar_rows(request, instrument.contract.currency, bars)

    async def _patiently(self, ask: Callable[[], Awaitable[Said]]) -> Said:
        for delay in RETRY_DELAYS:
            try:
                return await ask()
            except errors.RateLimitedError:
                if self._clock() + delay > self._deadline:
                    raise
                await self._wait(delay)
        return await ask()

    async def _asked_in_turn(self, request: Request, instrument: ibkr_answers.Instrument) -> list[BarData]:
        self._go_on()
        if not await self._pace.turn(instrument.contract.conId, (request.first, request.last), self._deadline):
            raise self._out_of_time()
        return await self._asked("bars", partial(self._gateway.bars, instrument.contract, request))

    async def _asked(self, kind: str, ask: Callable[[float], Awaitable[Said]]) -> Said:
        self._go_on()
        left = self._deadline - self._clock()
        if left <= 0:
            raise self._out_of_time()
        try:
            said = await ask(min(left, self._settings.request_seconds))
        except errors.RequestTimeoutError as error:
            if left < self._settings.request_seconds:
                raise self._out_of_time() from error
            self._count_hung(kind)
            raise
        except errors.SourceError:
            self._hung[kind] = 0
            raise
        self._hung[kind] = 0
        return said

    def _go_on(self) -> None:
        if self._over is not None:
            raise type(self._over)(str(self._over))

    def _count_hung(self, kind: str) -> None:
        # By kind, since a gateway that has lost Interactive Brokers' history still knows its contracts.
        self._hung[kind] += 1
        if self._hung[kind] >= HUNG_LIMIT and self._over is None:
            self._over = errors.SourceDownError(
                f"it left {HUNG_LIMIT} requests for {kind} in a row without an answer; {ibkr_answers.RESTART}"
            )

    def _out_of_time(self) -> errors.OutOfTimeError:
        return errors.OutOfTimeError(
            f"its {self._settings.budget_seconds} s are used up; raise source.ibkr.budget_seconds, or {ibkr_answers.FALL_BACK}"
        )


def _one_a_symbol(requests: Iterable[Request]) -> list[Request]:
    """The requests with those for one symbol made one."""
    found: dict[str, Request] = {}
    for request in requests:
        other = found.get(request.symbol, request)
        first, last = min(request.first, other.first), max(request.last, other.last)
        found[request.symbol] = Request(request.symbol, first, last, request.about or other.about)
    return list(found.values())
