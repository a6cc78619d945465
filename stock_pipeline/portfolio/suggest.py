"""Suggested stocks: filtered, ranked, capped by sector and weighted as a risk profile asks."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, NAME, PROFILE, RANK, SCORE, SECTOR, SYMBOL
from stock_pipeline.portfolio.profiles import RiskProfile
from stock_pipeline.portfolio.risk import DOLLAR_VOLUME, VOLATILITY
from stock_pipeline.predictions.tables import EXPECTATION

RISK_SCORE: Final = "risk_score"
TOTAL_SCORE: Final = "total_score"
WEIGHT: Final = "weight"
REASON: Final = "reason"


def suggest_stocks(candidates: pl.DataFrame, profile: RiskProfile) -> pl.DataFrame:
    """The stocks that suit ``profile``, best first, at most ``profile.size`` of them.

    The total score, from 0 to 1, is the weighted mean of the places of model score and calmness among the eligible stocks. A
    stock that no model scored stands in the middle of the scores; where no stock has one, calmness and liquidity count half
    each. A stock of a sector that is full is passed over; stocks of unknown sector are not capped. Weights are inverse to
    volatility and add up to 1.

    Args:
        candidates: one row per symbol: symbol, name, sector, close (dollars), volatility (annual, as a fraction), dollar_volume,
            score and ``EXPECTATION``, all but the symbol nullable. Without close, volatility or dollar volume a stock is not eligible,
            nor with a volatility of zero: its price is stale.
        profile: what to filter and weigh by.

    Returns:
        profile, rank, symbol, name, sector, close, volatility, dollar_volume, ``EXPECTATION``, risk_score (place of the volatility
        among all candidates, 0 lowest, 1 highest), total_score, weight and reason; no rows where nothing suits.
    """
    eligible = _eligible(candidates, profile)
    scored = eligible.select(pl.col(SCORE).count() > 0).item()
    ranked = eligible.with_columns(_total_score(profile, scored), _reason(scored)).sort([TOTAL_SCORE, SYMBOL], descending=[True, False])
    room_in_sector = pl.col(SECTOR).is_null() | (pl.int_range(pl.len()).over(SECTOR) < profile.maximum_per_sector)
    chosen = ranked.filter(room_in_sector).head(profile.size)
    return chosen.select(
        pl.lit(profile.name).alias(PROFILE),
        pl.int_range(1, pl.len() + 1).cast(pl.Int32).alias(RANK),
        *(SYMBOL, NAME, SECTOR, CLOSE, VOLATILITY, DOLLAR_VOLUME, *EXPECTATION, RISK_SCORE, TOTAL_SCORE),
        ((1 / pl.col(VOLATILITY)) / (1 / pl.col(VOLATILITY)).sum()).alias(WEIGHT),
        REASON,
    )


def _eligible(candidates: pl.DataFrame, profile: RiskProfile) -> pl.DataFrame:
    numbers = [pl.col(name).cast(pl.Float64).fill_nan(None) for name in (CLOSE, VOLATILITY, DOLLAR_VOLUME, SCORE, *EXPECTATION)]
    texts = [pl.col(name).cast(pl.String) for name in (SYMBOL, NAME, SECTOR)]
    tradable = pl.col(CLOSE).is_not_null() & pl.col(DOLLAR_VOLUME).is_not_null() & (pl.col(VOLATILITY) > 0)
    return (
        candidates.select(*texts, *numbers)
        .filter(tradable)
        .with_columns(_place(pl.col(VOLATILITY)).alias(RISK_SCORE))
        .filter(
            pl.col(CLOSE) >= profile.minimum_price,
            pl.col(DOLLAR_VOLUME) >= profile.minimum_dollar_volume,
            pl.col(RISK_SCORE) <= profile.maximum_volatility_rank,
        )
    )


def _place(values: pl.Expr) -> pl.Expr:
    """Place of each value from 0 (lowest) to 1 (highest), ties sharing theirs; 0.5 for a value alone."""
    place = (values.rank("average") - 1) / (values.count() - 1)
    return pl.when(values.count() > 1).then(place).when(values.is_not_null()).then(0.5)


def _total_score(profile: RiskProfile, scored: bool) -> pl.Expr:
    calmness = 1 - _place(pl.col(VOLATILITY))
    if not scored:
        return ((calmness + _place(pl.col(DOLLAR_VOLUME))) / 2).alias(TOTAL_SCORE)
    by_model, by_risk = profile.weight_predicted_return, profile.weight_low_risk
    return ((by_model * _place(pl.col(SCORE)).fill_null(0.5) + by_risk * calmness) / (by_model + by_risk)).alias(TOTAL_SCORE)


def _reason(scored: bool) -> pl.Expr:
    calm_and_liquid = pl.format(
        "less volatile than {} % of all stocks; {} million dollars traded a session",
        _percent(1 - pl.col(RISK_SCORE)),
        (pl.col(DOLLAR_VOLUME) / 1e6).round(1),
    )
    if not scored:
        return pl.format("no model scores, so ranked on low risk and liquidity alone; {}", calm_and_liquid).alias(REASON)
    by_model = pl.format("model score above {} % of {} eligible stocks; ", _percent(_place(pl.col(SCORE))), pl.len())
    words = pl.when(pl.col(SCORE).is_not_null()).then(by_model).otherwise(pl.lit("no model score for this stock, taken as middling; "))
    return (words + calm_and_liquid).alias(REASON)


def _percent(share: pl.Expr) -> pl.Expr:
    return (100 * share).round(0).cast(pl.Int64)
