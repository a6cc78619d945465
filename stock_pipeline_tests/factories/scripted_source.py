"""A live source that says what a script has it say, in this process or in another one that may be killed."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.market_data.answer_cache import Landing
from stock_pipeline.market_data.sources.errors import SourceError, UnknownSymbolError
from stock_pipeline.market_data.sources.source import Answer, MarketData, Offer, Request
from stock_pipeline_tests.factories.market_rows import DAYS, actions, bars, series

PROJECT = Path(__file__).resolve().parents[2]
EVERYTHING: frozenset[Offer] = frozenset({"bars", "actions", "instruments", "fundamentals"})
WITHOUT_ACTIONS: frozenset[Offer] = frozenset({"bars", "instruments"})
SYMBOLS = ("A", "B", "C", "D", "E")
ASKED, ANSWERED, STOPPED = "asked", "answered", "stopped"  # what the other process says


@dataclass
class ScriptedSource:
    """A source that has what ``script`` holds of a symbol; one that it does not name is unknown. ``asked`` is every request, in order.

    Bars and actions outside of a request are left out, and particulars and fundamentals where the request is not about them. An
    ``Answer`` is given as it is.
    """

    script: Mapping[str, MarketData | SourceError | Answer]
    name: str = "yahoo"
    offers: frozenset[Offer] = EVERYTHING
    is_archive: bool = False
    is_closed: bool = False
    asked: list[Request] = field(default_factory=list)
    on_request: Callable[[Request], object] = field(default=lambda _: None)

    @property
    def symbols_asked(self) -> list[str]:
        """The symbols of the requests."""
        return [request.symbol for request in self.asked]

    def fetch(self, requests: Sequence[Request] | None) -> Iterator[Answer]:
        """One answer a symbol, each when it is waited for."""
        assert requests is not None, "a live source has no list of its symbols"
        for request in requests:
            self.asked.append(request)
            self.on_request(request)
            yield self._answer(request)

    def _answer(self, request: Request) -> Answer:
        said = self.script.get(request.symbol, UnknownSymbolError(f"there is no {request.symbol}"))
        if isinstance(said, Answer):
            return said
        return Answer(_asked_for(said, request)) if isinstance(said, MarketData) else Answer(failures={request.symbol: said})


def _asked_for(data: MarketData, request: Request) -> MarketData:
    inside = pl.col(SESSION).is_between(request.first, request.last)
    cut = replace(data, bars=data.bars.filter(inside), actions=data.actions.filter(inside))
    return cut if request.about else MarketData(bars=cut.bars, actions=cut.actions)


def told(symbol: str, closes: Sequence[float | None], *acts: tuple[str, Any, str, float], **others: Any) -> MarketData:
    """Bars of ``symbol`` from the first of DAYS on, and actions."""
    return MarketData(bars=bars(*series(symbol, closes, **others)), actions=actions(*acts))


def requests(symbols: Sequence[str], first: int = 0, last: int = 2, about: bool = False) -> list[Request]:
    """A request for each symbol, of sessions by their place among DAYS."""
    return [Request(symbol, DAYS[first], DAYS[last], about) for symbol in symbols]


def five_symbols() -> ScriptedSource:
    """What the other process asks: three bars and a dividend of each symbol."""
    dividends = {symbol: (symbol, DAYS[1], "dividend", 0.5) for symbol in SYMBOLS}
    return ScriptedSource({symbol: told(symbol, [n, n + 1.0, n + 2.0], dividends[symbol]) for n, symbol in enumerate(SYMBOLS, 1)})


@contextmanager
def other_process(home: Path, stop_at: str = "") -> Iterator["subprocess.Popen[str]"]:
    """A process that asks for SYMBOLS by way of the landing under ``home``, and stops halfway through writing ``stop_at``."""
    command = [sys.executable, "-m", __name__, str(home), stop_at]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def _stop_while_landing(symbol: str) -> None:
    """Have the first file of the symbol's answer be the last that is written until somebody says more."""
    write = pl.DataFrame.write_parquet

    def write_and_stop(frame: pl.DataFrame, *arguments: Any, **named: Any) -> None:
        write(frame, *arguments, **named)
        if symbol in frame.get_column(SYMBOL):
            _say(STOPPED)
            sys.stdin.readline()

    pl.DataFrame.write_parquet = write_and_stop  # type: ignore[assignment, method-assign]


def _ask_for_all(home: Path) -> None:
    source = replace(five_symbols(), on_request=lambda request: _say(ASKED, request.symbol))
    for answer in Landing(home, DAYS[2]).ask(source, requests(SYMBOLS)):
        _say(ANSWERED, *answer.data.bars[SYMBOL].unique())


if __name__ == "__main__":
    if sys.argv[2]:
        _stop_while_landing(sys.argv[2])
    _ask_for_all(Path(sys.argv[1]))
