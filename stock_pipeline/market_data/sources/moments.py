"""The session that a moment belongs to: dates, dates with a time of day, instants of UTC, numbers of seconds since 1970."""

from datetime import time

import polars as pl

from stock_pipeline.market_data.sources.cells import dates, in_years

NEW_YORK = "America/New_York"
# An instant tells its session where it is a midnight of UTC, or midnight, open, early close or close in New York.
MIDNIGHT = time(0)
TOLD_IN_NEW_YORK = [MIDNIGHT, time(9, 30), time(13), time(16)]
UTC_NAMES = ("UTC", "Etc/UTC", "GMT", "Z", "+00:00")
UTC_INSTANT = r"(?i)\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|UTC|GMT|[+-]00:?00)$"
CLOCK = r"(\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:\s*[AaPp][Mm])?)"

EPOCH = r"^\d{9,19}$"
PER_SECOND = (1, 10**3, 10**6, 10**9)
# In seconds: what is less may be a date such as 20100820; and the year 2100.
EARLIEST, LATEST = 10**8, 4_102_444_800


def sessions(cells: pl.Series) -> pl.Series:
    """The sessions of dates, moments, text or whole numbers; null where a cell has none, such as an ``odd_instant``.

    A moment with a time zone other than UTC, or with none, belongs to the day that it says. An instant of UTC belongs to its day
    where it is a midnight, else to New York's.
    """
    if cells.dtype.is_temporal() and not _is_utc(cells):
        return in_years(cells.dt.date())
    distinct = cells.drop_nulls().unique()
    instants = _instants(distinct)
    days = dates(distinct.cast(pl.String)) if instants is None else _session_of(distinct, instants)
    return cells.replace_strict(distinct, days, default=None, return_dtype=pl.Date)


def odd_instant(cells: pl.Series) -> int | None:
    """The row of the first instant of UTC whose session is not known: it is no midnight, and nothing begins or ends then."""
    if cells.dtype.is_temporal() and not _is_utc(cells):
        return None
    distinct = cells.drop_nulls().unique(maintain_order=True)
    instants = _instants(distinct)
    if instants is None:
        return None
    odd = distinct.filter(instants.is_not_null() & _session_dates(instants).is_null())
    return None if odd.is_empty() else int(cells.is_in(odd.implode()).arg_true()[0])


def times_of_day(cells: pl.Series) -> pl.Series | None:
    """The times of day in the cells, as text, null where a cell has none; None where all are dates."""
    if cells.dtype.is_integer():
        instants = _instants(cells)
        return None if instants is None else _clock(instants)
    if cells.dtype == pl.String:
        distinct = cells.drop_nulls().unique()
        instants = _epochs_of_text(distinct)
        clock = distinct.str.extract(CLOCK) if instants is None else _clock(instants)
        return cells.replace_strict(distinct, clock, default=None, return_dtype=pl.String) if clock.count() else None
    return _clock(cells) if cells.dtype == pl.Datetime else None


def _clock(moments: pl.Series) -> pl.Series:
    return moments.dt.to_string("%H:%M:%S").str.strip_suffix(":00")


def _is_utc(cells: pl.Series) -> bool:
    return isinstance(cells.dtype, pl.Datetime) and cells.dtype.time_zone in UTC_NAMES


def _session_of(cells: pl.Series, instants: pl.Series) -> pl.Series:
    written = cells.filter(instants.is_null()).cast(pl.String)
    return _session_dates(instants).scatter(instants.is_null().arg_true(), dates(written))


def _session_dates(instants: pl.Series) -> pl.Series:
    utc = pl.col("utc")
    local = utc.dt.convert_time_zone(NEW_YORK)
    day = pl.when(utc.dt.time() == MIDNIGHT).then(utc.dt.date()).when(local.dt.time().is_in(TOLD_IN_NEW_YORK)).then(local.dt.date())
    return in_years(instants.alias("utc").to_frame().select(day).to_series())


def _instants(cells: pl.Series) -> pl.Series | None:
    """The instants of UTC in the cells, null where a cell has none; None where no cell has one."""
    if cells.dtype.is_temporal():
        return cells
    if cells.dtype.is_integer():
        return _epochs(cells)
    epochs = _epochs_of_text(cells)
    if epochs is not None:
        return epochs
    utc = cells.str.strip_chars().str.contains(UTC_INSTANT)
    if not utc.any():
        return None
    days = dates(cells).cast(pl.Datetime("us", "UTC"))
    clock = cells.str.extract_groups(r"(?<h>\d{1,2}):(?<m>\d{2})").struct.unnest().cast(pl.Int64)
    times = clock.select(pl.duration(hours="h", minutes="m")).to_series()
    return (days + times).set(~utc, None)


def _epochs_of_text(cells: pl.Series) -> pl.Series | None:
    plain = cells.str.strip_chars()
    return _epochs(plain.cast(pl.Int64, strict=False)) if plain.str.contains(EPOCH).any() and plain.str.contains(r"^\d+$").all() else None


def _epochs(cells: pl.Series) -> pl.Series | None:
    """Seconds, or thousandths, millionths, billionths of them, whichever is plausible; None where nothing is."""
    largest = cells.cast(pl.Int64, strict=False).max()
    units = [unit for unit in PER_SECOND if isinstance(largest, int) and EARLIEST * unit <= largest <= LATEST * unit]
    if not units:
        return None
    millionths = cells.cast(pl.Int64) * (10**6 // units[0]) if units[0] <= 10**6 else cells.cast(pl.Int64) // 1000
    return millionths.set(millionths < 0, None).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
