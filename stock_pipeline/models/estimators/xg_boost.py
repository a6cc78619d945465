"""XGBoost: gradient-boosted trees of second order (Chen and Guestrin 2016). Named so as not to hide the library."""

from dataclasses import dataclass
from typing import Any

from stock_pipeline.models.estimators.xgboost_trees import XGBoostTrees


@dataclass(eq=False, kw_only=True)
class XGBoost(XGBoostTrees):
    """Two hundred shallow trees, each fitted to what those before it left.

    Args:
        conditions: see ``XGBoostTrees``.
        trees: boosting rounds.
        learning_rate: share of each tree that is added.
        max_depth: splits from the root to a leaf; the cost of explaining a sample grows with two to its power.
    """

    trees: int = 200
    learning_rate: float = 0.03
    max_depth: int = 5

    def _rounds(self) -> int:
        return self.trees

    def _growth(self, leaf: int) -> dict[str, Any]:
        return {"learning_rate": self.learning_rate, "max_depth": self.max_depth, "min_child_weight": leaf, "reg_lambda": leaf}
