"""How the backtest trades."""

from typing import Annotated

from pydantic import Field

from stock_pipeline.settings.kinds import Section


class BacktestSettings(Section):
    """How the backtest trades."""

    top_share: Annotated[float, Field(gt=0, le=1, description="share of the stocks that the backtest holds")] = 0.1
    cost_bps: Annotated[float, Field(ge=0, description="cost of one dollar bought or sold, in basis points")] = 10.0
