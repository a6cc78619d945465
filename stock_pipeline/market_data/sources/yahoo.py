"""``yahoo``: daily bars, splits, dividends, profiles and fundamentals of Yahoo Finance, through the client yfinance."""

import logging
import multiprocessing.util
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.errors import NoDataError, OutOfTimeError, RateLimitedError, SourceDownError, SourceError
from stock_pipeline.market_data.sources.source import Answer, MarketData, Offer, Request
from stock_pipeline.market_data.sources.yahoo_answers import (
    STATEMENT_TYPES,
    fundamentals,
    instrument,
    meaning,
    raw_market_data,
    yahoo_symbol,
)
from stock_pipeline.settings import YahooSettings

if TYPE_CHECKING:
    import yfinance as yf
    from curl_cffi.requests import Session

T = TypeVar("T")

SUMMARY_URL = "https://query2.finance.yahoo.com/v10/finance/quoteSummary/{}"
STATEMENTS_URL = "https://query2.finance.yahoo.com/ws/fundamentals-timeseries/v1/finance/timeseries/{}"
STATEMENTS_FROM = datetime(2016, 12, 31, tzinfo=UTC)  # Yahoo gives four years and five quarters, however early one asks from
BAD_GATEWAYS = (502, 503, 504)
DOWN_IN_A_ROW = 3  # after so many symbols without a connection the others are not tried
DAY = timedelta(days=1)

log = logging.getLogger(__name__)
# The client tells its troubles to the log too; where nobody has set up a log, they are not to end up on the screen.
UNHEARD = logging.NullHandler()


class YahooSource:
    """Bars are raw as traded, see ``raw_market_data``; ``adj_close`` is always null, as Yahoo gives the actions themselves.

    A volume that Yahoo lacks is 0, for so the client gives it. ``session`` is the curl_cffi session to use, which is given away:
    from then on its requests end within ``settings.request_seconds``.
    """

    name = "yahoo"
    is_archive = False
    is_closed = False
    offers: frozenset[Offer] = frozenset({"bars", "actions", "instruments", "fundamentals"})

    def __init__(
        self,
        settings: YahooSettings,
        session: "Session[Any] | None" = None,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._given_session = session
        self._wait = wait
        self._clock = clock
        self._session: Session[Any] | None = None

    def fetch(self, requests: Sequence[Request] | None) -> Iterator[Answer]:
        """One answer for each request, as they arrive; closing the iterator drops what has not been asked yet.

        Raises:
            InputError: no symbols were given.
        """
        if requests is None:
            raise InputError("source yahoo has no list of its symbols: name them in source.symbols, or a file in source.universe_path")
        return self._answers(requests)

    def _answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        from curl_cffi.requests import Session

        self._session = self._session or _punctual(self._given_session or Session(impersonate="chrome"), self.settings.request_seconds)
        _prepare_client()
        visit = _Visit(self._clock, self.settings.budget_seconds)
        pool = ThreadPoolExecutor(self.settings.requests_at_once, thread_name_prefix="yahoo")
        try:
            asked = {pool.submit(self._answer, request, visit): request for request in requests}
            yield from _as_they_come(asked, self.settings.budget_seconds)
        finally:
            visit.over.set()
            pool.shutdown(cancel_futures=True)

    def _answer(self, request: Request, visit: "_Visit") -> Answer:
        try:
            visit.check()
            data = self._data(request, yahoo_symbol(request.symbol), visit)
        except SourceError as error:
            visit.note(error)
            return _failure(request, error)
        visit.note(None)
        return Answer(data)

    def _data(self, request: Request, symbol: str, visit: "_Visit") -> MarketData:
        import yfinance as yf

        # With a zone at hand the client spares itself a request to learn it. Any will do: sessions are cut by the exchange's own.
        yf.cache.get_tz_cache().store(symbol, "UTC")
        ticker = yf.Ticker(symbol, session=self._session)
        data = self._patiently(visit, lambda: self._history(ticker, request))
        return self._with_particulars(data, request, ticker, visit) if request.about else data

    def _history(self, ticker: "yf.Ticker", request: Request) -> MarketData:
        from yfinance.exceptions import YFPricesMissingError

        try:
            # From a day early, as some exchanges open on the eve in UTC; up to now, for the splits since ``request.last``.
            history = ticker.history(
                start=request.first - DAY,
                end=max(datetime.now(UTC).date() + DAY, request.last) + DAY,
                auto_adjust=False,
                actions=True,
                timeout=self.settings.request_seconds,
            )
        except YFPricesMissingError as error:
            # The client takes a known symbol without a bar for one that may be delisted; Yahoo did not say so.
            if error.yahoo_reason is None and ticker.get_history_metadata().get("symbol"):
                raise NoDataError(f"Yahoo has no bar since {request.first}") from error
            raise
        return raw_market_data(request, history, ticker.get_history_metadata().get("currency"))

    def _with_particulars(self, data: MarketData, request: Request, ticker: "yf.Ticker", visit: "_Visit") -> MarketData:
        """With the instrument and its fundamentals as far as they can be had: what fails is logged, the bars are kept."""
        steps: dict[str, Callable[[], MarketData]] = {
            "profile": lambda: replace(data, instruments=self._instrument(request, ticker)),
            "fundamentals": lambda: replace(data, fundamentals=self._fundamentals(request, ticker)),
        }
        for what, step in steps.items():
            try:
                data = self._patiently(visit, step)
            except SourceError as error:
                log.warning("yahoo gave no %s of %s: %s", what, request.symbol, error)
        return data

    def _instrument(self, request: Request, ticker: "yf.Ticker") -> Any:
        summary = self._json(SUMMARY_URL.format(ticker.ticker), {"modules": "quoteType,assetProfile", "formatted": "false"})
        return instrument(request.symbol, summary, ticker.get_history_metadata())

    def _fundamentals(self, request: Request, ticker: "yf.Ticker") -> Any:
        # One request instead of the client's four, and with the currency, which its frames leave out.
        period = {"period1": int(STATEMENTS_FROM.timestamp()), "period2": int(datetime.now(UTC).timestamp())}
        answer = self._json(STATEMENTS_URL.format(ticker.ticker), {"symbol": ticker.ticker, "type": ",".join(STATEMENT_TYPES), **period})
        return fundamentals(request.symbol, answer)

    def _json(self, url: str, parameters: Mapping[str, object]) -> Any:
        from yfinance.data import YfData

        return YfData(session=self._session).get_raw_json(url, params=dict(parameters), timeout=self.settings.request_seconds)

    def _patiently(self, visit: "_Visit", ask: Callable[[], T]) -> T:
        """What ``ask`` gives, asked again after twice the wait each time that Yahoo says too many; every error is a SourceError."""
        delay = self.settings.retry_delay_seconds
        for _ in range(self.settings.retries):
            try:
                return _answered(ask)
            except RateLimitedError:
                self._wait(delay)
                visit.check()
                delay *= 2
        return _answered(ask)


class _Visit:
    """The state that the workers of one fetch share: whether there is still time, and whether Yahoo answers."""

    def __init__(self, clock: Callable[[], float], budget_seconds: float) -> None:
        self.over = threading.Event()
        self._clock = clock
        self._deadline = clock() + budget_seconds
        self._lock = threading.Lock()
        self._down_in_a_row = 0
        self._last_words = ""

    def check(self) -> None:
        """Raise an error once another request would be in vain.

        Raises:
            SourceDownError: several requests in a row found no one answering.
            OutOfTimeError: the time is used up, or nobody waits for the answer any more.
        """
        with self._lock:
            if self._down_in_a_row >= DOWN_IN_A_ROW:
                raise SourceDownError(self._last_words)
        if self.over.is_set() or self._clock() >= self._deadline:
            raise _out_of_time()

    def note(self, error: SourceError | None) -> None:
        """Remember how a symbol fared."""
        with self._lock:
            self._down_in_a_row = self._down_in_a_row + 1 if isinstance(error, SourceDownError) else 0
            self._last_words = str(error)


def _as_they_come(asked: Mapping[Future[Answer], Request], seconds: float) -> Iterator[Answer]:
    waiting = dict(asked)
    try:
        for future in as_completed(asked, timeout=seconds):
            del waiting[future]
            yield future.result()
    except TimeoutError:
        for future, request in waiting.items():
            too_late = future.cancel() or not future.done()
            yield _failure(request, _out_of_time()) if too_late else future.result()


def _out_of_time() -> OutOfTimeError:
    return OutOfTimeError("the time of source.yahoo.budget_seconds is used up")


def _failure(request: Request, error: SourceError) -> Answer:
    return Answer(failures={request.symbol: error})


def _answered(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Exception as error:
        # An answer of unexpected shape makes the client raise anything, from KeyError to AttributeError.
        found = meaning(error)
        raise found from (None if found is error else error)


def _punctual(session: "Session[Any]", seconds: float) -> "Session[Any]":
    """The session with a limit for every request: those for cookies and crumbs the client makes with limits of its own."""
    ask = session.request

    def request(method: Any, url: str, **given: Any) -> Any:
        response = ask(method, url, **{**given, "timeout": seconds})
        # The client would hand us the gateway's page as an answer without JSON. Cookies come from other hosts, and may fail.
        if response.status_code in BAD_GATEWAYS and (urlsplit(url).hostname or "").startswith("query"):
            raise SourceDownError(f"Yahoo's gateway answers {response.status_code}")
        return response

    session.request = request  # type: ignore[assignment, method-assign]
    return session


def _prepare_client() -> None:
    import yfinance as yf
    from yfinance.data import YfData

    logging.getLogger("yfinance").addHandler(UNHEARD)
    yf.config.debug.hide_exceptions = False
    # Its use of pandas is not ours to mend, and would be reported for every symbol.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"yfinance\.")
    _use_private_folder()
    YfData.cache_get.cache_clear()  # it would remember a 404 for as long as the process lives


@cache
def _use_private_folder() -> None:
    """Have the client keep its cookies in a folder of this process, which goes when the process ends."""
    import yfinance as yf

    folder = tempfile.mkdtemp(prefix="stock-pipeline-yahoo-")
    # atexit does not run in the children of a fork server; this does, there and everywhere.
    multiprocessing.util.Finalize(None, shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, exitpriority=0)
    yf.set_tz_cache_location(folder)
    yf.cache.get_tz_cache().store("", "UTC")  # opened here, as two threads opening it at once would get in each other's way
