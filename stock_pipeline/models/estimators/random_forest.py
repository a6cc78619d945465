"""RandomForest: the mean of trees that each saw other samples and features (Breiman 2001), grown by XGBoost."""

from dataclasses import dataclass
from typing import Any

from stock_pipeline.models.estimators.xgboost_trees import XGBoostTrees


@dataclass(eq=False, kw_only=True)
class RandomForest(XGBoostTrees):
    """A hundred trees side by side in one round of boosting, their mean being the score.

    Breiman's trees grow to their full depth and draw samples with replacement. These are capped, because explaining full trees
    takes seconds a sample and daily returns are too noisy for small leaves, and draw a part without replacement.

    Args:
        conditions: see ``XGBoostTrees``.
        trees: how many.
        max_depth: splits from the root to a leaf; the cost of explaining a sample grows with two to its power.
        subsample: share of the samples that each tree sees.
        features_by_node: share of the features that each split chooses among; a third is Breiman's for regression.
    """

    trees: int = 100
    max_depth: int = 6
    subsample: float = 0.2
    features_by_node: float = 1 / 3

    def _rounds(self) -> int:
        return 1

    def _growth(self, leaf: int) -> dict[str, Any]:
        return {
            # XGBoost divides each tree's leaves by the number of trees itself.
            "num_parallel_tree": self.trees,
            "learning_rate": 1.0,
            "max_depth": self.max_depth,
            "subsample": self.subsample,
            "colsample_bynode": self.features_by_node,
            # Of the samples that a tree sees; the mean of the trees does the rest.
            "min_child_weight": self.subsample * leaf,
            "reg_lambda": self.subsample * leaf,
        }
