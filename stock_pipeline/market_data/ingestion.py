"""Preparing what the sources gave for the store: screened, dated, and cut at the session that the run works as of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from stock_pipeline.core.calendar import TradingCalendar
from stock_pipeline.core.columns import ADJ_CLOSE, AS_OF, KNOWN_FROM, PRICES, SESSION, SOURCE, SYMBOL, VALUE, VOLUME
from stock_pipeline.core.errors import InputError
from stock_pipeline.core.ordering import strictly_ordered
from stock_pipeline.market_data.corporate_actions import derive_actions
from stock_pipeline.market_data.quality import BarRules, screen
from stock_pipeline.market_data.source_chain import Gathered
from stock_pipeline.market_data.tables import ATTEMPT, CAPTURED, INGESTION_FAILURES, INGESTION_REPORTS, KIND, REASON, SPLIT

# The longest that any company may take to file a yearly report with the SEC.
FILED_WITHIN = timedelta(days=90)


@dataclass(frozen=True)
class Ingested:
    """Frames for the market store, without ``known_to``, which storage adds.

    ``bars``, ``actions`` and ``fundamentals`` also have ``captured``: null where the source does not say when it knew.
    ``instruments`` has a row for every symbol with a bar; ``compared`` has second sources' closes.
    """

    as_of: date
    bars: pl.DataFrame
    actions: pl.DataFrame
    instruments: pl.DataFrame
    fundamentals: pl.DataFrame
    compared: pl.DataFrame
    quarantined: pl.DataFrame
    report: pl.DataFrame
    failures: pl.DataFrame


@dataclass(frozen=True)
class Screening:
    """What bars are judged by: the calendar, the last session that has ended, the tolerance (a share) and the currency."""

    calendar: TradingCalendar
    completed: date
    price_tolerance: float
    currency: str


def prepare(gathered: Gathered, as_of: date | None, screening: Screening) -> Ingested:
    """Screen and date what was gathered, up to the session ``as_of`` (by default the last night on which anything was learned of a bar).

    A bar is known from the night of its session, or from the night of its capture where the source reports it.

    Raises:
        InputError: no sound bar is left, or ``as_of`` is no session or lies outside of what the sources have.
    """
    named = ", ".join(tally.source for tally in gathered.tallies)
    calendar, everything = screening.calendar, gathered.bars
    received = everything if as_of is None else everything.filter(pl.col(SESSION).is_null() | (pl.col(SESSION) <= as_of))
    first, last = everything[SESSION].min(), everything[SESSION].max()
    if not isinstance(first, date) or not isinstance(last, date):
        raise InputError(f"source {named} has no bars with a date; nothing was written")
    _check_as_of(as_of, named, first, _last(everything.select(_known_from(calendar, everything, named))[KNOWN_FROM]), calendar)
    rules = BarRules(calendar.sessions_between(first, min(last, screening.completed)), screening.price_tolerance, screening.currency)
    sound, refused = screen(received, rules)
    if sound.is_empty():
        reason = refused[REASON][0] if refused.height else "none were received"
        raise InputError(f"source {named} has no sound bar, {refused.height} were refused, the first because of: {reason}")
    known = sound.with_columns(_known_from(calendar, sound, named))
    night = as_of or _last(known[KNOWN_FROM])
    dated = known.filter(pl.col(KNOWN_FROM) <= night)
    if dated.is_empty():
        raise InputError(
            f"source {named} knew of no bar on {night}; it learned of the first on {known[KNOWN_FROM].min()!s}, give that or later"
        )
    return Ingested(
        as_of=night,
        # Of two captures known from the same night, merging keeps the later one.
        bars=dated if strictly_ordered(dated, (SYMBOL, SESSION)) else dated.sort(SYMBOL, SESSION, CAPTURED),
        actions=_actions(gathered, dated, calendar, night, named),
        instruments=_instruments(gathered, dated),
        fundamentals=_fundamentals(gathered, screening, night, named),
        compared=gathered.compared.filter(pl.col(SESSION) <= night),
        quarantined=_quarantined(refused, calendar, night, named),
        report=_report(gathered, received, dated, refused, night),
        failures=_failures(gathered, night),
    )


def _check_as_of(as_of: date | None, source: str, first: date, last: date, calendar: TradingCalendar) -> None:
    if as_of is None:
        return
    if not calendar.is_session(as_of) and calendar.sessions_between(as_of, date.max):  # beyond its end it knows of none
        raise InputError(f"as-of {as_of} is not a session of {calendar.exchange}; the session before is {calendar.previous_session(as_of)}")
    if not first <= as_of <= last:
        raise InputError(f"as-of {as_of} lies outside of source {source}, which has bars from {first} to {last}; give a session between")


def _last(nights: pl.Series) -> date:
    last = nights.max()
    assert isinstance(last, date)  # noqa: S101  (there are bars with a session; this tells the type checker)
    return last


def _actions(gathered: Gathered, bars: pl.DataFrame, calendar: TradingCalendar, night: date, source: str) -> pl.DataFrame:
    """Actions as reported, and for symbols without any those derived from their adjusted close."""
    # An action is announced before its ex-session. When is not guessed: it takes effect no earlier than that.
    dated = gathered.actions.with_columns(_known_from(calendar, gathered.actions, source))
    reported = dated.filter((pl.col(SESSION) <= night) & (pl.col(KNOWN_FROM) <= night))
    adjusted = bars.filter(pl.col(ADJ_CLOSE).is_not_null())
    silent = adjusted.join(gathered.actions.select(SYMBOL).unique(), on=SYMBOL, how="anti", maintain_order="left")
    reported_by = silent.unique([SYMBOL, SESSION, CAPTURED], keep="any").select(SYMBOL, SESSION, CAPTURED, SOURCE)
    derived = derive_actions(silent).join(reported_by, on=[SYMBOL, SESSION, CAPTURED], how="left", nulls_equal=True)
    # Two dividends of one session, an ordinary and a special one, are one payment.
    payments = reported.group_by(SYMBOL, SESSION, KIND, CAPTURED, KNOWN_FROM, SOURCE, maintain_order=True)
    value = pl.when(pl.col(KIND) == SPLIT).then("ratio").otherwise("cash").alias(VALUE)
    once = payments.agg(pl.col(VALUE).product().alias("ratio"), pl.col(VALUE).sum().alias("cash")).with_columns(value)
    return pl.concat([once.select(derived.columns), derived]).sort(SESSION, SYMBOL, CAPTURED)


def _fundamentals(gathered: Gathered, screening: Screening, night: date, source: str) -> pl.DataFrame:
    """Fundamentals known on the night; a row without a date of capture is known from the night on which it is first read.

    On a night of the past a report without a date counts only from the day by which the law requires it to be filed.
    """
    reported = gathered.fundamentals
    filed = pl.lit(night) if night >= screening.completed else pl.max_horizontal(pl.lit(night), pl.col("period_end") + FILED_WITHIN)
    dated = reported.with_columns(_night_of_capture(screening.calendar, reported, source).fill_null(filed).alias(KNOWN_FROM))
    # A report is not known before its period has ended, whatever a file may say.
    sound = dated.filter((pl.col(KNOWN_FROM) <= night) & (pl.col("period_end") <= pl.col(KNOWN_FROM)))
    return sound.drop_nulls("value").sort(SYMBOL, "period_end", "item", CAPTURED)


def _known_from(calendar: TradingCalendar, bars: pl.DataFrame, source: str) -> pl.Expr:
    """The session of each bar, or the last session that had ended when it was captured."""
    return pl.max_horizontal(SESSION, _night_of_capture(calendar, bars, source)).alias(KNOWN_FROM)


def _night_of_capture(calendar: TradingCalendar, rows: pl.DataFrame, source: str) -> pl.Expr:
    captured: Sequence[date] = rows[CAPTURED].drop_nulls().unique().to_list()
    too_late = next((day for day in captured if not calendar.sessions_between(day, date.max)), None)
    if too_late is not None:
        raise InputError(f"source {source} has rows captured on {too_late}, beyond the calendar of {calendar.exchange}; correct the day")
    nights = {day: calendar.previous_session(day + timedelta(days=1)) for day in captured}
    return pl.col(CAPTURED).replace_strict(nights, default=None, return_dtype=pl.Date) if nights else pl.lit(None, pl.Date)


def _instruments(gathered: Gathered, bars: pl.DataFrame) -> pl.DataFrame:
    """Particulars of every symbol with a bar, null where none were reported."""
    traded = bars.group_by(SYMBOL, maintain_order=True).agg(pl.col(SOURCE).last().alias("of_bars"))
    joined = traded.join(gathered.instruments, on=SYMBOL, how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce(SOURCE, "of_bars").alias(SOURCE)).drop("of_bars")


def _quarantined(refused: pl.DataFrame, calendar: TradingCalendar, night: date, source: str) -> pl.DataFrame:
    row = pl.concat_str([pl.col(name).cast(pl.String).fill_null("?") for name in (SYMBOL, SESSION, *PRICES, VOLUME)], separator=" ")
    # A bar given three times is refused twice, and both rows are kept; given again by a later capture, it is the same bar.
    again = pl.int_range(pl.len()).over("row", SOURCE, CAPTURED)
    known = pl.max_horizontal(_night_of_capture(calendar, refused, source), SESSION).fill_null(night)
    refused_on = pl.when(pl.col(CAPTURED).is_null()).then(pl.lit(night)).otherwise(known)
    return (
        refused.with_columns(row.alias("row"), refused_on.alias(AS_OF))
        .filter(pl.col(AS_OF) <= night)
        .with_columns(pl.when(again > 0).then(pl.format("{} #{}", "row", again + 1)).otherwise("row").alias("row"))
        .sort(AS_OF, maintain_order=True)
        .unique(["row", SOURCE], keep="first", maintain_order=True)
        .select("row", SYMBOL, SESSION, REASON, SOURCE, AS_OF)
    )


def _report(gathered: Gathered, received: pl.DataFrame, sound: pl.DataFrame, refused: pl.DataFrame, night: date) -> pl.DataFrame:
    """One row per source that was asked."""
    per_symbol = sound.group_by(SYMBOL, SOURCE).agg(pl.len().alias("bars_accepted"), pl.col(SESSION).min().alias("first_session"))
    all_refused = refused.select(SYMBOL, SOURCE).join(per_symbol, on=[SYMBOL, SOURCE], how="anti")
    failed = pl.concat([_failures(gathered, night).select(SYMBOL, SOURCE), all_refused]).drop_nulls().unique()
    tallies = pl.DataFrame([(t.source, t.symbols_asked, t.seconds) for t in gathered.tallies], schema=_TALLIES, orient="row")
    counted = [
        received.group_by(SOURCE).agg(pl.len().alias("bars_received")),
        per_symbol.group_by(SOURCE).agg(pl.col("bars_accepted").sum(), pl.col("first_session").min()),
        refused.group_by(SOURCE).agg(pl.len().alias("bars_quarantined")),
        per_symbol.join(failed, on=[SYMBOL, SOURCE], how="anti").group_by(SOURCE).agg(pl.len().alias("symbols_succeeded")),
        failed.group_by(SOURCE).agg(pl.len().alias("symbols_failed")),
    ]
    report = tallies
    for counts in counted:
        report = report.join(counts, on=SOURCE, how="left", maintain_order="left")
    numbers = [name for name in INGESTION_REPORTS.column_names if name.startswith(("symbols_", "bars_"))]
    first_attempt = pl.lit(1, pl.Int32).alias(ATTEMPT)  # whether there was another, the store knows
    filled = report.with_columns(pl.lit(night).alias(AS_OF), pl.col(numbers).fill_null(0), first_attempt)
    return filled.select(INGESTION_REPORTS.column_names)


_TALLIES = {SOURCE: pl.String, "symbols_asked": pl.Int32, "seconds": pl.Float64}


def _failures(gathered: Gathered, night: date) -> pl.DataFrame:
    rows = [(night, failure.symbol, failure.source, failure.reason, failure.message) for failure in gathered.failures]
    frame = pl.DataFrame(rows, schema=INGESTION_FAILURES.dtypes, orient="row")
    return frame.unique(INGESTION_FAILURES.key, keep="first", maintain_order=True)
