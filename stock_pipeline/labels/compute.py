"""Labels from bars: the return that a fill at the next open would have earned, its direction, and the volatility ahead."""

from collections.abc import Mapping
from datetime import date
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, JUMP, OPEN, SESSION, SYMBOL
from stock_pipeline.core.errors import InputError

RETURN_REACH: Final = 2  # sessions after the label's own of which the return and its direction depend
VOLATILITY_HORIZON: Final = 5

_LINKED: Final = "linked"  # the symbol's next row is its bar of the exchange's next session
_LOG_RETURN: Final = "log_return"


def label_reach(volatility_horizon: int = VOLATILITY_HORIZON) -> int:
    """Sessions after its own on which a row of labels depends: what purging and embargo must keep apart."""
    return max(RETURN_REACH, volatility_horizon)


def compute_labels(panel: pl.DataFrame, next_session: Mapping[date, date], volatility_horizon: int = VOLATILITY_HORIZON) -> pl.DataFrame:
    """The labels of every bar.

    With t the row's session and t+1, t+2, ... the exchange's sessions after it:

    - forward_return = open(t+2) / open(t+1) - 1, the fill at the next open and the way out at the one after. Null where a bar is
      missing or where t+2 is a jump, whose overnight move is not to be trusted.
    - direction = 1 where forward_return is positive, otherwise 0.
    - forward_volatility = standard deviation (n - 1) of the log returns from close to close into t+1 to t+``volatility_horizon``.
      Null unless all of these closes and that of t are there and none of the returns crosses a jump.

    Args:
        panel: adjusted bars in any order: symbol (String), session (Date), open, close (Float64), jump (Boolean), one row per
            symbol and session.
        next_session: the exchange's next session after each session. A row outside its keys and values has null labels.
        volatility_horizon: number of returns in the forward volatility, 2 or more.

    Returns:
        symbol, session, forward_return (Float64), direction (Int8), forward_volatility (Float64, per session): a row for each row
        of ``panel``, in the order of symbol and session.

    Raises:
        InputError: ``volatility_horizon`` is below 2.
    """
    if volatility_horizon < 2:
        raise InputError(f"volatility_horizon of the labels is {volatility_horizon}; give 2 sessions or more, as a deviation needs")
    known = pl.col(SESSION).is_in(list({*next_session.keys(), *next_session.values()}))
    bars = panel.filter(known).sort(SYMBOL, SESSION).with_columns(*_steps(next_session))
    labelled = bars.select(SYMBOL, SESSION, _forward_return(), _forward_volatility(volatility_horizon)).select(
        SYMBOL,
        SESSION,
        FORWARD_RETURN,
        (pl.col(FORWARD_RETURN) > 0).cast(pl.Int8).alias(DIRECTION),
        FORWARD_VOLATILITY,
    )
    return pl.concat([labelled, panel.filter(~known).select(SYMBOL, SESSION)], how="diagonal").sort(SYMBOL, SESSION)


def _steps(next_session: Mapping[date, date]) -> list[pl.Expr]:
    """On bars in the order of symbol and session: whether the next row is the next session's, and the log return into the row."""
    following = pl.col(SESSION).replace_strict(dict(next_session), default=None, return_dtype=pl.Date)
    close = _usable(CLOSE)
    return [
        ((pl.col(SYMBOL) == pl.col(SYMBOL).shift(-1)) & (pl.col(SESSION).shift(-1) == following)).fill_null(False).alias(_LINKED),
        pl.when(~pl.col(JUMP)).then((close / close.shift(1)).log()).alias(_LOG_RETURN),
    ]


def _usable(price: str) -> pl.Expr:
    return pl.when((pl.col(price) > 0) & pl.col(price).is_finite()).then(price)


def _unbroken(sessions: int) -> pl.Expr:
    """The rows of the ``sessions`` sessions after this row's follow it one by one."""
    return pl.all_horizontal(pl.col(_LINKED).shift(-step, fill_value=False) for step in range(sessions))


def _forward_return() -> pl.Expr:
    opening = _usable(OPEN)
    trusted = _unbroken(RETURN_REACH) & ~pl.col(JUMP).shift(-RETURN_REACH)
    return pl.when(trusted).then(opening.shift(-RETURN_REACH) / opening.shift(-1) - 1).alias(FORWARD_RETURN)


def _forward_volatility(horizon: int) -> pl.Expr:
    # Summed anew in every row: a running sum would carry the rounding of the row where it started.
    returns = [pl.col(_LOG_RETURN).shift(-step) for step in range(1, horizon + 1)]
    mean = _added(returns) / horizon
    variance = _added([(value - mean).pow(2) for value in returns]) / (horizon - 1)
    return pl.when(_unbroken(horizon)).then(variance.sqrt()).alias(FORWARD_VOLATILITY)


def _added(terms: list[pl.Expr]) -> pl.Expr:
    """The sum, null where any term is."""
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result
