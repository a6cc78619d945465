"""What a source gave, made ready for the store: screened, dated, and cut at the session that the run works as of."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from stock_pipeline.core.calendar import TradingCalendar
from stock_pipeline.core.columns import AS_OF, KNOWN_FROM, PRICES, SESSION, SOURCE, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.corporate_actions import derive_actions
from stock_pipeline.market_data.quality import REASON, screen
from stock_pipeline.market_data.sources.source import CAPTURED, MarketData


@dataclass(frozen=True)
class Ingested:
    """Frames for the market store, without ``known_to``: how versions follow one another is storage's to say.

    ``bars`` and ``actions`` have ``captured`` besides: null where the source does not say when it knew.
    """

    as_of: date
    bars: pl.DataFrame
    actions: pl.DataFrame
    instruments: pl.DataFrame
    quarantined: pl.DataFrame
    report: pl.DataFrame


def prepare(data: MarketData, source: str, as_of: date | None, calendar: TradingCalendar, price_tolerance: float) -> Ingested:
    """Screen and date what ``source`` gave, up to the session ``as_of`` (by default the last night on which it learnt of a bar).

    A bar is known from the night of its session, or from the night of its capture where the source tells it.

    Raises:
        InputError: no sound bar is left, or ``as_of`` is no session or lies outside of what the source has.
    """
    received = data.bars if as_of is None else data.bars.filter(pl.col(SESSION).is_null() | (pl.col(SESSION) <= as_of))
    first, last = data.bars[SESSION].min(), data.bars[SESSION].max()
    if not isinstance(first, date) or not isinstance(last, date):
        raise InputError(f"source {source} has no bars with a date; nothing was written")
    _check_as_of(as_of, source, first, _last(data.bars.select(_known_from(calendar, data.bars, source))[KNOWN_FROM]), calendar)
    sound, refused = screen(received, calendar.sessions_between(first, last), price_tolerance)
    if sound.is_empty():
        raise InputError(f"source {source} has no sound bar, {refused.height} were refused, the first because of: {_first_reason(refused)}")
    known = sound.with_columns(_known_from(calendar, sound, source), pl.lit(source).alias(SOURCE))
    night = as_of or _last(known[KNOWN_FROM])
    dated = known.filter(pl.col(KNOWN_FROM) <= night)
    if dated.is_empty():
        raise InputError(
            f"source {source} knew of no bar on {night}; it learnt of the first on {known[KNOWN_FROM].min()!s}, give that or later"
        )
    return Ingested(
        as_of=night,
        bars=dated.sort(SESSION, SYMBOL, CAPTURED),  # of two captures known from the same night, weaving keeps the later told
        actions=_actions(data, dated, night).with_columns(pl.lit(source).alias(SOURCE)),
        instruments=_instruments(data, dated, source),
        quarantined=_quarantined(refused, source, night),
        report=_report(received, dated, refused, source, night),
    )


def _check_as_of(as_of: date | None, source: str, first: date, last: date, calendar: TradingCalendar) -> None:
    if as_of is None:
        return
    if not calendar.is_session(as_of):
        raise InputError(f"as-of {as_of} is not a session of {calendar.exchange}; the session before is {calendar.previous_session(as_of)}")
    if not first <= as_of <= last:
        raise InputError(f"as-of {as_of} lies outside of source {source}, which has bars from {first} to {last}; give a session between")


def _last(nights: pl.Series) -> date:
    last = nights.max()
    assert isinstance(last, date)  # noqa: S101  (there are bars with a session; this tells the type checker)
    return last


def _actions(data: MarketData, bars: pl.DataFrame, night: date) -> pl.DataFrame:
    if data.actions.is_empty():
        return derive_actions(bars).sort(SESSION, SYMBOL, CAPTURED)
    given = data.actions.filter(pl.col(SESSION) <= night)
    return given.with_columns(pl.lit(None, pl.Date).alias(CAPTURED), pl.col(SESSION).alias(KNOWN_FROM))


def _known_from(calendar: TradingCalendar, bars: pl.DataFrame, source: str) -> pl.Expr:
    """The session of each bar, or the last session that had ended when it was captured."""
    captured = bars[CAPTURED].drop_nulls().unique().to_list()
    too_late = next((day for day in captured if not calendar.sessions_between(day, date.max)), None)
    if too_late is not None:
        raise InputError(f"source {source} has bars captured on {too_late}, beyond the calendar of {calendar.exchange}; correct the day")
    nights = {day: calendar.previous_session(day + timedelta(days=1)) for day in captured}
    night = pl.col(CAPTURED).replace_strict(nights, default=None, return_dtype=pl.Date) if nights else pl.lit(None, pl.Date)
    return pl.max_horizontal(SESSION, night).alias(KNOWN_FROM)


def _instruments(data: MarketData, bars: pl.DataFrame, source: str) -> pl.DataFrame:
    return (
        bars.select(SYMBOL)
        .unique(maintain_order=True)
        .join(data.instruments, on=SYMBOL, how="left")
        .with_columns(pl.lit(source).alias(SOURCE))
    )


def _quarantined(refused: pl.DataFrame, source: str, night: date) -> pl.DataFrame:
    row = pl.concat_str([pl.col(name).cast(pl.String).fill_null("?") for name in (SYMBOL, SESSION, *PRICES, VOLUME)], separator=" ")
    again = pl.int_range(pl.len()).over("row")  # a bar given three times is refused twice, and both rows are kept
    return (
        refused.with_columns(row.alias("row"))
        .with_columns(pl.when(again > 0).then(pl.format("{} #{}", "row", again + 1)).otherwise("row").alias("row"))
        .select("row", SYMBOL, SESSION, REASON, pl.lit(source).alias(SOURCE), pl.lit(night).alias(AS_OF))
    )


def _report(received: pl.DataFrame, sound: pl.DataFrame, refused: pl.DataFrame, source: str, night: date) -> pl.DataFrame:
    succeeded = sound.select(SYMBOL).unique()
    failed = refused.select(SYMBOL).drop_nulls().unique().join(succeeded, on=SYMBOL, how="anti")
    return pl.DataFrame(
        {
            AS_OF: [night],
            SOURCE: [source],
            "symbols": [succeeded.height],
            "symbols_failed": [failed.height],
            "bars_received": [received.height],
            "bars_accepted": [sound.height],
            "bars_quarantined": [refused.height],
            "first_session": [sound[SESSION].min()],
        }
    )


def _first_reason(refused: pl.DataFrame) -> str:
    return str(refused[REASON][0]) if refused.height else "none were received"
