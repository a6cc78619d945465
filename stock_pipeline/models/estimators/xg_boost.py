"""XGBoost: gradient-boosted trees of second order (Chen and Guestrin 2016). Named so as not to hide the library."""

from typing import Any

from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.estimators.xgboost_trees import XGBoostTrees


class XGBoost(XGBoostTrees):
    """Two hundred shallow trees, each fitted to what those before it left.

    Args:
        conditions: see ``XGBoostTrees``.
        trees: boosting rounds.
        learning_rate: share of each tree that is added.
        max_depth: splits from the root to a leaf; the cost of explaining a sample grows with two to its power.
    """

    def __init__(self, conditions: Conditions, *, trees: int = 200, learning_rate: float = 0.03, max_depth: int = 5) -> None:
        super().__init__(conditions, trees=trees, learning_rate=learning_rate, max_depth=max_depth)

    def _rounds(self) -> int:
        return int(self._arguments["trees"])

    def _growth(self, leaf: int) -> dict[str, Any]:
        return {
            "learning_rate": self._arguments["learning_rate"],
            "max_depth": self._arguments["max_depth"],
            "min_child_weight": leaf,
            "reg_lambda": leaf,
        }
