"""The bars that features are made of: screened, in order, and numbered by session."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, IN_UNIVERSE, PRICE_FACTOR, PRICES, SESSION, SYMBOL, VOLUME, VOLUME_FACTOR
from stock_pipeline.core.errors import InputError

FILL_SESSIONS: Final = 5  # a stock's last prices stand for at most this many sessions without a bar

PLACE: Final = "place"  # number of the session among those of the panel, from 0
FIRST_OF_SYMBOL: Final = "first_of_symbol"
RETURN: Final = "simple_return"  # close to close, across at most FILL_SESSIONS sessions without a bar


def usable_bars(panel: pl.DataFrame) -> pl.DataFrame:
    """The panel in the order of symbol and session without the bars whose prices are not all positive numbers.

    A volume that is not a number of zero or more becomes null.

    Args:
        panel: symbol, session, open, high, low, close, volume; at most one row per symbol and session, in any order; price_factor and
            volume_factor where the prices are not adjusted yet; in_universe where not every stock is in it; and further columns.

    Returns:
        Its columns, price_factor and volume_factor (1 where the panel has none), in_universe (true where the panel has none), place,
        first_of_symbol and simple_return.

    Raises:
        InputError: a symbol has two bars in one session.
    """
    steps = [pl.lit(1.0).alias(step) for step in (PRICE_FACTOR, VOLUME_FACTOR) if step not in panel.columns]
    steps += [pl.lit(value=True).alias(IN_UNIVERSE)] if IN_UNIVERSE not in panel.columns else []
    traded = pl.all_horizontal((pl.col(price) > 0) & pl.col(price).is_finite() for price in PRICES)
    bars = (
        # A session on which no bar is usable keeps its number, so that windows reach over as many sessions as are read for them.
        panel.with_columns((pl.col(SESSION).rank("dense").cast(pl.Int64) - 1).alias(PLACE), *steps)
        .filter(traded)
        .sort(SYMBOL, PLACE)
        .with_columns(
            pl.when((pl.col(VOLUME) >= 0) & pl.col(VOLUME).is_finite()).then(VOLUME).alias(VOLUME),
            (pl.col(SYMBOL) != pl.col(SYMBOL).shift(1)).fill_null(True).alias(FIRST_OF_SYMBOL),
        )
    )
    passed = pl.when(~pl.col(FIRST_OF_SYMBOL)).then(pl.col(PLACE) - pl.col(PLACE).shift(1))
    _refuse_duplicates(bars.filter(passed == 0))
    simple_return = pl.col(CLOSE) / (pl.col(CLOSE).shift(1) * pl.col(PRICE_FACTOR)) - 1
    return bars.with_columns(pl.when(passed <= FILL_SESSIONS + 1).then(simple_return).alias(RETURN))


def _refuse_duplicates(repeated: pl.DataFrame) -> None:
    if repeated.height:
        symbol, session = repeated.select(SYMBOL, SESSION).row(0)
        raise InputError(f"{symbol} has two bars in the panel for session {session}; keep one bar per symbol and session")
