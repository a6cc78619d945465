"""Which of the stored stocks are ranked, learned from and traded."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from stock_pipeline.settings.kinds import Section, Sessions
from stock_pipeline.settings.lists import as_list

SecurityKind = Literal["warrant", "right", "unit", "preferred"]


class UniverseSettings(Section):
    """Which of the stored stocks are ranked, learned from and traded, besides being members of the index that is given."""

    minimum_price: float = Field(1.0, ge=0, description="lowest close, in the currency of the prices; the others stay stored and visible")
    minimum_dollar_volume: float = Field(
        1_000_000.0, ge=0, description="lowest median of close times volume of 20 sessions, in the currency of the prices"
    )
    minimum_history: Sessions = Field(
        20, description="sessions of which three quarters must have a bar since the first one and since the last suspect one"
    )
    excluded_kinds: Annotated[tuple[SecurityKind, ...], NoDecode, BeforeValidator(as_list)] = Field(
        ("warrant", "right", "unit", "preferred"),
        description="kinds of securities left out, by symbol or name, as a list: `warrant`, `right`, `unit`, `preferred`; may be empty",
    )
    minimum_stocks: int = Field(
        5, ge=2, description="fewest stocks whose ranks mean anything; of a session with fewer, nothing is learned and nothing predicted"
    )
