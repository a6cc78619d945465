"""A connection to Interactive Brokers' gateway for market data, which never places orders, and its errors."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

from stock_pipeline.market_data.sources.errors import RequestTimeoutError, SourceDownError, SourceError
from stock_pipeline.market_data.sources.ibkr_answers import RESTART, Instrument, broker_symbol, duration, end_of, meaning, only_one
from stock_pipeline.market_data.sources.source import Request
from stock_pipeline.settings import IbkrSettings

if TYPE_CHECKING:
    from ib_async import BarData, Contract

Said = TypeVar("Said")

INVALID_REQUEST = 321  # ib_async takes it for a mere warning and would wait on
CLIENT_IN_USE = 326
START = "start TWS or IB Gateway with its API enabled, or set source.ibkr.host and source.ibkr.port to where it listens"
# ib_async tells every error to the log as well; where nobody has set up a log, it is not to end up on the screen.
UNHEARD = logging.NullHandler()


class Gateway:
    """One connection, which is to be made, used and closed in one event loop."""

    def __init__(self, settings: IbkrSettings) -> None:
        from ib_async import IB

        logging.getLogger("ib_async").addHandler(UNHEARD)
        self._settings = settings
        self._client = IB()
        self._client.RaiseRequestErrors = True
        self._client.errorEvent += self._on_error
        self._client.client.apiError += self._on_closed
        # Of a gateway that hangs up before it has greeted ib_async tells nobody, and it would wait for the greeting.
        self._client.client.conn.disconnected += self._on_closed
        self._refusals: dict[int, asyncio.Future[SourceError]] = {}

    async def connect(self) -> None:
        """Connect for reading only.

        Raises:
            SourceDownError: nothing listens there, or nothing that speaks this protocol.
            WrongClientError: the client id is in use.
        """
        from ib_async import StartupFetchNONE

        place, seconds = self._settings, self._settings.connect_seconds
        connecting = self._client.connectAsync(
            place.host, place.port, place.client_id, timeout=seconds, readonly=True, fetchFields=StartupFetchNONE
        )
        try:
            await self._answered(None, connecting, None)
        except TimeoutError as error:
            raise SourceDownError(f"it did not complete the connection within {seconds} s; {RESTART}") from error
        except (OSError, UnicodeError) as error:
            raise SourceDownError(f"it cannot be reached, {str(error)!r}; {START}") from error

    async def close(self) -> None:
        """Disconnect, whatever state the connection is in."""
        with contextlib.suppress(OSError):  # the other side was faster
            self._client.disconnect()

    async def instrument(self, symbol: str, seconds: float) -> Instrument:
        """What our ``symbol`` stands for.

        Raises:
            SourceError: it cannot be had.
        """
        from ib_async import Stock

        contract = Stock(broker_symbol(symbol), "SMART", "USD")
        return only_one(await self._asked(contract, self._client.reqContractDetailsAsync(contract), seconds))

    async def bars(self, contract: Contract, request: Request, seconds: float) -> list[BarData]:
        """The daily bars of regular trading hours until ``request.last``, from ``request.first`` or earlier on.

        Raises:
            SourceError: they cannot be had.
        """
        own = dataclasses.replace(contract)  # by which its errors are distinguished from those of another request
        return await self._asked(own, self._bars(own, request), seconds)

    async def _bars(self, contract: Contract, request: Request) -> list[BarData]:
        # ib_async takes the next number for the request without telling it; it is needed to call the request off.
        number = self._client.client.getReqId() + 1
        try:
            return await self._client.reqHistoricalDataAsync(
                contract,
                endDateTime=end_of(request.last),
                durationStr=duration(request.first, request.last),
                barSizeSetting="1 day",
                whatToShow="TRADES",
                useRTH=True,
                formatDate=1,
                timeout=0,
            )
        except asyncio.CancelledError:
            if self._client.isConnected():
                self._client.client.cancelHistoricalData(number)  # type: ignore[no-untyped-call]
            raise

    async def _asked(self, contract: Contract, request: Awaitable[Said], seconds: float) -> Said:
        from ib_async import RequestError

        try:
            return await self._answered(contract, request, seconds)
        except RequestError as error:
            raise meaning(error.code, error.message) from error
        except TimeoutError as error:
            raise RequestTimeoutError(f"no answer within {seconds:g} s; raise source.ibkr.request_seconds, or {RESTART}") from error
        except ConnectionError as error:
            raise SourceDownError(f"the connection was lost; {RESTART}") from error

    async def _answered(self, contract: Contract | None, request: Awaitable[Said], seconds: float | None) -> Said:
        """The answer, unless the request is refused or ``seconds`` are over before it comes."""
        refusal: asyncio.Future[SourceError] = asyncio.get_running_loop().create_future()
        self._refusals[id(contract)] = refusal
        answer = asyncio.ensure_future(request)
        either: set[asyncio.Future[Any]] = {answer, refusal}
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if refusal.done():
                raise refusal.result()
            raise TimeoutError
        finally:
            del self._refusals[id(contract)]
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)

    def _on_error(self, _number: int, code: int, text: str, contract: Contract | None) -> None:
        """Refuse what ib_async would let wait for ever. Errors of a request are raised by itself; notes on the connection are none."""
        if code == CLIENT_IN_USE or (code == INVALID_REQUEST and contract is not None):
            self._refuse(contract, meaning(code, text))

    def _on_closed(self, text: str) -> None:
        said = f", {text!r}" if text else ""
        self._refuse(None, SourceDownError(f"it ended the connection{said}; allow this client in its API settings"))

    def _refuse(self, contract: Contract | None, error: SourceError) -> None:
        refusal = self._refusals.get(id(contract))
        if refusal is not None and not refusal.done():
            refusal.set_result(error)
