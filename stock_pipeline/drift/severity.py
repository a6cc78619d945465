"""The severity of a drift: five grades, from thresholds that each statistic brings."""

from dataclasses import dataclass

from stock_pipeline.core.errors import InputError

NONE, LOW, MEDIUM, HIGH, CRITICAL = "NONE", "LOW", "MEDIUM", "HIGH", "CRITICAL"
SEVERITIES = (NONE, LOW, MEDIUM, HIGH, CRITICAL)


@dataclass(frozen=True)
class Thresholds:
    """The values from which a drift is low, medium, high and critical, each above the one before."""

    low: float
    medium: float
    high: float
    critical: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.medium < self.high < self.critical:
            raise InputError(f"drift thresholds {self.values} must be above 0 and rise from low to critical")

    @property
    def values(self) -> tuple[float, float, float, float]:
        """The four in rising order."""
        return (self.low, self.medium, self.high, self.critical)


def severity(value: float | None, thresholds: Thresholds) -> str:
    """The grade of ``value``; NONE where there is no value. A value on a threshold has reached it."""
    return NONE if value is None else SEVERITIES[sum(value >= threshold for threshold in thresholds.values)]


def at_least(grade: str, floor: str) -> bool:
    """Whether ``grade`` is at least as severe as ``floor``."""
    return SEVERITIES.index(grade) >= SEVERITIES.index(floor)
