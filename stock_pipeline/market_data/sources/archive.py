"""Answering requests from an archive, whose data is all there."""

from collections.abc import Sequence

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.market_data.sources.errors import NoDataError, SourceError, UnknownSymbolError
from stock_pipeline.market_data.sources.source import FRAMES, Answer, MarketData, Request

FIRST, LAST, ABOUT = "first", "last", "about"


def answer(data: MarketData, requests: Sequence[Request] | None, source: str) -> Answer:
    """One answer with what the requests ask for, in the order of ``data``; with all of ``data`` where ``requests`` is None.

    Bars and actions are those of the sessions asked for; instruments and fundamentals are left out where they were not asked for.
    Two requests for one symbol are answered as one, from the earlier first session to the later last session.

    Returns:
        The rows, and a failure for each symbol without a bar: UnknownSymbolError where ``data`` has no row of it at all,
        else NoDataError. Other rows of such a symbol are in the answer nevertheless.
    """
    if requests is None:
        return Answer(data)
    asked = _asked(requests)
    particulars = asked.filter(ABOUT)
    cut = MarketData(
        bars=_sessions(data.bars, asked),
        actions=_sessions(data.actions, asked),
        instruments=data.instruments.join(particulars, on=SYMBOL, how="semi", maintain_order="left"),
        fundamentals=data.fundamentals.join(particulars, on=SYMBOL, how="semi", maintain_order="left"),
    )
    return Answer(cut, _failures(asked.join(cut.bars, on=SYMBOL, how="anti", maintain_order="left"), data, source))


def _asked(requests: Sequence[Request]) -> pl.DataFrame:
    rows = [(request.symbol, request.first, request.last, request.about) for request in requests]
    columns = {SYMBOL: pl.String, FIRST: pl.Date, LAST: pl.Date, ABOUT: pl.Boolean}
    asked = pl.DataFrame(rows, schema=columns, orient="row")
    return asked.group_by(SYMBOL, maintain_order=True).agg(pl.col(FIRST).min(), pl.col(LAST).max(), pl.col(ABOUT).any())


def _sessions(rows: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    wanted = rows.join(asked, on=SYMBOL, how="inner", maintain_order="left")
    return wanted.filter(pl.col(SESSION).is_between(FIRST, LAST)).select(rows.columns)


def _failures(without_bars: pl.DataFrame, data: MarketData, source: str) -> dict[str, SourceError]:
    known = set(pl.concat([getattr(data, name).select(SYMBOL) for name in FRAMES])[SYMBOL].unique())
    return {
        symbol: NoDataError(f"source {source} has no bar of {symbol} from {first} to {last}")
        if symbol in known
        else UnknownSymbolError(f"source {source} has nothing about {symbol}")
        for symbol, first, last, _about in without_bars.iter_rows()
    }
