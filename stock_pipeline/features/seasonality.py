"""Features of the calendar: what a stock did on the weekday that comes next."""

from typing import Final

import polars as pl

from stock_pipeline.features.bars import RETURN
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.grid import WEEKDAY
from stock_pipeline.features.windows import least_samples, mean

_MONDAY, _FRIDAY = 1, 5
_SESSIONS, _WEEKS = 100, 20


def _of_next_weekday() -> pl.Expr:
    # The day after, from Monday to Friday: that it may be a holiday is not looked up, so that the bars alone decide the value.
    following = pl.when(pl.col(WEEKDAY) < _FRIDAY).then(pl.col(WEEKDAY) + 1).otherwise(_MONDAY)
    by_weekday = (
        (day, mean(pl.when(pl.col(WEEKDAY) == day).then(RETURN), _SESSIONS, least_samples(_WEEKS))) for day in range(_MONDAY, _FRIDAY + 1)
    )
    return pl.coalesce(pl.when(following == day).then(of_day) for day, of_day in by_weekday)


SEASONALITY_FEATURES: Final = (
    Feature(
        "same_weekday_20",
        "mean daily return of those of the last 100 sessions, about 20, that fell on the next session's weekday, "
        "which is the day after, from Monday to Friday, holiday or not",
        _SESSIONS + 1,
        "Keloharju, Linnainmaa and Nyberg (2016)",
        _of_next_weekday(),
        family="seasonality",
    ),
)
