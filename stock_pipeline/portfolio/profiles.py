"""The risk profiles: which stocks are eligible, and how predicted return is weighed against low volatility."""

from dataclasses import dataclass
from typing import Final

from stock_pipeline.core.errors import InputError

ALL: Final = "all"


@dataclass(frozen=True)
class RiskProfile:
    """The preferences of one kind of investor.

    Prices are in dollars a share, dollar volumes in dollars a session. ``maximum_volatility_rank`` is a place among all
    candidates, from 0 (lowest volatility) to 1 (highest). The two weights need not add up to 1. ``maximum_per_sector`` and ``size``
    count stocks.
    """

    name: str
    description: str
    minimum_price: float
    minimum_dollar_volume: float
    maximum_volatility_rank: float
    weight_predicted_return: float
    weight_low_risk: float
    maximum_per_sector: int
    size: int


PROFILES: tuple[RiskProfile, ...] = (
    RiskProfile(
        name="default",
        description="Predicted return first, without the fifth of the stocks with the highest volatility.",
        minimum_price=5.0,
        minimum_dollar_volume=5e6,
        maximum_volatility_rank=0.8,
        weight_predicted_return=0.6,
        weight_low_risk=0.4,
        maximum_per_sector=4,
        size=15,
    ),
    RiskProfile(
        name="conservative",
        description="Heavily traded stocks of low volatility, spread over many sectors; predicted return comes second.",
        minimum_price=10.0,
        minimum_dollar_volume=2e7,
        maximum_volatility_rank=0.5,
        weight_predicted_return=0.3,
        weight_low_risk=0.7,
        maximum_per_sector=3,
        size=20,
    ),
    RiskProfile(
        name="aggressive",
        description="Predicted return almost alone, in few stocks and at any volatility.",
        minimum_price=2.0,
        minimum_dollar_volume=1e6,
        maximum_volatility_rank=1.0,
        weight_predicted_return=0.9,
        weight_low_risk=0.1,
        maximum_per_sector=5,
        size=10,
    ),
)


def chosen_profiles(name: str) -> tuple[RiskProfile, ...]:
    """The profile of that name, or all of them for "all".

    Raises:
        InputError: there is none; the message lists those there are.
    """
    if name == ALL:
        return PROFILES
    found = tuple(profile for profile in PROFILES if profile.name == name)
    if not found:
        known = ", ".join(profile.name for profile in PROFILES)
        raise InputError(f"risk profile {name!r} is not known; choose one of {known}, {ALL}")
    return found
