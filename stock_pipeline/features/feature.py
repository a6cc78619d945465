"""The description of one feature."""

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

Family = Literal["momentum", "volatility", "volume", "cross_section"]


@dataclass(frozen=True)
class Feature:
    """One feature: its name, what it is in words, and the expression that computes it.

    ``look_back`` is the number of sessions that the formula spans, the current one included; prices carried forward into them may
    be ``grid.FILL_SESSIONS`` older. ``source`` is where the idea was published.

    ``expression`` is evaluated on the frame that ``grid.on_grid`` returns, whose rows lie in the order of symbol and session with
    empty rows before each symbol's first bar, so that ``shift`` and the windows of ``windows.py`` keep within the symbol.
    They must not stand inside ``.over``, which would evaluate them within its groups. A division by zero needs no guard: whatever
    is not finite becomes null.

    The value of a ``ranked`` feature is the rank of its expression among the stocks with a bar in the session:
    (rank - 1/2) / stocks, ties sharing their mean rank.
    """

    name: str
    family: Family
    formula: str
    look_back: int
    source: str
    expression: pl.Expr = field(repr=False, compare=False)
    ranked: bool = False
