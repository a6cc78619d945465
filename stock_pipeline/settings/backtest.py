"""How the backtest trades."""

from typing import Annotated

from pydantic import Field

from stock_pipeline.settings.kinds import Section


class BacktestSettings(Section):
    """How the backtest trades."""

    top_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    cost_bps: Annotated[float, Field(ge=0)] = 10.0
