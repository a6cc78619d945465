"""A stand-in for TWS or IB Gateway on loopback, for the real client to talk to: contracts, daily bars, and all that goes wrong.

A message is a length of four bytes and text fields that each end at a NUL. The client greets with the versions that it speaks, the
gateway with the one it chooses; then the client starts the session, and the gateway tells accounts and the next valid number.
"""

import asyncio
import struct
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self

VERSION = 178
START, POSITIONS, DETAILS, BARS, CALL_OFF = "71", "61", "9", "20", "25"  # what the client asks
ERROR, NEXT_NUMBER, CONTRACT, ACCOUNTS, BARS_GIVEN, DETAILS_END, POSITIONS_END = 4, 9, 10, 15, 17, 52, 62  # what it is told
NOTES = ((2104, "Market data farm connection is OK:usfarm"), (2106, "HMDS data farm connection is OK:ushmds"), (2158, "Sec-def is OK"))
UNKNOWN = (200, "No security definition has been found for the request")
GRACE = 0.05  # seconds in which a request too many would arrive

Bar = tuple[date, float, float, float, float, float]  # session, open, high, low, close, volume in shares


@dataclass(frozen=True)
class Listing:
    """An instrument with its bars, oldest first."""

    bars: Sequence[Bar]
    name: str = "Some Company Inc"
    exchange: str = "NASDAQ"
    currency: str = "USD"
    industry: str = "Technology"
    category: str = "Computers"
    contracts: tuple[int, ...] = (1001,)


@dataclass(frozen=True)
class Refusal:
    """An error instead of data, for the first so many requests; for all of them where ``times`` is None."""

    code: int
    text: str
    times: int | None = None


class IbkrStandIn:
    """A gateway in a thread of its own. ``received`` has the fields of every message of the client, ``port`` where it listens.

    Symbols are written as Interactive Brokers does. ``silent`` ones get no bars and no error; at ``drop_at`` the connection is cut.
    With ``gather`` bars are held back until so many requests wait for them; ``most_at_once`` tells how many ever did.
    """

    def __init__(
        self,
        listings: Mapping[str, Listing],
        *,
        refuse_details: Mapping[str, Refusal] | None = None,
        refuse_bars: Mapping[str, Refusal] | None = None,
        silent: Collection[str] = (),
        drop_at: str | None = None,
        greets: bool = True,
        hangs_up: bool = False,
        client_in_use: bool = False,
        gather: int = 1,
    ) -> None:
        self.listings = listings
        self.refuse_details = refuse_details or {}
        self.refuse_bars = refuse_bars or {}
        self.silent = silent
        self.drop_at = drop_at
        self.greets = greets
        self.hangs_up = hangs_up
        self.client_in_use = client_in_use
        self.gather = gather
        self.received: list[tuple[str, ...]] = []
        self.most_at_once = 0
        self.port = 0
        self._held: list[Callable[[], None]] = []
        self._open: set[asyncio.StreamWriter] = set()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="stand-in")

    def __enter__(self) -> Self:
        self._thread.start()
        with self._changed:
            assert self._changed.wait_for(lambda: self.port, timeout=5)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def asked(self, message: str) -> list[tuple[str, ...]]:
        """The messages of one kind, in the order in which they came."""
        return [fields for fields in self.received if fields[0] == message]

    def everybody_left(self) -> bool:
        """Whether all clients hung up, be it in a moment."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout=5)

    def answer_in_company(self, answer: Callable[[], None]) -> None:
        """Give the answer when as many requests wait for theirs as are to be gathered."""
        self._held.append(answer)
        self.most_at_once = max(self.most_at_once, len(self._held))
        if self.gather == 1:
            self._release()
        elif len(self._held) == self.gather:
            self._loop.call_later(GRACE, self._release)

    def _release(self) -> None:
        held, self._held = self._held, []
        for answer in held:
            answer()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._welcome, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        with self._changed:
            self._changed.notify_all()
        await self._stop.wait()
        server.close()
        for writer in self._open:
            writer.close()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await _Conversation(self, reader, writer).hold()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client hung up
        finally:
            writer.close()
            with self._changed:
                self._open.discard(writer)
                self._changed.notify_all()


class _Conversation:
    """What is said on one connection."""

    def __init__(self, gateway: IbkrStandIn, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._gateway = gateway
        self._reader = reader
        self._writer = writer
        self._refused: Counter[tuple[str, str]] = Counter()

    async def hold(self) -> None:
        assert await self._reader.readexactly(4) == b"API\0"
        await self._read()
        if self._gateway.hangs_up:
            return
        if self._gateway.greets:
            self._say(VERSION, "20260109 09:00:00 EST")
        while True:
            fields = tuple((await self._read()).decode().split("\0")[:-1])
            self._gateway.received.append(fields)
            if fields[0] == START and self._gateway.client_in_use:
                self._say(ERROR, 2, -1, 326, "Unable to connect as the client id is already in use.", "")
                return
            self._answer(fields)

    async def _read(self) -> bytes:
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        return await self._reader.readexactly(length)

    def _say(self, *fields: object) -> None:
        message = "".join(f"{field}\0" for field in fields).encode()
        self._writer.write(struct.pack(">I", len(message)) + message)

    def _answer(self, fields: tuple[str, ...]) -> None:
        if fields[0] == START:
            self._open_session()
        elif fields[0] == POSITIONS:
            self._say(POSITIONS_END, 1)
        elif fields[0] == DETAILS:
            self._tell_details(number=fields[2], symbol=fields[4])
        elif fields[0] == BARS:
            self._gateway.answer_in_company(partial(self._tell_bars, fields))

    def _open_session(self) -> None:
        self._say(ACCOUNTS, 1, "DU000001")
        self._say(NEXT_NUMBER, 1, 1)
        for code, text in NOTES:
            self._error("-1", code, text)

    def _error(self, number: str, code: int, text: str) -> None:
        self._say(ERROR, 2, number, code, text, "")

    def _refuses(self, message: str, number: str, symbol: str, refusals: Mapping[str, Refusal]) -> bool:
        refusal = refusals.get(symbol)
        if refusal is None or self._refused[message, symbol] == refusal.times:
            return False
        self._refused[message, symbol] += 1
        self._error(number, refusal.code, refusal.text)
        return True

    def _tell_details(self, number: str, symbol: str) -> None:
        listing = self._gateway.listings.get(symbol)
        if self._refuses(DETAILS, number, symbol, self._gateway.refuse_details):
            return
        if listing is None:
            self._error(number, *UNKNOWN)
            return
        for contract in listing.contracts:
            self._say(*_details(number, symbol, contract, listing))
        self._say(DETAILS_END, 1, number)

    def _tell_bars(self, fields: tuple[str, ...]) -> None:
        number, symbol, end, span = fields[1], fields[3], fields[15], fields[17]
        if symbol == self._gateway.drop_at:
            self._writer.close()
        elif symbol not in self._gateway.silent and not self._refuses(BARS, number, symbol, self._gateway.refuse_bars):
            bars = _until(self._gateway.listings[symbol].bars, end, span)
            self._say(BARS_GIVEN, number, "", "", len(bars), *(field for bar in bars for field in _bar(bar)))


def _details(number: str, symbol: str, contract: int, listing: Listing) -> tuple[object, ...]:
    """The fields of a message about one instrument, most of which nobody here reads."""
    traded = (
        symbol,
        "STK",
        "",
        "0",
        "",
        "SMART",
        listing.currency,
        symbol,
        "NMS",
        "NMS",
        contract,
        "0.01",
        "",
        "LMT,MKT",
        "SMART",
        "1",
        "0",
    )
    about = (listing.name, listing.exchange, "", listing.industry, listing.category, "", "US/Eastern", "", "", "", "0")
    return (CONTRACT, number, *traded, *about, 0, "1", "", "", "26", "", "COMMON", "0.0001", "0.0001", "100")


def _until(bars: Sequence[Bar], end: str, span: str) -> list[Bar]:
    """So many bars, or the bars of so many years, until the end; the end is written as 20260108 23:59:59 UTC."""
    last = datetime.strptime(end[:8], "%Y%m%d").date()
    amount, unit = span.split()
    past = [bar for bar in bars if bar[0] <= last]
    if unit == "D":
        return past[-int(amount) :]
    return [bar for bar in past if bar[0] > last - timedelta(days=365.25 * int(amount))]


def _bar(bar: Bar) -> tuple[object, ...]:
    session, *prices, volume = bar
    return (f"{session:%Y%m%d}", *prices, volume, prices[-1], 1)
