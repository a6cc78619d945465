"""The cost of trading, wherever returns after costs are reported."""

from pydantic import Field

from stock_pipeline.settings.kinds import Section


class TradingSettings(Section):
    """The cost of trading."""

    cost_bps_per_side: float = Field(
        10.0,
        ge=0,
        le=5000,
        description="cost of one dollar bought or sold, in basis points, 0 to 5000; a round trip costs twice as much",
    )

    @property
    def round_trip_cost(self) -> float:
        """The cost of buying one dollar's worth and selling it again, as a fraction."""
        return 2 * self.cost_bps_per_side * 1e-4
