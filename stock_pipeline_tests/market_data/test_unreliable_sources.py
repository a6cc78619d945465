"""Weeks with sources that fail at random: once they answer again, nothing of it is left in adjusted prices."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import CLOSE, KNOWN_TO, SESSION, SYMBOL
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.market_data import catalogue
from stock_pipeline.market_data.catalogue import SourceEntry
from stock_pipeline.market_data.reading import adjusted_bars
from stock_pipeline.market_data.sources.errors import ReportedDelistedError, RequestTimeoutError, SourceDownError, SourceError
from stock_pipeline.market_data.sources.source import Answer, MarketData, Offer, Request
from stock_pipeline.market_data.tables import BASIS, DAILY_BARS, RAW, SPLIT_ADJUSTED
from stock_pipeline.settings import QualitySettings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.market_rows import actions, bar, bars
from stock_pipeline_tests.harness.ingest_helpers import INGEST
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute, unchecked

SESSIONS = trading_calendar("XNYS").sessions_between(date(2024, 1, 2), date(2024, 2, 29))
SPLITS = {"A": {9: 2.0, 22: 0.5}, "B": {14: 3.0}, "C": {}}
RAW_CLOSES = {"A": 100.0, "B": 90.0, "C": 40.0}  # before the first split
FIRST_NIGHT = 5


def close(symbol: str, place: int, until: int | None = None) -> float:
    """The close as traded on a session, or adjusted for the splits until another."""
    price = RAW_CLOSES[symbol] * (1 + 0.01 * (place % 7))
    for split, ratio in SPLITS[symbol].items():
        price /= ratio if split <= place or (until is not None and split <= until) else 1.0
    return price


@dataclass
class Unreliable:
    """A source that fails now and then: as a whole, for a symbol, without the last bar, with a symbol called delisted."""

    name: str
    offers: frozenset[Offer]
    faults: random.Random | None
    now: int = 0
    is_archive = False
    is_closed = False

    def fetch(self, requests: Sequence[Request] | None) -> Iterator[Answer]:
        down = self.faults is not None and self.faults.random() < 0.25
        for request in requests or ():
            try:
                yield Answer(self._said(request, down))
            except SourceError as error:
                yield Answer(failures={request.symbol: error})

    def _said(self, request: Request, down: bool) -> MarketData:
        drawn = 1.0 if self.faults is None else self.faults.random()
        if down:
            raise SourceDownError("nobody there")
        if drawn < 0.1:
            raise RequestTimeoutError("too slow") if drawn < 0.07 else ReportedDelistedError("gone")
        last = self.now - (drawn < 0.2)
        tells = "actions" in self.offers
        places = [place for place in range(last + 1) if request.first <= SESSIONS[place] <= request.last]
        rows = [self._bar(request.symbol, place, tells) for place in places]
        splits = [(request.symbol, SESSIONS[at], "split", ratio) for at, ratio in SPLITS[request.symbol].items() if at in places]
        return MarketData(bars=bars(*rows), actions=actions(*splits) if tells else actions())

    def _bar(self, symbol: str, place: int, tells: bool) -> dict[str, Any]:
        price = close(symbol, place, None if tells else self.now)
        return bar(symbol, SESSIONS[place], price, **{BASIS: RAW if tells else SPLIT_ADJUSTED})


@pytest.mark.parametrize("seed", range(2))
def test_whatever_failed_adjusted_prices_are_right_once_both_sources_answer(
    seed: int, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = random.Random(seed)  # noqa: S311  (nothing is to be kept secret)
    broker = Unreliable("ibkr", frozenset({"bars"}), faults)
    web = Unreliable("yahoo", frozenset({"bars", "actions"}), faults)
    monkeypatch.setattr(catalogue, "CATALOGUE", (SourceEntry("ibkr", "", lambda _: broker), SourceEntry("yahoo", "", lambda _: web)))
    known = {"name": "ibkr", "fallbacks": ["yahoo"], "symbols": list(SPLITS), "history_from": SESSIONS[0], "refetch_sessions": 2}
    settings = plain_settings(stores.home, source=known)
    failed = 0
    for place in range(FIRST_NIGHT, len(SESSIONS)):
        broker.now = web.now = place
        if place == len(SESSIONS) - 1:
            broker.faults = web.faults = None
        try:
            execute(unchecked(INGEST), stores, settings, moment=datetime.combine(SESSIONS[place], time(23)))
        except StockPipelineError:
            failed += 1
    assert failed < len(SESSIONS) // 2
    last = len(SESSIONS) - 1
    in_force = stores.read(DAILY_BARS).filter(pl.col(KNOWN_TO).is_null())
    assert in_force.height == len(SPLITS) * len(SESSIONS)
    assert set(in_force[BASIS]) == {RAW}
    found = adjusted_bars(stores, SESSIONS[-1], QualitySettings(jump_ratio=1e9, suspect_ratio=1e9)).sort(SYMBOL, SESSION)[CLOSE].to_list()
    assert found == pytest.approx([close(symbol, place, last) for symbol in SPLITS for place in range(len(SESSIONS))])
