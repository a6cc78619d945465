"""DirectionClassifier: the probability of a rise, by boosted trees calibrated on sessions that they did not see."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators.estimator import check_fit_input
from stock_pipeline.models.estimators.lightgbm_trees import SETTINGS, LightGBMTrees
from stock_pipeline.models.estimators.trees import TreeModel

DOWN, UP = -0.5, 0.5
# One in so many sessions, the latest ones, calibrates.
CALIBRATING_SHARE: Final = 5
# Stocks of one session move together, so fewer sessions than this tell too little of how far to trust the trees.
LEAST_CALIBRATING_SESSIONS: Final = 5
NEWTON_STEPS: Final = 50


class Calibration(NamedTuple):
    """Log-odds of a rise as a line through what the trees say: ``slope * sum + intercept``."""

    slope: float
    intercept: float


@dataclass(eq=False, kw_only=True)
class DirectionClassifier(TreeModel):
    """The probability that a stock rises, less 0.5: 0 is a coin, 0.5 certainty of a rise.

    LightGBM's trees are fitted on the log loss; Platt scaling (Platt 1999) then turns their sum into a probability. It is fitted on
    the last fifth of the training sessions, which the trees that it judges did not see. Afterwards the trees are grown again on all
    samples under the same calibration, because the latest sessions are the likest to the ones to come; trees of more samples are
    if anything the better ones, so the calibration errs on the side of caution. Trees that tell nothing, and panels of too few
    sessions to know (below 25, or with one class only in a part), get slope 0: every score is then the base rate less 0.5.

    Contributions are in log-odds after calibration: with p = score + 0.5, ln(p / (1 - p)) less the sum of a sample's
    contributions is one constant.

    Args:
        conditions: the seed drives which features each tree sees.
        trees: boosting rounds.
        learning_rate: share of each tree that is added.
        gap_sessions: sessions left out between those that trees learn from and those that calibrate, so that no label reaches
            from one into the other.
    """

    trees: int = 100
    learning_rate: float = 0.05
    gap_sessions: int = 7

    def parameters(self) -> dict[str, Any]:
        """Everything given to LightGBM but the size of a leaf and its penalty, and the gap before the calibrating sessions."""
        return {**SETTINGS, **self.arguments(), "calibrating_share": 1 / CALIBRATING_SHARE}

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        """Calibrate, then grow the trees on all samples.

        Args:
            samples: the samples.
            y: -0.5 where the stock fell, 0.5 where it rose; shape (samples,).

        Raises:
            ValueError: a target is neither, or all are the same.
        """
        check_fit_input(samples, y)
        _check_classes(y)
        rose = (y == UP).astype(np.float64)
        learning, calibrating = _parts(samples.sessions, self.gap_sessions)
        if _has_both(rose[learning]) and _has_both(rose[calibrating]):
            judged = self._grow(samples.take(learning), rose[learning])
            calibration = platt(judged.add_up(samples.take(calibrating).matrix()), rose[calibrating])
        else:
            calibration = None
        self._calibration = calibration or Calibration(0.0, _log_odds(float(rose.mean())))
        self._trees = self._grow(samples, rose)
        self.feature_names = samples.names

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


def platt(sums: NDArray[np.float64], rose: NDArray[np.float64]) -> Calibration | None:
    """The line through ``sums`` (samples,) under which what happened, ``rose`` (samples,) of 0 and 1, is the most probable.

    Platt's method (1999, Probabilistic outputs for support vector machines) with his smoothed targets, by Newton's method with
    step halving (Lin, Lin and Weng 2007). None where the line does not rise: then the sums tell nothing.
    """
    spread = float(sums.std())
    if spread == 0:
        return None
    rises, falls = float(rose.sum()), float(len(rose) - rose.sum())
    wanted = np.where(rose == 1, (rises + 1) / (rises + 2), 1 / (falls + 2))
    centre = float(sums.mean())
    # Sums of spread 1 make a well-conditioned equation.
    design = np.column_stack([(sums - centre) / spread, np.ones_like(sums)])
    line = np.array([0.0, _log_odds(float(wanted.mean()))])
    loss = _loss(design, wanted, line)
    for _ in range(NEWTON_STEPS):
        p = 0.5 + np.tanh(design @ line / 2) / 2
        slant = design.T @ (p - wanted)
        step = np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]), slant)
        share = 1.0
        while (new := _loss(design, wanted, line - share * step)) > loss and share > 1e-10:
            share /= 2
        line, gain, loss = line - share * step, loss - new, new
        if gain <= 1e-12 * abs(loss):
            break
    slope = float(line[0]) / spread
    return Calibration(slope, float(line[1]) - slope * centre) if slope > 0 else None


def _loss(design: NDArray[np.float64], wanted: NDArray[np.float64], line: NDArray[np.float64]) -> float:
    z = design @ line
    return float(np.sum(np.logaddexp(0, z) - wanted * z))


def _parts(sessions: NDArray[np.int32], gap: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which samples the trees to be judged learn from and which calibrate them; no sample at all where sessions are too few."""
    distinct = np.unique(sessions)
    count = len(distinct) // CALIBRATING_SHARE
    if count < LEAST_CALIBRATING_SESSIONS:
        nothing = np.zeros(len(sessions), dtype=bool)
        return nothing, nothing
    first = distinct[-count]
    return sessions < first - gap, sessions >= first


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


def _log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))
