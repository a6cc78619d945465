"""How the backtest trades."""

from pydantic import Field

from stock_pipeline.settings.kinds import Section


class BacktestSettings(Section):
    """How the backtest trades."""

    top_share: float = Field(0.1, gt=0, le=1, description="share of the stocks that the backtest holds")
