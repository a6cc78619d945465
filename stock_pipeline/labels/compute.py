"""Labels from bars: the returns that a fill at the next open would have earned, their direction, and the volatility ahead."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from operator import add, mul
from typing import Final

import polars as pl

from stock_pipeline.core.columns import (
    CLOSE,
    DIRECTION,
    FORWARD_RETURN,
    FORWARD_VOLATILITY,
    JUMP,
    KNOWN_ON,
    LABEL_STATUS,
    OPEN,
    PRICE_FACTOR,
    SESSION,
    SUSPECT,
    SYMBOL,
    VOLUME,
)
from stock_pipeline.core.errors import InputError
from stock_pipeline.labels.catalogue import return_reach
from stock_pipeline.labels.tables import KNOWN, NO_BAR, NO_VOLUME, PENDING, PRICE_JUMP, SUSPECT_BAR, VOLATILITY, column_of, daily_labels

_POSITION: Final = "position"  # of the session among the exchange's
_LAST: Final = "last_position"  # of the symbol's last bar
_JUMPS: Final = "jumps"  # number of jumps up to the row
_SUSPECTS: Final = "suspects"  # number of suspect bars up to the row
_LOG_RETURN: Final = "log_return"
_UNPRICED: Final = "unpriced"  # whether the row has no close, and not because it is suspect
_GAPS: Final = "gaps"  # number of such rows up to the row
# With a horizon behind them: whether a missing bar, a suspect one, an order that nobody fills or a jump spoils the label.
_LACKING: Final = "lacking"
_DOUBTED: Final = "doubted"
_UNTRADED: Final = "untraded"
_JUMPED: Final = "jumped"


def compute_labels(
    panel: pl.DataFrame, sessions: Sequence[date], as_of: date, horizons: Sequence[int], volatility_horizon: int
) -> pl.DataFrame:
    """The labels of every bar up to ``as_of``, of the bars up to ``as_of``.

    With t the row's session and t+1, t+2, ... the exchange's sessions after it, for each horizon h:

    - forward_return_h = open(t+1+h) / open(t+1) - 1, from the fill at the next open to the exit h sessions later, both in the
      shares of the exit and with the dividends between them; what takes effect afterwards does not change it.
    - direction_h = 1 where the return is positive, otherwise 0.
    - known_on_h = t+1+h, also where that is yet to come.
    - label_status_h, the first of these that holds: "pending", t+1+h comes after ``as_of``; "no_bar", one of t+1 and t+1+h has no bar
      or no price that can be, and is not suspect; "suspect", a bar from t+1 to t+1+h is not believed; "no_volume", nothing was traded
      on t+1 or t+1+h, so that no order would have been filled; "jump", a bar after t+1 and up to t+1+h is a jump, so that the return
      is not to be trusted; "known". Sessions between t+1 and t+1+h may lack a bar: a price after a pause is one that could be had, and
      the first bar after a pause is marked where it jumped from the last one before, so a jump that falls into a pause is not
      overlooked.

    And for the volatility horizon v:

    - forward_volatility = standard deviation (n - 1) of the log returns from close to close into t+1 to t+v.
    - known_on_volatility = t+v, and outcome_volatility likewise; here every close from t to t+v is needed, a suspect bar at any of
      them or a jump at any of t+1 to t+v spoils it, and volume does not count.

    The labels are null unless their outcome is "known".

    Args:
        panel: bars in any order: symbol (String), session (Date), open, close, volume (Float64), jump (Boolean), suspect (Boolean)
            where some are, and price_factor where the prices are not adjusted yet (see ``adjustments.with_factors``), one row per
            symbol and session. A bar of a day that is no session of the exchange has no labels (its outcomes are "no_bar").
        sessions: the exchange's sessions, from the first bar's to as many after the last one's as ``purge_span`` says.
        as_of: the session as of which the labels are made.
        horizons: sessions from the fill to the exit, each 1 or more, none twice.
        volatility_horizon: number of returns in the forward volatility, 2 or more.

    Returns:
        The columns of ``daily_labels(horizons)``, a row for each bar, in the order of symbol and session.

    Raises:
        InputError: a horizon is out of range, or ``sessions`` does not reach around the bars.
    """
    _check_horizons(horizons, volatility_horizon)
    reaches: dict[int | str, int] = {VOLATILITY: volatility_horizon}
    reaches |= {horizon: return_reach(horizon) for horizon in horizons}
    step = PRICE_FACTOR if PRICE_FACTOR in panel.columns else pl.lit(1.0).alias(PRICE_FACTOR)
    suspect = SUSPECT if SUSPECT in panel.columns else pl.lit(value=False).alias(SUSPECT)
    bars = panel.filter(pl.col(SESSION) <= as_of).select(SYMBOL, SESSION, OPEN, CLOSE, VOLUME, JUMP, suspect, step)
    timetable = _timetable(bars[SESSION].unique().sort(), sessions, reaches)
    bars = bars.join(timetable, on=SESSION, how="left")
    is_session = pl.col(_POSITION).is_not_null()
    values = _gapless(bars.filter(is_session)).select(
        SYMBOL,
        SESSION,
        *(expression for horizon in horizons for expression in _forward_return(horizon)),
        *_forward_volatility(volatility_horizon),
    )
    rest = bars.filter(~is_session).select(SYMBOL, SESSION)
    # A bar of a day that is no session matches nothing, so that all its labels lack a bar.
    rows = pl.concat([values.drop_nulls(SESSION), rest], how="diagonal").join(timetable, on=SESSION, how="left")
    schema = daily_labels(horizons)
    return _with_outcomes(rows, reaches, as_of).select(schema.column_names).sort(SYMBOL, SESSION)


def _check_horizons(horizons: Sequence[int], volatility_horizon: int) -> None:
    if not horizons or min(horizons) < 1 or len(set(horizons)) < len(horizons):
        raise InputError(f"horizons of the labels are {list(horizons)}; give one or more, each 1 session or more and none twice")
    if volatility_horizon < 2:
        raise InputError(f"volatility_horizon of the labels is {volatility_horizon}; give 2 sessions or more, as a deviation needs")


def _timetable(days: pl.Series, sessions: Sequence[date], reaches: Mapping[int | str, int]) -> pl.DataFrame:
    """For each of the days its position among the sessions (null where it is none) and when each label of it is known."""
    calendar = pl.Series(SESSION, sorted(set(sessions)), pl.Date)
    before = calendar.search_sorted(days, side="right").cast(pl.Int64) - 1  # the day itself, or the last session before
    if days.len() and (before[0] < 0 or before[-1] + max(reaches.values()) >= calendar.len()):
        raise InputError(
            f"the {calendar.len()} exchange sessions given to the labels, {calendar.min()!s} to {calendar.max()!s}, do not reach from the "
            f"first bar, {days[0]}, to {max(reaches.values())} sessions after the last, {days[-1]}; give more, or shorten labels.horizons"
        )
    return pl.DataFrame(
        {
            SESSION: days,
            _POSITION: before.set(calendar.gather(before) != days, None),
            **{column_of(KNOWN_ON, horizon): calendar.gather(before + reach) for horizon, reach in reaches.items()},
        }
    )


def _gapless(bars: pl.DataFrame) -> pl.DataFrame:
    """The bars in the order of symbol and session, with a row of nulls for each session that a symbol lacks between two bars.

    So the bar k sessions later is k rows further on, wherever that is no further than the symbol's last.
    """
    spans = bars.group_by(SYMBOL).agg(
        pl.int_range(pl.col(_POSITION).min(), pl.col(_POSITION).max() + 1).alias(_POSITION), pl.col(_POSITION).max().alias(_LAST)
    )
    rows = spans.sort(SYMBOL).explode(_POSITION, empty_as_null=True, keep_nulls=True)
    close = _usable(CLOSE)
    unpriced = close.is_null() & ~pl.col(SUSPECT)
    laid_out = rows.join(bars, on=[SYMBOL, _POSITION], how="left", maintain_order="left").with_columns(pl.col(SUSPECT).fill_null(False))
    return laid_out.with_columns(
        # A count is exact, so the difference of two of them is.
        pl.col(JUMP).fill_null(False).cum_sum().cast(pl.Int64).alias(_JUMPS),
        pl.col(SUSPECT).cum_sum().cast(pl.Int64).alias(_SUSPECTS),
        unpriced.alias(_UNPRICED),
        unpriced.cum_sum().cast(pl.Int64).alias(_GAPS),
        (close / (close.shift(1) * pl.col(PRICE_FACTOR))).log().alias(_LOG_RETURN),
        pl.col(PRICE_FACTOR).fill_null(1.0),
    )


def _usable(price: str) -> pl.Expr:
    return pl.when((pl.col(price) > 0) & pl.col(price).is_finite()).then(price)


def _has_bars_up_to(sessions: int) -> pl.Expr:
    """Whether the row so many sessions later is one of the same symbol."""
    return pl.col(_POSITION) + sessions <= pl.col(_LAST)


def _has(counted: str, after: int, last: int) -> pl.Expr:
    """Whether there is one more of what is ``counted`` after the session so many ahead and up to the ``last``."""
    return pl.col(counted).shift(-last) > pl.col(counted).shift(-after)


def _forward_return(horizon: int) -> tuple[pl.Expr, ...]:
    """The return, and what spoils it."""
    opening, end = _usable(OPEN), return_reach(horizon)
    comparable = reduce(mul, (pl.col(PRICE_FACTOR).shift(-ahead) for ahead in range(2, end + 1)), opening.shift(-1))
    value = pl.when(_has_bars_up_to(end)).then(opening.shift(-end) / comparable - 1)
    priced = opening.is_not_null() | pl.col(SUSPECT)
    unfilled = ~((pl.col(VOLUME).shift(-1) > 0) & (pl.col(VOLUME).shift(-end) > 0))
    return (
        value.alias(column_of(FORWARD_RETURN, horizon)),
        (~(_has_bars_up_to(end) & priced.shift(-1) & priced.shift(-end))).alias(column_of(_LACKING, horizon)),
        _has(_SUSPECTS, 0, end).alias(column_of(_DOUBTED, horizon)),
        unfilled.alias(column_of(_UNTRADED, horizon)),
        _has(_JUMPS, 1, end).alias(column_of(_JUMPED, horizon)),
    )


def _forward_volatility(horizon: int) -> tuple[pl.Expr, ...]:
    """The volatility, and what spoils it."""
    # Summed again in every row: a running sum would carry the rounding of the row where it started.
    returns = [pl.col(_LOG_RETURN).shift(-step) for step in range(1, horizon + 1)]
    mean = reduce(add, returns) / horizon
    variance = reduce(add, [(value - mean).pow(2) for value in returns]) / (horizon - 1)
    value = pl.when(_has_bars_up_to(horizon)).then(variance.sqrt())
    return (
        value.alias(FORWARD_VOLATILITY),
        (~_has_bars_up_to(horizon) | pl.col(_UNPRICED) | _has(_GAPS, 0, horizon)).alias(column_of(_LACKING, VOLATILITY)),
        (pl.col(SUSPECT) | _has(_SUSPECTS, 0, horizon)).alias(column_of(_DOUBTED, VOLATILITY)),
        pl.lit(value=False).alias(column_of(_UNTRADED, VOLATILITY)),
        _has(_JUMPS, 0, horizon).alias(column_of(_JUMPED, VOLATILITY)),
    )


def _with_outcomes(rows: pl.DataFrame, reaches: Mapping[int | str, int], as_of: date) -> pl.DataFrame:
    """The rows with each label's outcome, and the labels null unless it is known."""
    values = {horizon: FORWARD_VOLATILITY if horizon == VOLATILITY else column_of(FORWARD_RETURN, horizon) for horizon in reaches}
    judged = rows.with_columns(
        pl.when(pl.col(column_of(KNOWN_ON, horizon)) > as_of)
        .then(pl.lit(PENDING))
        .when(pl.col(column_of(_LACKING, horizon)).fill_null(value=True))
        .then(pl.lit(NO_BAR))
        .when(pl.col(column_of(_DOUBTED, horizon)))
        .then(pl.lit(SUSPECT_BAR))
        .when(pl.col(column_of(_UNTRADED, horizon)))
        .then(pl.lit(NO_VOLUME))
        .when(pl.col(column_of(_JUMPED, horizon)))
        .then(pl.lit(PRICE_JUMP))
        .otherwise(pl.lit(KNOWN))
        .alias(column_of(LABEL_STATUS, horizon))
        for horizon in reaches
    )
    trusted = judged.with_columns(
        pl.when(pl.col(column_of(LABEL_STATUS, horizon)) == KNOWN).then(value).alias(value) for horizon, value in values.items()
    )
    return trusted.with_columns(
        (pl.col(values[horizon]) > 0).cast(pl.Int8).alias(column_of(DIRECTION, horizon)) for horizon in reaches if horizon != VOLATILITY
    )
