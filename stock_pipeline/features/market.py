"""The market: one row per session, each stock of the universe with a bar in it weighing the same."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import IN_UNIVERSE, SESSION
from stock_pipeline.features.bars import PLACE, RETURN

MARKET_RETURN: Final = "market_return"  # mean return of the stocks of the universe with a bar in the session
ADVANCING: Final = "advancing"  # share of them that rose, of those that moved
SQUARED_RETURN: Final = "squared_return"  # mean of their squared returns
DISPERSION: Final = "dispersion"  # deviation of their returns from each other

LARGEST_RETURN: Final = 100.0  # a return beyond it is counted as this much

_TICK: Final = 2.0**-36


def market_series(bars: pl.DataFrame) -> pl.DataFrame:
    """The series of the market, from what ``bars.usable_bars`` returns.

    Only stocks of the universe with a real bar count: that a stock without one goes on trading shows only in its later bars. Means are
    taken over whole numbers, whose sum does not depend on the order in which threads add them up.

    Returns:
        session, place and the series named above, a row for every session from the first to the last in the order of time; null
        where no stock has a return, the session too where no bar is usable.
    """
    counted = pl.when(IN_UNIVERSE).then(RETURN)
    change = counted.clip(-LARGEST_RETURN, LARGEST_RETURN)
    rose, moved = (counted > 0).sum(), (counted != 0).sum()
    by_session = bars.group_by(PLACE).agg(
        pl.col(SESSION).first(),
        _exact_mean(change).alias(MARKET_RETURN),
        pl.when(moved > 0).then(rose / moved).alias(ADVANCING),
        _exact_mean(change * change).alias(SQUARED_RETURN),
    )
    variance = (pl.col(SQUARED_RETURN) - pl.col(MARKET_RETURN).pow(2)).clip(lower_bound=0)
    places = pl.DataFrame({PLACE: range(int(bars[PLACE].max()) + 1)}, schema={PLACE: bars.schema[PLACE]})  # type: ignore[arg-type]
    whole = places.join(by_session, on=PLACE, how="left", maintain_order="left")
    return whole.with_columns(variance.sqrt().alias(DISPERSION))


def _exact_mean(values: pl.Expr) -> pl.Expr:
    ticks = (values / _TICK).round().cast(pl.Int64)
    return pl.when(ticks.count() > 0).then(ticks.sum() / ticks.count() * _TICK)
