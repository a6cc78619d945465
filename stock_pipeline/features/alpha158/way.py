"""How much of a series' way in a window went up, and how much down."""

from dataclasses import dataclass, field

import polars as pl

from stock_pipeline.features.feature import Series
from stock_pipeline.features.windows import total


@dataclass(frozen=True)
class Way:
    """The way of a series, from its changes from session to session."""

    name: str
    change: pl.Expr = field(repr=False, compare=False)

    def parts(self, window: int) -> tuple[Series, Series]:
        """The rises and the falls of the window, each added up."""
        rise, fall = (
            Series(f"{which}_of_{self.name}", pl.when(change > 0).then(change).when(change.is_not_null()).then(0.0))
            for which, change in (("rise", self.change), ("fall", -self.change))
        )
        return (
            Series(f"rises_of_{self.name}_{window}", total(rise.column, window), (rise,)),
            Series(f"falls_of_{self.name}_{window}", total(fall.column, window), (fall,)),
        )

    def share_of_rises(self, window: int) -> pl.Expr:
        """Rises over rises and falls together."""
        rises, falls = (part.column for part in self.parts(window))
        return rises / (rises + falls)

    def share_of_falls(self, window: int) -> pl.Expr:
        """Falls over rises and falls together."""
        rises, falls = (part.column for part in self.parts(window))
        return falls / (rises + falls)

    def balance(self, window: int) -> pl.Expr:
        """Rises less falls over rises and falls together."""
        rises, falls = (part.column for part in self.parts(window))
        return (rises - falls) / (rises + falls)
