"""Calibrations by the outcomes that are known on a night: which are read, for which kind."""

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import FORWARD_RETURN, HORIZON, PAST_VOLATILITY, RETURN_SCALE, SCORE, SESSION, SYMBOL, TARGET
from stock_pipeline.datasets.catalogue import DIRECTION_KIND, RETURN_KIND, VOLATILITY_KIND
from stock_pipeline.datasets.reading import read_past_volatility
from stock_pipeline.features.catalogue import CORE, VOLATILITY_EXPOSURE
from stock_pipeline.features.tables import daily_features
from stock_pipeline.labels.reading import read_outcomes
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.models.calibration_data import calibration_of
from stock_pipeline.models.recording import Calibration
from stock_pipeline.models.return_calibration import return_calibration
from stock_pipeline.models.volatility_calibration import volatility_calibration
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import empty_stores, put
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import make

SYMBOLS, SESSIONS = 6, 60
DAYS = sessions(SESSIONS)
HORIZONS = (2, 1)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """Bars of sixty sessions, their labels, and made-up features."""
    stores = empty_stores(tmp_path_factory.mktemp("home"))
    put_bars(stores, SESSIONS, SYMBOLS)
    rng = np.random.default_rng(5)
    keys = {SYMBOL: [f"S{i:02d}" for i in range(SYMBOLS)] * SESSIONS, SESSION: [day for day in DAYS for _ in range(SYMBOLS)]}
    made = {name: rng.random(SYMBOLS * SESSIONS).astype(np.float32) for name in CORE.names}
    put(stores, daily_features(CORE), pl.DataFrame({**keys, **made}), DAYS[-1])
    make(DAILY_LABELS, stores, plain_settings(stores.home, labels={"horizons": list(HORIZONS)}))
    return stores


def said() -> pl.DataFrame:
    rng = np.random.default_rng(6)
    keys = [(day, f"S{i:02d}") for day in DAYS[25:55] for i in range(SYMBOLS)]
    rows = pl.DataFrame(keys, schema={SESSION: pl.Date, SYMBOL: pl.String}, orient="row")
    values = {SCORE: rng.normal(size=len(keys)), TARGET: 0.3 * rng.normal(size=len(keys)), FORWARD_RETURN: np.zeros(len(keys))}
    return rows.with_columns(pl.Series(name, value) for name, value in values.items())


def test_a_return_is_calibrated_by_the_outcomes_of_each_horizon_known_that_night(stores: Stores) -> None:
    settings = plain_settings(stores.home, labels={"horizons": list(HORIZONS)})
    found = calibration_of(stores, settings, DAYS[50], RETURN_KIND, said())
    volatility = stores.read(daily_features(CORE)).select(SYMBOL, SESSION, pl.col(VOLATILITY_EXPOSURE).cast(pl.Float64))
    rows = said().drop(FORWARD_RETURN).join(volatility.rename({VOLATILITY_EXPOSURE: "local_volatility"}), on=[SYMBOL, SESSION])
    by_hand = [return_calibration(rows, read_outcomes(stores, DAYS[50], horizon), horizon) for horizon in HORIZONS]
    assert list(found.by_horizon) == by_hand and [one[HORIZON] for one in found.by_horizon] == [2, 1]
    # The outcomes of the last sessions come later than that night.
    assert [one["sessions"] for one in found.by_horizon] == [23, 24]
    assert found.numbers == {RETURN_SCALE: found.by_horizon[0][RETURN_SCALE]}


def test_a_volatility_is_calibrated_by_the_past_one_and_a_direction_needs_none(stores: Stores) -> None:
    settings = plain_settings(stores.home)
    found = calibration_of(stores, settings, DAYS[58], VOLATILITY_KIND, said())
    past = read_past_volatility(stores, settings, DAYS[58])
    assert past[PAST_VOLATILITY].count() > 0
    assert found == Calibration(volatility_calibration(said().join(past, on=[SYMBOL, SESSION], how="left"), 5))
    assert calibration_of(stores, settings, DAYS[58], DIRECTION_KIND, said()) == Calibration()
    assert calibration_of(stores, settings, DAYS[58], RETURN_KIND, said().clear()) == Calibration()
