"""DirectionClassifier: the probability of a rise, by boosted trees calibrated on sessions that they did not see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators.estimator import check_fit_input
from stock_pipeline.models.estimators.lightgbm_trees import SETTINGS, LightGBMTrees
from stock_pipeline.models.estimators.trees import TreeModel
from stock_pipeline.models.platt import log_odds, platt

DOWN, UP = -0.5, 0.5
# As many parts of the sessions calibrate, one after another, by trees that learned from the others.
BLOCKS: Final = 4
# Stocks of one session move together, so fewer sessions than this tell too little of how far to trust the trees.
LEAST_CALIBRATING_SESSIONS: Final = 20


class Calibration(NamedTuple):
    """Log-odds of a rise as a line through what the trees say: ``slope * sum + intercept``."""

    slope: float
    intercept: float


@dataclass(eq=False, kw_only=True)
class DirectionClassifier(TreeModel):
    """The probability that a stock rises, less 0.5: 0 is a coin, 0.5 certainty of a rise.

    LightGBM's trees are fitted on the log loss; Platt scaling (see ``models.platt``) then turns their sum into a probability. It is
    cross-fitted: each quarter of the sessions is scored by trees that learned from the others, purged on either side (purged k-fold,
    López de Prado 2018, Advances in Financial Machine Learning, chapter 7). So nearly every session calibrates, which a weak order
    of the stocks needs in order to show. The slope rests on the order within sessions and is shrunk by its error. Afterwards the
    trees are grown again on all samples under the same calibration. Trees of more samples are if anything the better ones, so the
    calibration errs on the side of caution. Trees whose order proved worthless, and panels of too few sessions to know (below 20,
    or with one class only in a part), get slope 0: every score is then the base rate less 0.5.

    Contributions are in log-odds after calibration: with p = score + 0.5, ln(p / (1 - p)) less the sum of a sample's
    contributions is one constant.

    Args:
        conditions: the seed drives which features each tree sees.
        trees: boosting rounds.
        learning_rate: share of each tree that is added.
        gap_sessions: sessions left out between those that trees learn from and those that calibrate, so that no label reaches
            from one into the other; a training gives as many as its folds leave out (``Plan.gap_sessions``).
    """

    trees: int = 100
    learning_rate: float = 0.05
    gap_sessions: int = 9

    def parameters(self) -> dict[str, Any]:
        """Everything given to LightGBM but the size of a leaf and its penalty, the gap beside the calibrating sessions, and their parts."""
        return {**SETTINGS, **self.arguments(), "calibrating_blocks": BLOCKS}

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        """Calibrate, and grow the trees on all samples.

        Args:
            samples: the samples.
            y: -0.5 where the stock fell, 0.5 where it rose; shape (samples,).

        Raises:
            ValueError: a target is neither, or all are the same.
        """
        check_fit_input(samples, y)
        _check_classes(y)
        rose = (y == UP).astype(np.float64)
        self._trees = self._grow(samples, rose)
        self._calibration = self._calibrated(samples, rose)
        self.feature_names = samples.names

    def _calibrated(self, samples: Samples, rose: NDArray[np.float64]) -> Calibration:
        said = np.full(len(rose), np.nan)
        for learning, own in _blocks(samples.sessions, self.gap_sessions):
            if _has_both(rose[learning]):
                said[own] = self._grow(samples.take(learning), rose[learning]).add_up(samples.take(own).matrix())
        told = np.isfinite(said)
        sessions = samples.sessions[told].astype(np.int64)
        if len(np.unique(sessions)) < LEAST_CALIBRATING_SESSIONS or not _has_both(rose[told]):
            return Calibration(0.0, log_odds(float(rose.mean())))
        line = platt(said[told], rose[told], sessions, lags=self.gap_sessions)
        slope = line.slope.shrunk
        # A stock whose sum is the usual one rises as often as stocks do.
        usual = float(self._trees.add_up(samples.matrix()).mean()) if slope else 0.0
        return Calibration(slope, log_odds(float(rose.mean())) - slope * usual)

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        """The calibrated probability of a rise, less 0.5; shape (samples,)."""
        slope, intercept = self._calibration
        # The logistic function less a half, in the form that neither overflows nor cancels.
        return np.asarray(np.tanh((slope * self._trees.add_up(samples.matrix()) + intercept) / 2) / 2)

    def explain(self, samples: Samples) -> NDArray[np.float64]:
        """Exact SHAP values (Lundberg et al. 2020) of the calibrated log-odds of a rise; shape (samples, features)."""
        return self._calibration.slope * self._trees.contributions(samples.matrix())

    def _save_trees(self, folder: Path) -> None:
        self._trees.save(folder)

    def _load_trees(self, folder: Path, numbers: Mapping[str, float]) -> None:
        self._trees = LightGBMTrees.load(folder, self.conditions.threads)
        self._calibration = Calibration(**numbers)

    def _numbers(self) -> Mapping[str, float]:
        return self._calibration._asdict()

    def _grow(self, samples: Samples, rose: NDArray[np.float64]) -> LightGBMTrees:
        loss = {"objective": "binary", "learning_rate": self.learning_rate}
        return LightGBMTrees.grow(samples, rose, self.conditions, loss, self.trees)


def _blocks(sessions: NDArray[np.int32], gap: int) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """For each block of sessions, which samples the trees that it judges learn from and which are its own.

    They learn from the sessions before and after it, ``gap`` of them left out on either side. A block that leaves them fewer
    sessions than it has itself is left out.
    """
    for block in np.array_split(np.unique(sessions), BLOCKS):
        if len(block):
            learning = (sessions < block[0] - gap) | (sessions > block[-1] + gap)
            if len(np.unique(sessions[learning])) >= len(block):
                yield learning, (sessions >= block[0]) & (sessions <= block[-1])


def _check_classes(y: NDArray[np.float64]) -> None:
    others = (y != DOWN) & (y != UP)
    if others.any():
        raise ValueError(
            f"cannot fit a direction: {int(others.sum())} of {len(y)} targets are neither -0.5 (down) nor 0.5 (up), the first is "
            f"{y[others.argmax()]} at place {int(others.argmax())}; give the direction of the return as the target"
        )
    if not _has_both(y == UP):
        raise ValueError(
            f"cannot fit a direction: all {len(y)} targets are {y[0]}, so there is one class only; give samples of rises and of falls"
        )


def _has_both(rose: NDArray[Any]) -> bool:
    return bool(rose.any()) and not bool(rose.all())
