"""How volatile a stock has been: the yardstick of the volatility ahead, known on the night itself."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, PAST_VOLATILITY, PRICE_STEP, SESSION, SYMBOL

WINDOW: Final = 20
# Sessions of bars to read for the last session's value: the returns of a window, and bars that may be missing among them.
SPAN: Final = 2 * WINDOW


def past_volatility(bars: pl.DataFrame) -> pl.DataFrame:
    """The standard deviation (n - 1) of each stock's last 20 daily log returns.

    Args:
        bars: symbol, session, close and price_step, as ``market_data.reading.stepped_bars`` gives them; one row per symbol and session.

    Returns:
        symbol, session and past_volatility (Float64, per session; null before there are 20 returns, and where a close is not
        positive), sorted by symbol and session.
    """
    close = pl.when(pl.col(CLOSE) > 0).then(pl.col(CLOSE))
    log_return = (close / (close.shift(1) * pl.col(PRICE_STEP))).log()
    return bars.sort(SYMBOL, SESSION).select(SYMBOL, SESSION, log_return.rolling_std(WINDOW).over(SYMBOL).alias(PAST_VOLATILITY))
