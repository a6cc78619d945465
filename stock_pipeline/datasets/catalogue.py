"""The kinds of targets. A new one is a file in ``targets/`` and a line here."""

from typing import Final

from stock_pipeline.core.named import entry_named
from stock_pipeline.datasets.targets.direction import DIRECTION_KIND
from stock_pipeline.datasets.targets.relative_return import RETURN_KIND
from stock_pipeline.datasets.targets.target_kind import JudgedBy, TargetKind
from stock_pipeline.datasets.targets.volatility import VOLATILITY_KIND

__all__ = ["DIRECTION_KIND", "RETURN_KIND", "TARGET_KINDS", "VOLATILITY_KIND", "JudgedBy", "TargetKind", "target_kind"]

TARGET_KINDS: Final[tuple[TargetKind, ...]] = (
    RETURN_KIND,
    DIRECTION_KIND,
    VOLATILITY_KIND,
)


def target_kind(name: str) -> TargetKind:
    """The kind that is stored by this name.

    Raises:
        InputError: there is none.
    """
    return entry_named(name, TARGET_KINDS, "kind of target")
