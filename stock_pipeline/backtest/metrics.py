"""The figures that sum up a backtest. Undefined figures are None, never NaN or infinite."""

import math
from statistics import NormalDist

import numpy as np
import polars as pl

from stock_pipeline.backtest.tables import BENCHMARK_RETURN, NET_RETURN, TURNOVER
from stock_pipeline.core.ratios import SESSIONS_A_YEAR, Returns, sample_deviation, sharpe_ratio, sortino_ratio


def summarise(daily: pl.DataFrame) -> list[tuple[str, float | None]]:
    """The figures of a backtest by name, in a fixed order.

    Returns and deviations are fractions a year of 252 sessions, ratios use a risk-free rate of zero, the maximum drawdown is
    at most 0, and ``positive_return_share`` is the share of sessions that gained after costs. Figures of risk need at least two sessions.

    Args:
        daily: the result of ``daily_returns``: net_return, benchmark_return and turnover, in the order of sessions.
    """
    returns, benchmark = daily[NET_RETURN].to_numpy(), daily[BENCHMARK_RETURN].to_numpy()
    annual, benchmark_annual = annual_return(returns), annual_return(benchmark)
    drawdown = maximum_drawdown(returns)
    deviation = sample_deviation(returns)
    excess = None if annual is None or benchmark_annual is None else annual - benchmark_annual
    return [
        ("sessions", float(daily.height)),
        ("total_return", total_return(returns)),
        ("annual_return", annual),
        ("annual_volatility", None if deviation is None else deviation * math.sqrt(SESSIONS_A_YEAR)),
        ("sharpe", sharpe_ratio(returns)),
        ("probabilistic_sharpe", probabilistic_sharpe_ratio(returns)),
        ("sortino", sortino_ratio(returns)),
        ("maximum_drawdown", drawdown),
        ("calmar", annual / -drawdown if annual is not None and drawdown else None),
        ("mean_turnover", float(daily[TURNOVER].to_numpy().mean()) if daily.height else None),
        ("positive_return_share", float((returns > 0).mean()) if returns.size else None),
        ("benchmark_total_return", total_return(benchmark)),
        ("excess_annual_return", excess),
        ("information_ratio", sharpe_ratio(returns - benchmark)),
    ]


def total_return(returns: Returns) -> float | None:
    """Growth over all sessions, as a fraction."""
    return float(np.prod(1 + returns) - 1) if returns.size else None


def annual_return(returns: Returns) -> float | None:
    """Geometric mean growth a year; None below two sessions and where it is too large for a number."""
    if returns.size < 2:
        return None
    if (returns <= -1).any():
        return -1.0
    exponent = float(np.log1p(returns).mean()) * SESSIONS_A_YEAR
    return math.expm1(exponent) if exponent < 700 else None


def maximum_drawdown(returns: Returns) -> float | None:
    """The deepest fall of equity below its highest so far, the money put in included; at most 0."""
    if not returns.size:
        return None
    equity = np.cumprod(1 + returns)
    return float((equity / np.maximum(np.maximum.accumulate(equity), 1.0) - 1).min())


def probabilistic_sharpe_ratio(returns: Returns, threshold: float = 0.0) -> float | None:
    """Probability that the true Sharpe ratio exceeds ``threshold`` a year, given length, skewness and kurtosis of the record.

    Source: Bailey and López de Prado (2012), The Sharpe Ratio Efficient Frontier. It takes the sessions as independent.
    """
    deviation = sample_deviation(returns)
    if not deviation:
        return None
    centred = returns - returns.mean()
    variance = float((centred**2).mean())
    skewness = float((centred**3).mean()) / variance**1.5
    kurtosis = float((centred**4).mean()) / variance**2
    ratio = float(returns.mean()) / deviation
    spread = 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2
    if spread <= 0:
        return None
    return NormalDist().cdf((ratio - threshold / math.sqrt(SESSIONS_A_YEAR)) * math.sqrt((returns.size - 1) / spread))
