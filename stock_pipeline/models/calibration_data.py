"""Calibrations of a training: what its scores mean in plain units, by the outcomes known on its night."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import (
    FORWARD_RETURN,
    HORIZON,
    PREDICTED_EXCESS_RETURN,
    PREDICTED_VOLATILITY,
    RETURN_SCALE,
    SESSION,
    SYMBOL,
)
from stock_pipeline.datasets.catalogue import TargetKind
from stock_pipeline.datasets.reading import read_past_volatility
from stock_pipeline.features.reading import read_local_volatility
from stock_pipeline.labels.catalogue import predicted_horizon
from stock_pipeline.labels.reading import read_outcomes
from stock_pipeline.models.recording import Calibration
from stock_pipeline.models.return_calibration import return_calibration
from stock_pipeline.models.volatility_calibration import volatility_calibration
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores


def calibration_of(stores: Stores, settings: Settings, as_of: date, kind: TargetKind, out_of_fold: pl.DataFrame) -> Calibration:
    """The calibration of a training's scores by their own kind of outcome; none for a kind whose scores need none.

    Args:
        stores: the stores.
        settings: for the feature set and the horizons.
        as_of: the session whose night counts.
        kind: the kind of target that was learned.
        out_of_fold: session, symbol, score and target of the test sessions.
    """
    if kind.prediction == PREDICTED_VOLATILITY:
        past = read_past_volatility(stores, settings, as_of)
        rows = out_of_fold.join(past, on=[SYMBOL, SESSION], how="left")
        return Calibration(volatility_calibration(rows, settings.labels.volatility_horizon))
    if kind.prediction != PREDICTED_EXCESS_RETURN or out_of_fold.is_empty():
        return Calibration()
    said = out_of_fold.drop(FORWARD_RETURN).join(
        read_local_volatility(stores, settings, out_of_fold[SESSION].min(), out_of_fold[SESSION].max()),  # type: ignore[arg-type]
        on=[SYMBOL, SESSION],
        how="left",
    )
    found = (return_calibration(said, read_outcomes(stores, as_of, horizon), horizon) for horizon in settings.labels.horizons)
    by_horizon = tuple(one for one in found if one is not None)
    scales = {one[HORIZON]: one[RETURN_SCALE] for one in by_horizon}
    return Calibration({RETURN_SCALE: scales.get(predicted_horizon(settings.labels))}, by_horizon)
