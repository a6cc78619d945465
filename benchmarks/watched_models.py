"""The processes that ``models`` measures: ``python -m benchmarks.watched_models train|serve RECORD``.

``train``: every model of the catalogue on a made-up panel of 500,000 samples of 40 features, as the pipeline trains them: four purged
folds and a final fit each, in a process of its own, then the stack, with every artefact written; then all of it a week of sessions
later, as a retraining does it, which keeps the folds that have not changed. ``serve``: those artefacts loaded,
one stock and a hundred scored by the whole stack, and 500 explained.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import polars as pl

from stock_pipeline.core.columns import (
    DIRECTION,
    FORWARD_RETURN,
    FORWARD_VOLATILITY,
    MODEL,
    PAST_VOLATILITY,
    SESSION,
    SYMBOL,
    TRAINING_ID,
    VERSION,
)
from stock_pipeline.datasets.catalogue import RETURN_KIND, TargetKind
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.reading import model_inputs
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.datasets.splits import Lengths, Split, walk_forward
from stock_pipeline.features.catalogue import hash_features
from stock_pipeline.models.artefacts import Saveable, write_artefact
from stock_pipeline.models.catalogue import CATALOGUE, STACK, ModelEntry
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.kept_results import KeptResults
from stock_pipeline.models.manifest import Manifest
from stock_pipeline.models.plan import Plan
from stock_pipeline.models.recording import metrics_of
from stock_pipeline.models.stacking import StackedModel, stack_out_of_fold, stack_scale, stack_weights, widen
from stock_pipeline.models.subprocess_training import train_in_subprocesses
from stock_pipeline.predictions.inference import LoadedVersion, explanations, load_version, predict

STOCKS, SESSIONS, FEATURES, FOLDS, REACH, WEEK = 500, 1000, 40, 4, 5, 5
NAMES: Final = tuple(f"f{place:02d}" for place in range(FEATURES))
EXPOSED: Final = NAMES[:3]
CONDITIONS: Final = Conditions(seed=7, threads=2)
TURNS: Final = 300
DAYS: Final = [date(2016, 1, 4) + timedelta(days=place) for place in range(SESSIONS)]


def train(record: Path) -> None:
    """Train everything, then again with a week more of sessions, and write how long each model took."""
    panel, found = _panel(), dict[str, Any]()
    home = record.parent
    for turn, count, folder in (("first", SESSIONS - WEEK, home / "first"), ("weekly", SESSIONS, home)):
        known = panel.filter(pl.col(SESSION) < DAYS[0] + timedelta(days=count))
        found[turn] = _train_all(known, _splits(count), folder, home / "folds")
        print(turn, found[turn], file=sys.stderr, flush=True)
    record.write_text(json.dumps(found))


def _train_all(panel: pl.DataFrame, splits: Sequence[Split], folder: Path, folds: Path) -> dict[str, Any]:
    seconds, told, began = {}, [], time.perf_counter()
    for entry in CATALOGUE:
        before = time.perf_counter()
        told += _train_one(entry, panel, splits, folder, folds)
        seconds[entry.name] = time.perf_counter() - before
        print(entry.name, round(seconds[entry.name], 1), "s", file=sys.stderr, flush=True)
    before = time.perf_counter()
    wide, models = widen(told), [str(part[MODEL][0]) for part in told]
    weights = stack_weights(wide, models)
    stack = StackedModel(weights, {name: name for name in models}, stack_scale(wide, weights))
    own = stack_out_of_fold(wide, models, splits)
    _write(folder, STACK, stack, RETURN_KIND, own, stack.parameters(), 20)
    seconds[STACK] = time.perf_counter() - before
    rank_ic = metrics_of(own, RETURN_KIND)["rank_ic"]
    return {"seconds": seconds, "all_seconds": time.perf_counter() - began, "stack_rank_ic": rank_ic}


def _train_one(entry: ModelEntry, panel: pl.DataFrame, splits: Sequence[Split], folder: Path, folds: Path) -> list[pl.DataFrame]:
    """What the model said out of fold, where it is one for the stack."""
    kind = replace(entry.target, exposures=EXPOSED if entry.target.exposures else ())
    ends = dict(zip(DAYS, [*DAYS[REACH:], *[DAYS[-1]] * REACH], strict=True))
    plan, kept = Plan(replace(entry, target=kind), tuple(splits), ends, CONDITIONS), KeptResults(folds / entry.name)
    with TemporaryDirectory() as name:
        Panel.of(kind.with_target(panel), NAMES).save(Path(name))
        with train_in_subprocesses(plan, NAMES, Path(name), lambda _note: None, kept) as trained:
            _write(folder, entry.name, trained.model, kind, trained.out_of_fold, trained.model.fitted_with, trained.model.window)
            return [trained.out_of_fold] if kind.is_stacked else []


def _write(folder: Path, name: str, model: Saveable, kind: TargetKind, said: pl.DataFrame, parameters: Any, window: int) -> None:
    manifest = Manifest(
        model=name,
        training_id=name,  # there is one of each model
        as_of=DAYS[-1],
        train_from=DAYS[0],
        train_to=DAYS[-1],
        features=NAMES,
        features_hash=hash_features(NAMES),
        rows=STOCKS * SESSIONS,
        parameters=parameters,
        metrics=metrics_of(said, kind),
        seed=CONDITIONS.seed,
        threads=CONDITIONS.threads,
        code_version="1",
        target=kind.name,
        exposures=EXPOSED if kind.exposures else (),
        window=window,
    )
    write_artefact(folder / "models", model, manifest)


def serve(record: Path) -> None:
    """Load, score and explain, and write the median seconds of each."""
    folder = record.parent
    rows = [{MODEL: name, VERSION: 1, TRAINING_ID: name, "artefact": f"{name}/{name}", "sha256": _sha(folder, name)} for name in _names()]
    recorded = {str(row[TRAINING_ID]): str(row["sha256"]) for row in rows}

    def load() -> list[LoadedVersion]:
        return [load_version(folder / "models", row, recorded) for row in rows]

    first = load()  # imports the libraries
    loaded = _median(load, 5)
    panel = _panel().filter(pl.col(SESSION).is_in(DAYS[-20:]))
    past = panel.select(SYMBOL, SESSION, PAST_VOLATILITY)
    stack = next(service for service in first if service.predictor.stack is not None)
    symbols = panel[SYMBOL].unique().sort().to_list()
    hundred = panel.filter(pl.col(SYMBOL).is_in(symbols[:100]))
    one = panel.filter(pl.col(SYMBOL) == symbols[0]).sort(SESSION)
    sample = Samples.of(one, NAMES).take(slice(-1, None))
    explained = [service for service in first if explanations(service, panel, DAYS[-1], 5).height]
    found = {
        "load": loaded,
        "one_row": _median(lambda: [member.estimator.predict(sample) for member in stack.predictor.members.values()], TURNS),
        "hundred_stocks": _median(lambda: predict(stack, hundred, DAYS[-1], past), TURNS),
        "explain": _median(lambda: [explanations(service, panel, DAYS[-1], 5) for service in explained], 3),
        "explained_models": len(explained),
    }
    record.write_text(json.dumps(found))


def _median(work: Callable[[], object], turns: int) -> float:
    work()
    seconds = []
    for _ in range(turns):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def _names() -> list[str]:
    return [*(entry.name for entry in CATALOGUE), STACK]


def _sha(folder: Path, name: str) -> str:
    import hashlib

    return hashlib.sha256((folder / "models" / name / name / "manifest.json").read_bytes()).hexdigest()


def _splits(count: int) -> list[Split]:
    return walk_forward(DAYS[:count], FOLDS, REACH, 3, Lengths(400, 126))


def _panel() -> pl.DataFrame:
    """Features that persist from session to session, a weak signal in some of them, and outcomes of all kinds."""
    rng = np.random.default_rng(0)
    values = np.empty((SESSIONS, STOCKS, FEATURES), dtype=np.float32)
    values[0] = rng.normal(size=(STOCKS, FEATURES))
    for place in range(1, SESSIONS):
        values[place] = 0.9 * values[place - 1] + 0.44 * rng.normal(size=(STOCKS, FEATURES))
    signal = values[..., 5] + values[..., 6] ** 2 - values[..., 7] * values[..., 8]
    returns = 0.01 * (0.05 * signal + rng.normal(size=(SESSIONS, STOCKS)))
    key = {
        SESSION: np.repeat(np.array(DAYS, dtype="datetime64[D]"), STOCKS),
        SYMBOL: [f"S{place:03d}" for place in range(STOCKS)] * SESSIONS,
    }
    past = np.exp(rng.normal(-4, 0.3, size=STOCKS * SESSIONS))
    outcomes = {
        FORWARD_RETURN: returns.ravel(),
        DIRECTION: (returns.ravel() > 0).astype(np.int8),
        PAST_VOLATILITY: past,
        FORWARD_VOLATILITY: past * np.exp(0.2 * values[..., 0].ravel() + rng.normal(0, 0.3, size=past.shape)),
    }
    features = {name: values[..., place].ravel() for place, name in enumerate(NAMES)}
    return model_inputs(pl.DataFrame({**key, **features, **outcomes}), NAMES, {})


if __name__ == "__main__":
    {"train": train, "serve": serve}[sys.argv[1]](Path(sys.argv[2]))
