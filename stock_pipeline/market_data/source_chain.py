"""The chain of sources: each is asked for what those before it could not give. Nothing is written here."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from stock_pipeline.core.columns import CLOSE, SESSION, SOURCE, SYMBOL
from stock_pipeline.market_data.corporate_actions import undo_splits
from stock_pipeline.market_data.sources.errors import NoDataError, SourceError
from stock_pipeline.market_data.sources.source import FRAMES, Answer, MarketData, Request, Source
from stock_pipeline.market_data.tables import ACTIONS_KNOWN, BASIS, ITEM, KIND, PERIOD, PERIOD_END, SPLIT_ADJUSTED

STALE = "stale"
Ask = Callable[[Source, Sequence[Request]], Iterator[Answer]]


@dataclass(frozen=True)
class Failure:
    """Why a source could not serve a symbol: the reason in a word or two, and the source's own words."""

    symbol: str
    source: str
    reason: str
    message: str


@dataclass(frozen=True)
class SourceStats:
    """What one source was asked and how long it took."""

    source: str
    symbols_asked: int
    seconds: float


@dataclass(frozen=True)
class Gathered:
    """What all sources together gave, each row with its ``source``; ``bars`` also say whether actions are known.

    ``compared`` holds bars that a second source gave of sessions that a first had served.
    """

    bars: pl.DataFrame
    actions: pl.DataFrame
    instruments: pl.DataFrame
    fundamentals: pl.DataFrame
    compared: pl.DataFrame
    tallies: tuple[SourceStats, ...]
    failures: tuple[Failure, ...] = ()


def fetch_all(source: Source) -> Gathered:
    """All that an archive has."""
    began = time.perf_counter()
    (answer,) = source.fetch(None)
    frames = _sourced([(source, answer.data)])
    known = pl.lit(value=True) if "actions" in source.offers else pl.col("adj_close").is_not_null()
    frames["bars"] = frames["bars"].with_columns(known.alias(ACTIONS_KNOWN))
    tally = SourceStats(source.name, frames["bars"][SYMBOL].drop_nulls().n_unique(), time.perf_counter() - began)
    return Gathered(**frames, compared=frames["bars"].clear(), tallies=(tally,), failures=())


@dataclass
class _Asked:
    """What has come so far."""

    parts: list[tuple[Source, MarketData]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    tallies: dict[str, SourceStats] = field(default_factory=dict)


def ask_in_order(
    sources: Sequence[Source],
    requests: Sequence[Request],
    ask: Ask,
    completed: date,
    report_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Gathered:
    """The data of every symbol from the first source that serves it, its splits and dividends from the first that offers them.

    A symbol whose latest bar is older than the last session asked for is not served well: its bars are kept, and the next source
    is asked for it as well.

    Args:
        sources: in the order of preference.
        requests: one per symbol.
        ask: puts requests to a source; ``answer_cache.Landing.ask`` caches the answers.
        completed: the last session that has ended. Prices that come adjusted for splits are adjusted for those until then.
        report_progress: called with the name of the source, symbols answered and symbols asked.
    """
    asked = _Asked()
    left = list(requests)
    without_actions: list[Request] = []
    for source in sources:
        # One source's bars with another's splits: without them the bars could not be stored as traded.
        extra = [replace(request, last=max(request.last, completed)) for request in without_actions if "actions" in source.offers]
        if not left and not extra:
            continue
        failed = _put(source, [*left, *extra], asked, ask, report_progress)
        served = [request for request in left if request.symbol not in failed]
        without_actions = [request for request in without_actions if not extra or request.symbol in failed]
        without_actions += [] if "actions" in source.offers else served
        left = [request for request in left if request.symbol in failed]
    return _together(asked)


def _put(
    source: Source, requests: Sequence[Request], asked: _Asked, ask: Ask, report_progress: Callable[[str, int, int], None]
) -> set[str]:
    """Ask one source, add its answers to ``asked``, and return the symbols that it did not serve."""
    began = time.perf_counter()
    last = {request.symbol: request.last for request in requests}
    problems: dict[str, Failure] = {}
    answered: set[str] = set()
    for answer in ask(source, requests):
        asked.parts.append((source, answer.data))
        latest = dict(answer.data.bars.group_by(SYMBOL).agg(pl.col(SESSION).max()).iter_rows())
        problems |= {symbol: _named(error, source, symbol) for symbol, error in answer.failures.items()}
        for symbol, session in latest.items():
            if symbol not in problems and session < last[symbol]:
                problems[symbol] = Failure(symbol, source.name, STALE, f"its latest bar is of {session}, not of {last[symbol]}")
        answered |= latest.keys() | answer.failures.keys()
        report_progress(source.name, len(answered), len(requests))
    for symbol in sorted(last.keys() - answered):
        problems[symbol] = _named(NoDataError("it gave neither bars nor a reason"), source, symbol)
    asked.failures += problems.values()
    asked.tallies[source.name] = SourceStats(source.name, len(requests), time.perf_counter() - began)
    return set(problems)


def _named(error: SourceError, source: Source, symbol: str) -> Failure:
    return Failure(symbol, source.name, error.word, " ".join(str(error).split()))


def _together(asked: _Asked) -> Gathered:
    order = {name: place for place, name in enumerate(asked.tallies)}
    frames = _sourced(asked.parts)
    actions = _of_the_first(frames["actions"], order, (SYMBOL, SESSION, KIND))
    with_actions = {source.name for source, _ in asked.parts if "actions" in source.offers}
    served_badly = {(failure.symbol, failure.source) for failure in asked.failures}
    badly = pl.DataFrame(sorted(served_badly), schema={SYMBOL: pl.String, SOURCE: pl.String}, orient="row")
    # A source that lacks the last bar lacks its split too.
    reporting = (
        frames["bars"].filter(pl.col(SOURCE).is_in(sorted(with_actions))).join(badly, on=[SYMBOL, SOURCE], how="anti")[SYMBOL].unique()
    )
    known = pl.col(SYMBOL).is_in(reporting.implode()) | pl.col("adj_close").is_not_null()
    bars = _as_traded(frames["bars"].with_columns(known.alias(ACTIONS_KNOWN)), actions)
    chosen, others = _best_of_each_session(bars, order, badly)
    return Gathered(
        bars=chosen,
        actions=actions,
        instruments=_merged_instruments(frames["instruments"], order),
        fundamentals=_of_the_first(frames["fundamentals"], order, (SYMBOL, PERIOD_END, PERIOD, ITEM)),
        compared=others,
        tallies=tuple(asked.tallies.values()),
        failures=tuple(asked.failures),
    )


def _sourced(parts: Iterable[tuple[Source, MarketData]]) -> dict[str, pl.DataFrame]:
    """The frames of ``MarketData`` by name, each row with its ``source``."""
    named = [(data, pl.lit(source.name).alias(SOURCE)) for source, data in parts]
    return {name: pl.concat([getattr(data, name).with_columns(name_of_source) for data, name_of_source in named]) for name in FRAMES}


def _as_traded(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    adjusted = (pl.col(BASIS) == SPLIT_ADJUSTED) & pl.col(ACTIONS_KNOWN)
    if bars.filter(adjusted).is_empty():
        return bars
    return pl.concat([bars.filter(~adjusted), undo_splits(bars.filter(adjusted), actions)])


def _best_of_each_session(bars: pl.DataFrame, order: dict[str, int], badly: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bar of each symbol and session from the source that served the symbol well, or else was asked first; and the other bars.

    ``badly`` has symbol and source of the symbols that a source did not serve well.
    """
    ranked = (
        bars.join(badly.with_columns(pl.lit(value=True).alias("badly")), on=[SYMBOL, SOURCE], how="left")
        .with_columns(pl.col(SOURCE).replace_strict(order, return_dtype=pl.Int32).alias("order"), pl.col("badly").fill_null(value=False))
        .sort("badly", "order", maintain_order=True)
        .drop("badly", "order")
    )
    first_source = pl.col(SOURCE) == pl.col(SOURCE).first().over(SYMBOL, SESSION)
    # Every row of one source is kept: a bar that it gives twice is for the quality rules to find.
    return ranked.filter(first_source), ranked.filter(~first_source).select(SYMBOL, SESSION, CLOSE, BASIS, SOURCE)


def _of_the_first(frame: pl.DataFrame, order: dict[str, int], key: Sequence[str]) -> pl.DataFrame:
    """The rows of each key from the source that was asked first, which may report two dividends of one session."""
    return _in_order(frame, order).filter(pl.col(SOURCE) == pl.col(SOURCE).first().over(*key))


def _merged_instruments(frame: pl.DataFrame, order: dict[str, int]) -> pl.DataFrame:
    """One row per symbol: each particular from the first source that has it."""
    return _in_order(frame, order).group_by(SYMBOL, maintain_order=True).agg(pl.exclude(SYMBOL).drop_nulls().first())


def _in_order(frame: pl.DataFrame, order: dict[str, int]) -> pl.DataFrame:
    return frame.sort(pl.col(SOURCE).replace_strict(order, return_dtype=pl.Int32), maintain_order=True)


def only(gathered: Gathered, symbols: Sequence[str]) -> Gathered:
    """The part of ``gathered`` that is about those symbols."""
    wanted = pl.col(SYMBOL).is_in(list(symbols))
    return replace(gathered, **{name: getattr(gathered, name).filter(wanted) for name in (*FRAMES, "compared")})
