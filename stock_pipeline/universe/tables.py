"""The table of the universe."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.table_schema import Column, TableSchema

STATUS: Final = "status"

INSIDE: Final = "in_universe"
NOT_MEMBER: Final = "not_member"
EXCLUDED_KIND: Final = "excluded_kind"
SUSPECT_BAR: Final = "suspect"
SHORT_HISTORY: Final = "short_history"
LOW_PRICE: Final = "low_price"
ILLIQUID: Final = "illiquid"
TOO_FEW: Final = "too_few_stocks"
# In the order in which they are tried: the first that holds is told.
STATUSES: Final = {
    NOT_MEMBER: "a membership is given, and the stock was no member on the session",
    EXCLUDED_KIND: "it is of a kind in universe.excluded_kinds, such as a warrant",
    SUSPECT_BAR: "the close moved by more than quality.suspect_ratio, unexplained, and nobody has confirmed the bar",
    SHORT_HISTORY: "more than a quarter of the last universe.minimum_history sessions lack a bar, or lie before one that was suspect",
    LOW_PRICE: "the close is below universe.minimum_price",
    ILLIQUID: "the median dollar volume of 20 sessions is below universe.minimum_dollar_volume",
    TOO_FEW: "it passes, but fewer than universe.minimum_stocks do on that session",
    INSIDE: "it is ranked, learned from and traded",
}

DAILY_UNIVERSE: Final = TableSchema(
    store="ml",
    room="universe",
    name="daily_universe",
    description="Whether each stored stock is in the universe of a session, as known on its night, and if not why",
    columns=(
        Column(SYMBOL, pl.String, "ticker"),
        Column(SESSION, pl.Date, "the session of the bar"),
        Column(STATUS, pl.String, "; ".join(f"{name}: {text}" for name, text in STATUSES.items()), allowed=tuple(STATUSES)),
    ),
    key=(SYMBOL, SESSION),
)
DAILY_UNIVERSE_ASSET: Final = f"{DAILY_UNIVERSE.room}/{DAILY_UNIVERSE.name}"  # by which name its watermark is kept
