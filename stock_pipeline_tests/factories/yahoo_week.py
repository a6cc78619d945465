"""A week of bars that the stand-in of Yahoo tells, and how the source is asked for them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from stock_pipeline.core.columns import SYMBOL
from stock_pipeline.market_data.sources.errors import (
    SourceError,
)
from stock_pipeline.market_data.sources.source import Answer, Request
from stock_pipeline.market_data.sources.yahoo import YahooSource
from stock_pipeline.market_data.tables import RAW
from stock_pipeline.settings import YahooSettings
from stock_pipeline_tests.standins.yahoo import Listing, TradedBar, YahooStandIn

MONDAY = date(2024, 6, 3)
WEEK = [MONDAY + timedelta(days=days) for days in range(5)]
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = WEEK[1:]
SETTINGS = YahooSettings(request_seconds=20, retries=3, retry_delay_seconds=0.5)
NOT_AT_ONCE = SETTINGS.model_copy(update={"requests_at_once": 1})


def bar(session: date, close: float, volume: float = 1200.0) -> TradedBar:
    return TradedBar(session, close - 0.25, close + 0.5, close - 0.5, close, volume)


# 3 for 1 on Wednesday and 1 for 4 on Friday: prices as they were traded.
SPLIT_WEEK = Listing(
    bars=tuple(map(bar, WEEK, [301.13, 304.27, 101.5, 102.01, 408.09])),
    splits={WEDNESDAY: 3.0, FRIDAY: 0.25},
    dividends={TUESDAY: 0.9, THURSDAY: 0.31},
)
QUIET_WEEK = Listing(bars=tuple(bar(day, 50.0 + n) for n, day in enumerate(WEEK)))
ABOUT = replace(
    SPLIT_WEEK,
    profile={"name": "Triple A", "sector": "Technology", "industry": "Semiconductors"},
    statements={
        "annualTotalRevenue": {date(2022, 12, 31): 400.0, date(2023, 12, 31): 500.0},
        "quarterlyTotalRevenue": {date(2024, 3, 31): 130.0},
        "quarterlyStockholdersEquity": {date(2024, 3, 31): 900.0},
        "quarterlyOrdinarySharesNumber": {date(2024, 3, 31): 77.0},
    },
)


def request(symbol: str, first: date = MONDAY, last: date = FRIDAY, about: bool = False) -> Request:
    return Request(symbol, first, last, about)


def no_wait(seconds: float) -> None:
    raise AssertionError(f"waited {seconds} s")


def fetched(
    yahoo: YahooStandIn, *requests: Request, settings: YahooSettings = SETTINGS, wait: Callable[[float], None] = no_wait
) -> list[Answer]:
    return list(YahooSource(settings, yahoo.session(), wait=wait).fetch(requests))


def failures(answers: Sequence[Answer]) -> dict[str, SourceError]:
    return {symbol: error for answer in answers for symbol, error in answer.failures.items()}


def kinds(answers: Sequence[Answer]) -> dict[str, type[SourceError]]:
    return {symbol: type(error) for symbol, error in failures(answers).items()}


def the_failure(listing: Listing, **how: Any) -> SourceError:
    with YahooStandIn({"AAA": listing}) as yahoo:
        [answer] = fetched(yahoo, request("AAA"), **how)
    assert answer.data.bars.is_empty()
    return answer.failures["AAA"]


def as_traded(symbol: str, bars: Sequence[TradedBar], currency: str = "USD") -> list[tuple[Any, ...]]:
    return [(symbol, b.session, b.open, b.high, b.low, b.close, b.volume, None, RAW, currency, None) for b in bars]


def served(answers: Sequence[Answer]) -> set[str]:
    return {symbol for answer in answers for symbol in answer.data.bars[SYMBOL].unique()}
