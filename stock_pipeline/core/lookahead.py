"""Tests for look-ahead: with the future cut off, or replaced by another one, no earlier value may change.

They work on any function that turns a panel into values per symbol and session, so features and labels share the code.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final, Literal

import numpy as np
import polars as pl

from stock_pipeline.core.columns import PRICES, SESSION, SYMBOL

Kind = Literal["cut", "altered"]

ROW: Final = "row"  # the column that a violation names where the row itself is there with one future and not with the other
_OTHER: Final = "_other"
_SHARE_KEPT = 0.8


@dataclass(frozen=True)
class Violation:
    """A column that knew of sessions after ``cut_session``: how many of its rows changed, and the first of them."""

    column: str
    kind: Kind
    cut_session: date
    symbol: str
    session: date
    rows: int


def lookahead_violations(
    compute: Callable[[pl.DataFrame], pl.DataFrame],
    panel: pl.DataFrame,
    cut_sessions: Sequence[date],
    seed: int,
    reach: int = 0,
) -> list[Violation]:
    """The values of ``compute`` at or before each cut that change when the future is cut off or altered.

    For each cut the values are computed from the panel up to it, and from one whose later bars are partly missing and have
    random prices, volumes, factors and jumps. Both must equal the values from the whole panel to the last bit, nulls and rows included.

    Args:
        compute: from a panel to a frame of symbol, session and any further columns, one row per symbol and session.
        panel: bars with symbol, session, such prices as ``compute`` reads, volume and whatever else it reads.
        cut_sessions: sessions of the panel after which to cut.
        seed: random seed of the altered future.
        reach: sessions that a value may rightly look ahead: 0 for features, the horizon for labels. Values in the last ``reach``
            sessions up to the cut are not judged.

    Returns:
        One violation per column, kind and cut, in the order of the cuts, none where all is well.
    """
    truth = compute(panel)
    sessions = sorted(panel[SESSION].unique())
    found: list[Violation] = []
    for number, cut in enumerate(cut_sessions):
        judged = bisect_right(sessions, cut) - reach
        if judged < 1:
            continue
        before = pl.col(SESSION) <= sessions[judged - 1]
        past = panel.filter(pl.col(SESSION) <= cut)
        other = pl.concat([past, _another_future(panel.filter(pl.col(SESSION) > cut), np.random.default_rng([seed, number]))])
        expected = truth.filter(before)
        found += _moved(expected, compute(past).filter(before), "cut", cut)
        found += _moved(expected, compute(other).filter(before), "altered", cut)
    return found


def _another_future(bars: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The same sessions and symbols with other numbers and booleans, and some of the bars missing.

    Text stays, as a symbol's sector does.
    """
    price_factor = pl.Series(rng.lognormal(0, 0.5, bars.height))
    figures = [name for name, dtype in bars.schema.items() if dtype == pl.Float64 and name not in PRICES]
    facts = [name for name, dtype in bars.schema.items() if dtype == pl.Boolean]
    return bars.with_columns(
        *(pl.col(price) * price_factor for price in PRICES if price in bars.columns),
        *(pl.col(name) * pl.Series(rng.lognormal(0, 0.5, bars.height)) for name in figures),
        *(pl.Series(name, rng.random(bars.height) < 0.5) for name in facts),
    ).filter(pl.Series(rng.random(bars.height) < _SHARE_KEPT, dtype=pl.Boolean))


def _moved(expected: pl.DataFrame, got: pl.DataFrame, kind: Kind, cut: date) -> Iterator[Violation]:
    key = [SYMBOL, SESSION]
    both = (
        expected.with_columns(pl.lit(True).alias(ROW))
        .join(got.with_columns(pl.lit(True).alias(ROW)), on=key, how="full", coalesce=True, suffix=_OTHER)
        .sort(SESSION, SYMBOL)
    )
    for column in (name for name in [ROW, *expected.columns] if name not in key):
        moved = both.filter(~pl.col(column).eq_missing(pl.col(column + _OTHER)))
        if moved.height:
            yield Violation(column, kind, cut, moved[SYMBOL][0], moved[SESSION][0], moved.height)


def sampled(panel: pl.DataFrame, symbols: int, seed: int) -> pl.DataFrame:
    """The rows of at most ``symbols`` of the panel's symbols, drawn with the random seed ``seed``."""
    there = panel[SYMBOL].unique().sort()
    return panel.filter(pl.col(SYMBOL).is_in(there.sample(min(symbols, there.len()), seed=seed).implode()))


def as_table(violations: Sequence[Violation]) -> pl.DataFrame:
    """The violations as a table for people: column, kind, cut_session, symbol, session, rows."""
    schema = {"column": pl.String, "kind": pl.String, "cut_session": pl.Date, "symbol": pl.String, "session": pl.Date, "rows": pl.Int64}
    return pl.DataFrame([asdict(violation) for violation in violations], schema=schema)
