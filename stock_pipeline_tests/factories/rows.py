"""Stores with rows in them, for tests of what reads them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from stock_pipeline.core.columns import AS_OF, FOLD, FORWARD_RETURN, MODEL, RANK, SCORE, SESSION, SYMBOL, TRAINING_ID, VERSION
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.market_data.tables import INSTRUMENTS
from stock_pipeline.models.tables import NUMBER, OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.registry.tables import ACTIVE, ACTIVE_FROM, ACTIVE_TO, MODEL_VERSIONS, RETIRED, STATUS
from stock_pipeline.storage import Author, Stores, open_stores, upsert
from stock_pipeline.universe.tables import DAILY_UNIVERSE, DAILY_UNIVERSE_ASSET, INSIDE
from stock_pipeline.universe.tables import STATUS as IN_OR_OUT

MOMENT = datetime(2024, 1, 2, 3, 4, 5)
INGESTION = "market_data/daily_bars"


def empty_stores(home: Path) -> Stores:
    """Both stores, without a table of any stage."""
    stores = open_stores(home, 5)
    stores.prepare(())
    return stores


def put(
    stores: Stores, schema: TableSchema, rows: pl.DataFrame | Sequence[Mapping[str, Any]], watermark: date, asset: str = "tests"
) -> None:
    """Write ``rows`` into the table; an asset of that name has then reached ``watermark``."""
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(list(rows), schema=schema.dtypes)
    stores.write(schema.store, Author.of_asset(asset, "1", "a-run", MOMENT), (upsert(schema, frame),), watermark)


def everyone_in(stores: Stores, rows: pl.DataFrame, watermark: date) -> None:
    """Put the stock of each row (symbol, session, ...) into the universe of its session."""
    inside = rows.select(SYMBOL, SESSION, pl.lit(INSIDE).alias(IN_OR_OUT))
    put(stores, DAILY_UNIVERSE, inside, watermark, DAILY_UNIVERSE_ASSET)


def ingested(home: Path, watermark: date) -> Stores:
    """Stores in which ingestion has reached ``watermark``; the one row that it wrote is an instrument's."""
    stores = empty_stores(home)
    row = {"instrument": "AAA", SYMBOL: "AAA", "source": "tests"}
    put(stores, INSTRUMENTS, [row], watermark, INGESTION)
    return stores


def training_row(model: str, training_id: str, as_of: date, **values: object) -> dict[str, Any]:
    """A row of TRAININGS."""
    row = {
        TRAINING_ID: training_id,
        MODEL: model,
        NUMBER: 1,
        AS_OF: as_of,
        "train_from": as_of,
        "train_to": as_of,
        "rows": 100,
        "sessions": 10,
        "features": 2,
        "features_hash": "00",
        "parameters": "{}",
        "target": "return",
        "trials": 1,
        "seed": 1,
        "threads": 1,
        "device": "cpu",
        "artefact": f"{model}/{training_id}",
        "size_bytes": 10,
        "sha256": "00",
    }
    assert set(row) == set(TRAININGS.column_names)
    return row | values


def version_row(model: str, version: int, training_id: str, active_from: date, active_to: date | None = None) -> dict[str, Any]:
    """A row of MODEL_VERSIONS, of a version that is or was active."""
    row = {
        MODEL: model,
        VERSION: version,
        TRAINING_ID: training_id,
        AS_OF: active_from,
        STATUS: ACTIVE if active_to is None else RETIRED,
        ACTIVE_FROM: active_from,
        ACTIVE_TO: active_to,
        "mae": 0.25,
        "baseline_mae": 0.26,
        "rank_ic": 0.01,
        "changed_on": active_to or active_from,
        "by": "automation",
        "reason": "no version was active",
    }
    assert set(row) == set(MODEL_VERSIONS.column_names)
    return row


def prediction_row(model: str, training_id: str, session: date, symbol: str, score: float) -> dict[str, Any]:
    """A row of DAILY_PREDICTIONS."""
    row = {SESSION: session, SYMBOL: symbol, MODEL: model, TRAINING_ID: training_id, VERSION: 1, SCORE: score, RANK: 1}
    unknown = ("predicted_excess_return", "predicted_volatility", "probability_up")
    assert {*row, *unknown} == set(DAILY_PREDICTIONS.column_names)
    return row


def out_of_fold_row(model: str, training_id: str, session: date, symbol: str, score: float) -> dict[str, Any]:
    """A row of OUT_OF_FOLD_PREDICTIONS."""
    row = {TRAINING_ID: training_id, MODEL: model, FOLD: 1, SESSION: session, SYMBOL: symbol, SCORE: score, "target": 0.0}
    assert {*row, FORWARD_RETURN} == set(OUT_OF_FOLD_PREDICTIONS.column_names)
    return row | {FORWARD_RETURN: 0.01}
