"""Made-up training panels: noise, or a signal planted in known features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import polars as pl

from stock_pipeline.core.columns import DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, PAST_VOLATILITY, SESSION, SYMBOL, TARGET
from stock_pipeline.datasets.catalogue import RETURN_KIND, TargetKind
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.reading import model_inputs, training_panel, write_training_panel
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.features.reading import chosen_set
from stock_pipeline.models.catalogue import ModelEntry
from stock_pipeline.models.estimators.estimator import Conditions, Estimator
from stock_pipeline.models.plan import Plan, in_sequence
from stock_pipeline.models.training import train
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.folds import equal_folds
from stock_pipeline_tests.factories.panels import sessions

FEATURES = ("f0", "f1", "f2", "f3", "f4", "f5")
LEAK: Final = "leak"
REACH = 2
ONE_THREAD: Final = Conditions(seed=7, threads=1)
DAYS: Final = sessions(700)
ENDS: Final = dict(zip(DAYS, DAYS[REACH:], strict=False))  # when the label of each session is known

# What makes a fit a matter of tenths of a second; each still learns.
QUICK: Final[Mapping[str, Mapping[str, Any]]] = {
    "lightgbm": {"trees": 30, "learning_rate": 0.1},
    "xgboost": {"trees": 30, "learning_rate": 0.1},
    "catboost": {"trees": 30, "learning_rate": 0.1},
    "random_forest": {"trees": 30},
    "mlp": {"members": 1, "hidden": 16, "most_samples": 200_000, "most_epochs": 6, "batch": 256},
    "n_hits": {"window": 4, "pooling": (2, 1), "ratios": (0.5, 1.0), "hidden": 16, "most_epochs": 2, "learning_rate": 0.01},
    "patch_tst": {
        "window": 4,
        "patch": 2,
        "width": 8,
        "series": 4,
        "most_samples": 300_000,
        "most_epochs": 6,
        "batch": 1024,
        "learning_rate": 0.01,
    },
    "risk": {"trees": 30},
    "direction": {"trees": 30},
}


def panel(
    symbols: int = 30,
    count: int = 150,
    signal: float = 0.0,
    seed: int = 0,
    kind: TargetKind = RETURN_KIND,
    exposures: Sequence[str] = (),
    leak: float | None = None,
) -> pl.DataFrame:
    """A training panel of six features, every row with its target.

    Args:
        symbols, count: stocks and sessions.
        signal: the weight of f0 (rising) and of f1 squared (a U) in the outcome, beside noise of weight 1.
        seed: of everything random.
        kind: which target.
        exposures: the features that the target is freed from.
        leak: where given, a seventh feature, ``leak``, is the outcome itself under noise of this weight.
    """
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, symbols, len(FEATURES)))
    outcome = rng.normal(size=(count, symbols)) + signal * (values[:, :, 0] + values[:, :, 1] ** 2)
    # A level that all stocks of a session share must make no difference.
    market = rng.normal(size=(count, 1))
    returns = 0.01 * (outcome + market).ravel()
    key = {
        SYMBOL: [f"S{i:02d}" for i in range(symbols)] * count,
        SESSION: [day for day in sessions(count) for _ in range(symbols)],
    }
    columns = {name: (values[:, :, j] + market).ravel() for j, name in enumerate(FEATURES)}
    if leak is not None:
        columns[LEAK] = (outcome + leak * rng.normal(size=outcome.shape)).ravel()
    features = pl.DataFrame({**key, **columns})
    volatility = {FORWARD_VOLATILITY: 0.02 * np.exp(0.3 * outcome).ravel(), PAST_VOLATILITY: np.full(returns.shape, 0.02)}
    labels = pl.DataFrame({**key, FORWARD_RETURN: returns, DIRECTION: (returns > 0).astype(np.int8)})
    labels = labels.with_columns(pl.Series(name, held) for name, held in volatility.items() if name in kind.outcomes)
    return exposed(kind, exposures).with_target(training_panel(model_inputs(features, list(columns), {}), labels, list(columns)))


def exposed(kind: TargetKind, exposures: Sequence[str]) -> TargetKind:
    """The kind freed from features of a made-up panel, which has none of the pipeline's own exposures."""
    return replace(kind, exposures=tuple(exposures))


def samples_of(rows: pl.DataFrame, names: Sequence[str] = FEATURES) -> Samples:
    """Every row of a panel as a sample."""
    return Samples.of(rows, names)


def unlabelled_from(rows: pl.DataFrame, first: date) -> pl.DataFrame:
    """The panel on a night on which what came of the sessions from ``first`` on is not known yet."""
    later = pl.col(SESSION) >= first
    return rows.with_columns(pl.when(~later).then(name).alias(name) for name in (TARGET, FORWARD_RETURN))


def quick(entry: ModelEntry, most_samples: int | None = None) -> ModelEntry:
    """The entry with a smaller budget, a network's smaller still where ``most_samples`` says so; it can be sent to another process."""
    budget = dict(QUICK.get(entry.name, {}))
    if most_samples is not None and entry.kinds == ("pytorch",):
        budget["most_samples"] = most_samples
    return replace(entry, make=partial(entry.make, **budget))


def plan_of(
    entry: ModelEntry,
    rows: pl.DataFrame,
    exposures: Sequence[str] = (),
    folds: int = 2,
    min_train: int = 60,
    **changes: Any,
) -> Plan:
    """How to train an entry on a panel: walk-forward folds, purged and embargoed; scores are freed from ``exposures``."""
    splits = equal_folds(rows[SESSION].to_list(), folds=folds, reach=REACH, embargo=3, min_train=min_train)
    freed = replace(entry, target=exposed(entry.target, exposures))
    within = [day for day in rows[SESSION].unique().sort() if day <= splits[0].train_to]
    inner = equal_folds(within, folds=2, reach=REACH, embargo=3, min_train=len(within) // 2)
    plain = Plan(freed, tuple(splits), ENDS, ONE_THREAD, inner_splits=tuple(inner))
    return replace(plain, **changes)


@dataclass(frozen=True)
class TrainedHere:
    """The results of a training in this process; ``model`` is what its files hold."""

    model: Estimator
    out_of_fold: pl.DataFrame
    in_sample: pl.DataFrame
    explained: pl.DataFrame
    trials: pl.DataFrame


def train_here(plan: Plan, rows: pl.DataFrame, names: Sequence[str] = FEATURES) -> TrainedHere:
    """Train on a panel in this process."""
    with TemporaryDirectory() as name:
        trained = train(plan, Path(name), in_sequence(plan, Panel.of(rows, names)))
        frames = (trained.out_of_fold, trained.in_sample, trained.explained, trained.trials)
        return TrainedHere(plan.entry.load(trained.model.folder), *frames)


def saved(rows: pl.DataFrame, folder: Path, names: Sequence[str] = FEATURES) -> Path:
    """The folder, which is made, with a panel in it."""
    folder.mkdir()
    Panel.of(rows, names).save(folder)
    return folder


def written_panel(stores: Stores, settings: Settings, as_of: date, kind: TargetKind = RETURN_KIND) -> pl.DataFrame:
    """The training panel that the pipeline writes, as one frame: session, symbol, features, outcomes and target."""
    names = chosen_set(settings).names
    with TemporaryDirectory() as name:
        write_training_panel(stores, settings, as_of, kind, Path(name))
        panel = Panel.open(Path(name), names)
        features = pl.DataFrame(np.array(panel.samples.x), schema=dict.fromkeys(names, pl.Float32))
        rows = panel.rows.clone()
    aside = [column for column in rows.columns if column not in {SESSION, SYMBOL, *names}]
    return pl.concat([rows.select(SESSION, SYMBOL), features, rows.select(aside)], how="horizontal")
