"""Yahoo Finance on loopback, as far as its client asks for it: prices with events, profiles, statements, and ways to fail.

    with YahooStandIn({"AAA": Listing(bars)}) as yahoo:
        YahooSource(settings, session=yahoo.session())

Listings are given as traded; prices, volumes and dividends are answered adjusted for later splits, as Yahoo does it.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

from curl_cffi.requests import Session

LOOPBACK = "127.0.0.1"
STALL_SECONDS = 30.0  # the longest that a stalled request is held; leaving the stand-in lets it go at once
OPENING, SECONDS_OF_A_SESSION = time(9, 30), 23400

CHART = "/v8/finance/chart/"
SUMMARY = "/v10/finance/quoteSummary/"
STATEMENTS = "/ws/fundamentals-timeseries/v1/finance/timeseries/"

Fault = Literal["missing", "delisted", "doesn't exist", "refused", "unauthorised", "garbage", "gateway", "stall", "drop"]
Reply = tuple[int, str]  # status and body
ERRORS: dict[Fault, Reply] = {  # status and description
    "missing": (404, "Quote not found for symbol"),
    "delisted": (404, "No data found, symbol may be delisted"),
    "doesn't exist": (400, "Data doesn't exist for startDate = 1, endDate = 2"),
    "refused": (422, "Invalid input"),
}
PAGES: dict[Fault, Reply] = {
    "unauthorised": (401, '{"finance": {"result": null, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}'),
    "garbage": (200, '{"chart": '),
    "gateway": (502, "<html>Bad Gateway</html>"),
}


@dataclass(frozen=True)
class TradedBar:
    """One session, as traded."""

    session: date
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Listing:
    """What the stand-in knows of a symbol. ``fault`` concerns its prices, ``faults_about`` its profile and statements."""

    bars: tuple[TradedBar, ...]
    splits: Mapping[date, float] = field(default_factory=dict)  # new shares per old one
    dividends: Mapping[date, float] = field(default_factory=dict)  # cash per share of that day
    nulls: frozenset[str] = frozenset()  # the columns that have no number at all
    lacks: frozenset[str] = frozenset()  # the columns that are not there
    has_adjclose: bool = True
    currency: str = "USD"
    zone: str = "America/New_York"
    profile: Mapping[str, str] = field(default_factory=dict)
    statements: Mapping[str, Mapping[date, float]] = field(default_factory=dict)
    fault: Fault | None = None
    faults_about: Fault | None = None


class LoopbackSession(Session[Any]):
    """Sends what is meant for https://HOST/PATH to http://127.0.0.1:port/HOST/PATH; ``on_request`` is told before."""

    def __init__(self, port: int, on_request: Callable[[str], object] | None = None) -> None:
        super().__init__(trust_env=False)
        self.port = port
        self.on_request = on_request
        self.limits: list[object] = []  # the timeout of each request, in seconds

    def request(self, method: Any, url: str, **given: Any) -> Any:  # type: ignore[override]
        self.limits.append(given.get("timeout"))
        if self.on_request:
            self.on_request(url)
        return super().request(method, f"http://{LOOPBACK}:{self.port}/{url.removeprefix('https://')}", **given)


class YahooStandIn:
    """A server with these listings on a free port, for as long as its context lasts.

    ``too_many`` is how many requests for a symbol's prices are answered with 429 first. ``paths`` are those asked for, in order.
    """

    def __init__(self, listings: Mapping[str, Listing], too_many: Mapping[str, int] | None = None) -> None:
        self.listings = dict(listings)
        self.too_many = Counter(too_many or {})
        self.paths: list[str] = []
        self.leaving = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self))
        self._server.daemon_threads = False  # so that closing the server waits for its threads
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> "YahooStandIn":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def session(self, on_request: Callable[[str], object] | None = None) -> LoopbackSession:
        """A session whose requests come here."""
        return LoopbackSession(self._server.server_address[1], on_request)

    def change(self, symbol: str, **changes: Any) -> None:
        """Have the symbol's listing differ from now on."""
        self.listings[symbol] = replace(self.listings[symbol], **changes)

    def asked(self, beginning: str) -> list[str]:
        """What came after ``beginning`` in the paths asked for."""
        return [path.removeprefix(beginning) for path in self.paths if path.startswith(beginning)]

    def reply(self, target: str) -> Reply | None:
        """Status and body for a target such as /HOST/PATH?QUERY, or None to hang up."""
        parts = urlsplit(target)
        path = unquote("/" + parts.path.split("/", 2)[2]) if parts.path.count("/") > 1 else parts.path
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self._lock:
            self.paths.append(path)
        if path.endswith("/getcrumb"):
            return 200, "crumb"
        for beginning, answer in ((CHART, self._chart), (SUMMARY, self._summary), (STATEMENTS, self._statements)):
            if path.startswith(beginning):
                return answer(path.removeprefix(beginning), query)
        return 404, "<html>not here</html>"

    def _chart(self, symbol: str, query: Mapping[str, str]) -> Reply | None:
        with self._lock:
            if self.too_many[symbol] > 0:
                self.too_many[symbol] -= 1
                return 429, "Too Many Requests"
        listing = self.listings.get(symbol)
        fault = listing.fault if listing else "missing"
        if listing is None or fault:
            return self._fail(fault or "missing", "chart")
        return 200, json.dumps({"chart": {"result": [_chart_of(symbol, listing, query)], "error": None}})

    def _summary(self, symbol: str, _query: Mapping[str, str]) -> Reply | None:
        listing = self.listings[symbol]
        if listing.faults_about:
            return self._fail(listing.faults_about, "quoteSummary")
        profile = {"quoteType": {"longName": listing.profile.get("name")}, "assetProfile": dict(listing.profile)}
        return 200, json.dumps({"quoteSummary": {"result": [profile], "error": None}})

    def _statements(self, symbol: str, query: Mapping[str, str]) -> Reply | None:
        listing = self.listings[symbol]
        if listing.faults_about:
            return self._fail(listing.faults_about, "timeseries")
        result = [_statement(symbol, listing, kind) for kind in query["type"].split(",")]
        return 200, json.dumps({"timeseries": {"result": result, "error": None}})

    def _fail(self, fault: Fault, envelope: str) -> Reply | None:
        if fault == "stall":
            self.leaving.wait(STALL_SECONDS)
        if fault in ("stall", "drop"):
            return None
        if fault in PAGES:
            return PAGES[fault]
        status, description = ERRORS[fault]
        return status, json.dumps({envelope: {"result": None, "error": {"code": "Error", "description": description}}})


def _handler(standin: YahooStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = standin.reply(self.path)
            if reply is None:
                return  # HTTP/1.0: the connection closes without an answer
            status, body = reply[0], reply[1].encode()
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler


def _opening(listing: Listing, session: date) -> int:
    return int(datetime.combine(session, OPENING, ZoneInfo(listing.zone)).timestamp())


def _later_ratio(listing: Listing, session: date) -> float:
    ratio = 1.0
    for day, value in listing.splits.items():
        ratio *= value if day > session else 1.0
    return ratio


def _chart_of(symbol: str, listing: Listing, query: Mapping[str, str]) -> dict[str, Any]:
    first, end = int(query["period1"]), int(query["period2"])
    bars = [bar for bar in listing.bars if first <= _opening(listing, bar.session) < end]
    chart: dict[str, Any] = {"meta": _meta(symbol, listing), "indicators": {"quote": [{}]}}
    if not bars:
        return chart
    chart["timestamp"] = [_opening(listing, bar.session) for bar in bars]
    chart["indicators"]["quote"] = [_columns(listing, bars)]
    if listing.has_adjclose:
        chart["indicators"]["adjclose"] = [{"adjclose": [0.9 * bar.close / _later_ratio(listing, bar.session) for bar in bars]}]
    return chart | {"events": _events(listing, first, end)}


def _meta(symbol: str, listing: Listing) -> dict[str, Any]:
    opening = _opening(listing, listing.bars[-1].session) if listing.bars else 0
    return {
        "symbol": symbol,
        "currency": listing.currency,
        "fullExchangeName": "NasdaqGS",
        "instrumentType": "EQUITY",
        "regularMarketTime": opening + SECONDS_OF_A_SESSION,
        "exchangeTimezoneName": listing.zone,
        "dataGranularity": "1d",
        "validRanges": ["1d", "max"],
    }


def _columns(listing: Listing, bars: list[TradedBar]) -> dict[str, list[float | None]]:
    ratios = [_later_ratio(listing, bar.session) for bar in bars]
    columns: dict[str, list[float | None]] = {
        name: [getattr(bar, name) / ratio for bar, ratio in zip(bars, ratios, strict=True)] for name in ("open", "high", "low", "close")
    }
    columns["volume"] = [int(bar.volume * ratio) for bar, ratio in zip(bars, ratios, strict=True)]
    return {name: [None] * len(bars) if name in listing.nulls else values for name, values in columns.items() if name not in listing.lacks}


def _events(listing: Listing, first: int, end: int) -> dict[str, dict[str, dict[str, float]]]:
    splits = {_opening(listing, day): {"numerator": ratio, "denominator": 1.0} for day, ratio in listing.splits.items()}
    dividends = {_opening(listing, day): {"amount": cash / _later_ratio(listing, day)} for day, cash in listing.dividends.items()}
    return {
        kind: {str(moment): {"date": moment, **event} for moment, event in events.items() if first <= moment < end}
        for kind, events in (("splits", splits), ("dividends", dividends))
    }


def _statement(symbol: str, listing: Listing, kind: str) -> dict[str, Any]:
    values = listing.statements.get(kind, {})
    head = {"meta": {"symbol": [symbol], "type": [kind]}}
    if not values:
        return head
    reported = [
        {"asOfDate": day.isoformat(), "currencyCode": listing.currency, "reportedValue": {"raw": value}} for day, value in values.items()
    ]
    moments = [int(datetime.combine(day, time(), UTC).timestamp()) for day in values]
    return head | {"timestamp": moments, kind: [*reported, None]}  # Yahoo leaves holes
