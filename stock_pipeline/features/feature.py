"""The description of one feature."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

WindowFamily = Literal["price_window", "volume_window"]
Family = Literal[
    "momentum", "volatility", "volume", "cross_section", "fundamentals", "regime", "sector", "factor", "seasonality", "candle", WindowFamily
]


@dataclass(frozen=True)
class Series:
    """A column on the grid that several features share, computed once for all of them.

    ``inputs`` are the series that its own expression takes.
    """

    name: str
    expression: pl.Expr = field(repr=False, compare=False)
    inputs: tuple["Series", ...] = ()

    @property
    def column(self) -> pl.Expr:
        """The column, for the features' expressions."""
        return pl.col(self.name)


@dataclass(frozen=True)
class Feature:
    """One feature: its name, what it is in words, and the expression that computes it.

    ``look_back`` is the number of sessions that the formula spans, the current one included; prices carried forward into them may
    be ``grid.FILL_SESSIONS`` older. Unless the stock (or the market, if it is of the market) has a price on the first of them, the
    value is null: a window is full or it is none. ``source`` is where the idea was published.

    ``on`` says what the ``expression`` is evaluated on:

    - ``grid``: the frame that ``grid.on_grid`` returns, whose rows lie in the order of symbol and session with empty rows before
      each symbol's first bar, so that ``shift`` and the windows of ``windows.py`` keep within the symbol. They must not stand inside
      ``.over``, which would evaluate them within its groups.
    - ``bar``: the bar itself with what was known of its company that night, the ratios of ``fundamental_ratios``.
    - ``market``: the frame that ``market.market_series`` returns, one row per session; all stocks get the same value, which lies
      within ``bounds``.
    - ``factors``: the frame that ``factors.factor_values`` returns, whose rows are the bars to make; all stocks of a session and
      their windows go into the value of each. It has values only where the window is full, and a number for the method behind them
      in the names of its columns: code shows in no expression.

    A division by zero needs no guard: whatever is not finite becomes null. ``inputs`` are columns of the grid that the expression
    shares with others.

    The value of a feature that is ``ranked`` is the rank of its expression among the stocks of the universe with a bar in the
    session, all of them or those of the same sector: (rank - 1/2) / stocks, ties sharing their mean rank; a stock outside the universe
    has none. Stocks whose sector is not known are ranked among each other.
    """

    name: str
    formula: str
    look_back: int
    source: str
    expression: pl.Expr = field(repr=False, compare=False)
    family: Family = field(kw_only=True)
    ranked: Literal["session", "sector"] | None = None
    on: Literal["grid", "bar", "market", "factors"] = "grid"
    bounds: tuple[float, float] | None = None
    inputs: tuple[Series, ...] = ()

    def __post_init__(self) -> None:
        if (self.on == "market") != (self.bounds is not None):
            raise ValueError(f"feature {self.name!r}: bounds belong to features of the market, and each of those needs them")


def dependency_levels(series: Iterable[Series]) -> list[dict[str, pl.Expr]]:
    """The expressions of the series and of all that they are made of, by name, in the order in which they can be computed."""
    found: list[dict[str, pl.Expr]] = []
    for one in series:
        _add(one, found)
    return found


def _add(series: Series, found: list[dict[str, pl.Expr]]) -> int:
    """Add the series to its layer, and return how many layers lie below the next."""
    depth = max((_add(part, found) for part in series.inputs), default=0)
    if len(found) == depth:
        found.append({})
    if not found[depth].setdefault(series.name, series.expression).meta.eq(series.expression):
        raise ValueError(f"there are two different series {series.name!r}; give one of them another name")
    return depth + 1
