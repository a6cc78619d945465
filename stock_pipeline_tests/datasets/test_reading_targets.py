"""The targets of the last sessions are those of the training panel."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.core.columns import FORWARD_RETURN, SESSION, SYMBOL, TARGET
from stock_pipeline.datasets.catalogue import TARGET_KINDS, VOLATILITY_KIND, TargetKind
from stock_pipeline.datasets.reading import read_past_volatility, read_past_volatility_of, read_targets
from stock_pipeline.features.catalogue import ALPHA158, CORE, FeatureSet
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.tables import daily_features
from stock_pipeline.labels.reading import read_outcomes
from stock_pipeline.labels.tables import DAILY_LABELS, daily_labels
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions
from stock_pipeline_tests.factories.rows import empty_stores, everyone_in, put
from stock_pipeline_tests.factories.stored_bars import put_bars
from stock_pipeline_tests.factories.training_panels import written_panel
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import make

SYMBOLS, COUNT, EARLIER = 9, 90, 80
DAYS = sessions(COUNT)


def brought(home: Path, chosen: FeatureSet) -> tuple[Stores, Settings]:
    """Bars, features of the set and labels up to the last session; some bars and with them some outcomes are missing."""
    stores, settings = empty_stores(home), plain_settings(home, features={"set": chosen.name})
    put_bars(stores, COUNT, SYMBOLS)
    panel = adjusted_panel(SYMBOLS, COUNT, missing_share=0.05)
    put(stores, daily_features(chosen), compute_features(panel, chosen.made), DAYS[-1])
    everyone_in(stores, panel, DAYS[-1])
    make(DAILY_LABELS, stores, settings, DAYS[-1])
    return stores, settings


@pytest.fixture(scope="module", params=[CORE, ALPHA158], ids=lambda chosen: chosen.name)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stores, Settings]:
    return brought(tmp_path_factory.mktemp("stores"), request.param)


def targets(made: tuple[Stores, Settings], as_of: date, first: date, kind: TargetKind) -> pl.DataFrame:
    stores, settings = made
    outcomes = read_outcomes(stores, as_of, settings.labels.horizons[0])
    return read_targets(stores, settings, as_of, first, outcomes, [kind])[kind.name]


@pytest.mark.parametrize("kind", TARGET_KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("as_of", [DAYS[EARLIER], DAYS[-1]])
def test_they_are_the_training_panel_s(made: tuple[Stores, Settings], kind: TargetKind, as_of: date) -> None:
    panel = written_panel(*made, as_of, kind).select(SESSION, SYMBOL, FORWARD_RETURN, TARGET)
    first = DAYS[DAYS.index(as_of) - 30]
    found = targets(made, as_of, first, kind)
    # A rolling deviation that began earlier differs by rounding; everything else is the same to the last bit.
    assert_frame_equal(found, panel.filter(pl.col(SESSION) >= first), check_exact=kind != VOLATILITY_KIND, rel_tol=1e-9)
    assert found[TARGET].count() > 150 and found[TARGET].null_count() > SYMBOLS


@pytest.mark.parametrize("kind", TARGET_KINDS, ids=lambda kind: kind.name)
def test_the_first_session_wanted_makes_no_difference_to_those_after_it(made: tuple[Stores, Settings], kind: TargetKind) -> None:
    longer, shorter = (targets(made, DAYS[-1], DAYS[place], kind) for place in (50, 70))
    assert_frame_equal(shorter, longer.filter(pl.col(SESSION) >= DAYS[70]), check_exact=True)


def test_the_past_volatility_is_the_one_that_a_prediction_of_the_night_rests_on(made: tuple[Stores, Settings]) -> None:
    on_the_night = read_past_volatility(*made, DAYS[70], only_last=True).filter(pl.col(SESSION) == DAYS[70])
    # Of a session without bars there is none.
    found = read_past_volatility_of(*made, DAYS[-1], [DAYS[69], DAYS[70], date(2012, 12, 25)])
    assert found[SESSION].unique().sort().to_list() == DAYS[69:71]
    assert_frame_equal(found.filter(pl.col(SESSION) == DAYS[70]), on_the_night, check_exact=True)


def test_without_outcomes_there_are_rows_and_no_targets(tmp_path: Path) -> None:
    stores, settings = empty_stores(tmp_path), plain_settings(tmp_path)
    put_bars(stores, 30, SYMBOLS)
    panel = adjusted_panel(SYMBOLS, 30)
    put(stores, daily_features(CORE), compute_features(panel, CORE.made), DAYS[29])
    everyone_in(stores, panel, DAYS[29])
    outcomes = read_outcomes(stores, DAYS[29], 1)
    assert stores.count(daily_labels((1,))) == 0
    for kind, found in read_targets(stores, settings, DAYS[29], DAYS[20], outcomes, TARGET_KINDS).items():
        assert (found.height, found[TARGET].count()) == (10 * SYMBOLS, 0), kind
