"""Features of a stock's residual return: its return less what the common factors of all stocks explain (see ``factor_model.py``).

They need all stocks of a session at once, so they are made session by session and not on the grid. The arrays of a session hold the
stocks of the universe that count in it, by symbol, and nothing else of the panel; one thread works on them, as several would add up in
an order that changes. So a session's values are the same to the last bit whether it is made alone or amid years.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stock_pipeline.core.columns import CLOSE, IN_UNIVERSE, OPEN, PRICE_FACTOR, VOLUME, VOLUME_FACTOR
from stock_pipeline.features import factor_model
from stock_pipeline.features.bars import FILL_SESSIONS, FIRST_OF_SYMBOL, PLACE, RETURN
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.market import LARGEST_RETURN
from stock_pipeline.features.windows import least_samples

# The code that makes these numbers shows in no expression. Raise this whenever it makes others: it is a part of the columns' names and
# so of the hash of every set that has them, which makes what is stored be rebuilt.
METHOD: Final = 2

WINDOW: Final = 60  # sessions whose returns count
LOOK_BACK: Final = WINDOW + 1

_SYMBOL_NUMBER, _OVERNIGHT, _LOG_VOLUME, _LOG_VOLUME_FACTOR = "symbol_number", "overnight", "log_volume", "log_volume_factor"


@dataclass(frozen=True)
class _Layout:
    """Bars as arrays of sessions x symbols, NaN where there is nothing."""

    inside: NDArray[np.bool_]  # whether the symbol is in the universe of the session
    age: NDArray[np.int64]  # sessions since the symbol's last bar; large before the first
    row: NDArray[np.int64]  # of the bar among those laid out, -1 where there is none
    returns: factor_model.Array  # 0 where a price is carried forward
    overnight: factor_model.Array
    log_volume: factor_model.Array
    log_volume_factor: factor_model.Array


def factor_values(bars: pl.DataFrame, first_place: int) -> pl.DataFrame:
    """The values of ``factor_model.VALUES`` of every bar from session ``first_place`` on, in the order of the bars.

    Those have values that are in the universe of the session and have a bar and a return in it, a price on the first of the
    ``LOOK_BACK`` sessions and three quarters of the returns; the others count as 0.

    Args:
        bars: what ``bars.usable_bars`` returns.
        first_place: number of the first session to make.

    Returns:
        One Float64 column per value, named by ``column``; NaN where there is none.
    """
    oldest = first_place - LOOK_BACK + 1 - FILL_SESSIONS
    needed = bars.select(PLACE, *_series()).filter(pl.col(PLACE) >= oldest)
    layout = _laid_out(needed, oldest)
    made = np.full((len(factor_model.VALUES), needed.height), np.nan)
    with threadpool_limits(limits=1, user_api="blas"):
        for session in range(first_place - oldest, len(layout.age)):
            _make_session(layout, session, made)
    wanted = (needed[PLACE] >= first_place).to_numpy()
    return pl.DataFrame({column(name): values[wanted] for name, values in zip(factor_model.VALUES, made, strict=True)})


def column(value: str) -> str:
    """The name of a value's column in the frame of ``factor_values``."""
    return f"{value}_by_method_{METHOD}"


def _make_session(layout: _Layout, session: int, made: factor_model.Array) -> None:
    """Put the values of a session into the columns that belong to its bars."""
    window = slice(session - WINDOW + 1, session + 1)
    full = (
        layout.inside[session]
        & (layout.age[session] == 0)
        & (layout.age[session - WINDOW] <= FILL_SESSIONS)
        & np.isfinite(layout.returns[session])
    )
    enough = np.isfinite(layout.returns[window]).sum(axis=0) >= least_samples(WINDOW)
    stocks = np.flatnonzero(full & enough)
    returns = layout.returns[window].take(stocks, axis=1)
    steps = layout.log_volume_factor[window].take(stocks, axis=1)
    later_steps = np.vstack([np.cumsum(steps[:0:-1], axis=0)[::-1], np.zeros((1, len(stocks)))])
    values = factor_model.own_movements(
        np.where(np.isfinite(returns), returns, 0.0),
        layout.overnight[session].take(stocks),
        layout.log_volume[window].take(stocks, axis=1) + later_steps,
    )
    made[:, layout.row[session].take(stocks)] = np.stack([values[name] for name in factor_model.VALUES])


def _laid_out(needed: pl.DataFrame, oldest: int) -> _Layout:
    """The bars from session ``oldest`` on, which may lie before the first that there is."""
    count = int(needed[PLACE].max()) - oldest + 1  # type: ignore[arg-type]
    symbols = int(needed[_SYMBOL_NUMBER].max()) + 1  # type: ignore[arg-type]
    at = (needed[PLACE] - oldest).to_numpy(), needed[_SYMBOL_NUMBER].to_numpy()

    def spread(name: str, empty: float) -> factor_model.Array:
        array = np.full((count, symbols), empty)
        array[at] = needed[name].to_numpy()
        return array

    row = np.full((count, symbols), -1, dtype=np.int64)
    row[at] = np.arange(needed.height)
    session = np.arange(count)[:, None]
    age = session - np.maximum.accumulate(np.where(row >= 0, session, -count - FILL_SESSIONS), axis=0)
    returns = spread(RETURN, np.nan)
    returns[(age > 0) & (age <= FILL_SESSIONS)] = 0.0
    inside = np.zeros((count, symbols), dtype=np.bool_)
    inside[at] = needed[IN_UNIVERSE].to_numpy()
    return _Layout(inside, age, row, returns, spread(_OVERNIGHT, np.nan), spread(_LOG_VOLUME, np.nan), spread(_LOG_VOLUME_FACTOR, 0.0))


def _series() -> list[pl.Expr | str]:
    """What is made of the bars themselves; Polars' logarithm is the same wherever in a column a value stands."""
    change = pl.col(RETURN).clip(-LARGEST_RETURN, LARGEST_RETURN)
    overnight = (pl.col(OPEN) / (pl.col(CLOSE).shift(1) * pl.col(PRICE_FACTOR)) - 1).clip(-LARGEST_RETURN, LARGEST_RETURN)
    return [
        (pl.col(FIRST_OF_SYMBOL).cum_sum().cast(pl.Int64) - 1).alias(_SYMBOL_NUMBER),
        change.fill_null(np.nan),
        pl.when(pl.col(RETURN).is_not_null()).then(overnight).otherwise(np.nan).alias(_OVERNIGHT),
        pl.when(pl.col(VOLUME) > 0).then(pl.col(VOLUME).log()).otherwise(np.nan).alias(_LOG_VOLUME),
        pl.col(VOLUME_FACTOR).log().alias(_LOG_VOLUME_FACTOR),
        IN_UNIVERSE,
    ]


def _feature(value: str, formula: str, source: str) -> Feature:
    return Feature(f"factor_{value}", formula, LOOK_BACK, source, pl.col(column(value)), family="factor", on="factors")


_OWN: Final = (
    f"standardised over {WINDOW} sessions, less what the stocks' {factor_model.COMPONENTS} largest principal components explain of it"
)

FACTOR_FEATURES: Final = (
    _feature(factor_model.RESIDUAL_1, f"residual return: daily return, {_OWN}", "Avellaneda and Lee (2010)"),
    _feature(
        factor_model.RESIDUAL_5,
        "mean residual return (see factor_residual_1) of 5 sessions",
        "Blitz, Huij, Lansdorp and Verbeek (2013)",
    ),
    _feature(
        factor_model.RESIDUAL_OVERNIGHT,
        f"open over previous close, less 1, over the deviation of {WINDOW} daily returns, less what the same components explain of it",
        "Lou, Polk and Skouras (2019)",
    ),
    _feature(
        factor_model.REVERSION,
        f"residual return times the correlation of {WINDOW} residual returns with those of the session before",
        "Avellaneda and Lee (2010)",
    ),
    _feature(
        factor_model.UNEXPLAINED,
        f"deviation of {WINDOW} residual returns: what share of the stock's movement is its own; 0 to 1",
        "Roll (1988)",
    ),
    _feature(
        factor_model.RESIDUAL_AT_PEAK_VOLUME,
        f"residual return of that one of {WINDOW} sessions in which log volume stood highest above the stock's and the session's means",
        "Garfinkel and Sokobin (2006)",
    ),
)
