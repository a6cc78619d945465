"""Nights of the room of performance: bars, features, labels and predictions as they come, and its stages executed."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from stock_pipeline.core.columns import SCORE, SESSION, SYMBOL, VERSION
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.features.catalogue import CORE
from stock_pipeline.features.tables import daily_features
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.performance.assets import STAGES
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.registry.tables import MODEL_VERSIONS, SHADOW, STATUS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import empty_stores, everyone_in, prediction_row, put, training_row, version_row
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute, stage_of, unchecked

SYMBOLS, COUNT = 25, 60
FIRST, CHANGE = 44, 53  # when versions came into service, and when one took the place of another
DAYS = sessions(COUNT + 10)
# Model, version, what it learned, and from when to when it served; none of it for a shadow version.
CAST: Sequence[tuple[str, int, str, date | None, date | None]] = (
    ("lightgbm", 1, "return", DAYS[FIRST], DAYS[CHANGE]),
    ("lightgbm", 2, "return", DAYS[CHANGE], None),
    ("lightgbm", 3, "return", None, None),
    ("risk", 1, "volatility", DAYS[FIRST], None),
    ("direction", 1, "direction", DAYS[FIRST], None),
    ("stack", 1, "return", DAYS[FIRST], None),
)
MEASURE, LOG = STAGES


@dataclass
class Nights:
    """Stores with bars and features of sixty sessions and predictions of the last ones."""

    stores: Stores
    settings: Settings

    @classmethod
    def begun(cls, home: Path) -> "Nights":
        """Every version has its training and stands where it stands; there are no labels and no predictions yet."""
        stores = empty_stores(home)
        put_bars(stores, COUNT, SYMBOLS)
        rng = np.random.default_rng(5)
        keys = {SYMBOL: [f"S{i:02d}" for i in range(SYMBOLS)] * COUNT, SESSION: [day for day in DAYS[:COUNT] for _ in range(SYMBOLS)]}
        values = {name: rng.normal(size=SYMBOLS * COUNT).astype(np.float32) for name in CORE.names}
        put(stores, daily_features(CORE), pl.DataFrame({**keys, **values}), DAYS[COUNT - 1])
        everyone_in(stores, pl.DataFrame(keys), DAYS[COUNT - 1])
        put(stores, TRAININGS, [training_row(m, f"{m}_{v}", DAYS[FIRST], target=kind) for m, v, kind, _, _ in CAST], DAYS[FIRST])
        put(stores, MODEL_VERSIONS, [in_registry(*each) for each in CAST], DAYS[FIRST])
        return cls(stores, plain_settings(home))

    def copied(self, home: Path, **settings: Any) -> "Nights":
        """The same elsewhere, by other settings; copying takes less time than making."""
        shutil.copytree(self.stores.home, home, dirs_exist_ok=True)
        return Nights(open_stores(home, 5), plain_settings(home, **settings))

    def brought(self, first: int, last: int) -> None:
        """Labels up to the session of the number ``last``, and predictions from the one of ``first`` to it, in one go."""
        execute(unchecked(stage_of(DAILY_LABELS, self.settings)), self.stores, self.settings, DAYS[last])
        self.write(DAILY_PREDICTIONS, pl.concat(said_on(place) for place in range(first, last + 1)))

    def write(self, schema: TableSchema, rows: pl.DataFrame) -> None:
        """Write rows, whatever asset made them."""
        put(self.stores, schema, rows, DAYS[FIRST])

    def run(self, stage: Stage, last: int, **asked: Any) -> StageResult:
        """Execute a stage as of the session of that number."""
        return execute(stage, self.stores, self.settings, DAYS[last], **asked)


def in_registry(model: str, version: int, _kind: str, active_from: date | None, active_to: date | None) -> dict[str, Any]:
    """The row of MODEL_VERSIONS of one of the cast."""
    row = version_row(model, version, f"{model}_{version}", active_from or DAYS[FIRST], active_to)
    return row if active_from else row | {STATUS: SHADOW, "active_from": None}


def said_on(place: int) -> pl.DataFrame:
    """What the versions that spoke or stood in shadow said on the night of the session of that number."""
    day, rng = DAYS[place], np.random.default_rng(place)
    rows = []
    for model, version, _, active_from, active_to in CAST:
        scores = rng.normal(size=SYMBOLS) / 5
        if active_from is None or (active_from <= day and (active_to is None or day < active_to)):
            told = enumerate(scores.tolist())
            rows += [prediction_row(model, f"{model}_{version}", day, f"S{i:02d}", score) | {VERSION: version} for i, score in told]
    return pl.DataFrame(rows, schema=DAILY_PREDICTIONS.dtypes).with_columns(pl.col(SCORE).round(6))
