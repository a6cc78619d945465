"""However the nights came, the features are the same: gaps, kills and restatements leave no trace, and a bulk build agrees."""

from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.features.catalogue import feature_set
from stock_pipeline.storage.database import Database
from stock_pipeline_tests.factories.rows import empty_stores
from stock_pipeline_tests.harness.laws import law
from stock_pipeline_tests.harness.nightly_simulator import DAYS, HISTORY, LATE, LISTED, NIGHTS, SYMBOLS, TONIGHT, Arrival, Fate, Machine

ARRIVALS = st.lists(
    st.builds(
        Arrival,
        night=st.integers(1, NIGHTS - 1),
        back=st.integers(1, 45),
        symbol=st.sampled_from(SYMBOLS),
        news=st.sampled_from(["a bar restated", "a split told late", "a dividend told late", "a bar doubted"]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda arrival: (arrival.symbol, arrival.back - arrival.night),
)
# The plainest example comes first, and takes the first of these throughout.
FATES = st.lists(
    st.sampled_from(["is killed after it has written", "is killed before it writes", "is off", "runs"]), min_size=NIGHTS, max_size=NIGHTS
)
MOST_STOCKS = 6  # of nine or ten


def lived(home: Path, chosen: str, arrivals: Sequence[Arrival], fates: Sequence[Fate]) -> Machine:
    """The machine after nights of those fates and a last run."""
    machine = Machine(empty_stores(home), chosen, arrivals)
    for number, fate in enumerate(fates):
        machine.bring(number)
        machine.make_features(number, fate)
    machine.make_features(NIGHTS - 1)
    return machine


def at_once(home: Path, chosen: str, market: Database) -> pl.DataFrame:
    """The features that one run makes of the market data as they have come to be."""
    stores = empty_stores(home)
    copyfile(market.path, stores.market.path)
    machine = Machine(stores, chosen, [])
    machine.make_features(NIGHTS - 1)
    return machine.features()


def check_law(chosen: str, arrivals: list[Arrival], fates: list[Fate]) -> None:
    with TemporaryDirectory() as folder:
        every_night = lived(Path(folder) / "undisturbed", chosen, arrivals, ["runs"] * NIGHTS)
        undisturbed = every_night.features()
        disturbed = lived(Path(folder) / "disturbed", chosen, arrivals, fates).features()
        in_bulk = at_once(Path(folder) / "bulk", chosen, every_night.stores.market)
    assert disturbed.equals(undisturbed)
    assert in_bulk.equals(undisturbed)
    # Not every figure is reported there; all else has values, for most of the stocks.
    of_bars = [feature.name for feature in feature_set(chosen).made if feature.on != "bar"]
    last_night = undisturbed.filter(pl.col(SESSION) == TONIGHT[-1]).select(of_bars)
    assert [column.name for column in last_night if column.count() < MOST_STOCKS] == []


@given(arrivals=ARRIVALS, fates=FATES)
@law(examples=1)
def test_core_features_do_not_tell_how_the_nights_came(arrivals: list[Arrival], fates: list[Fate]) -> None:
    check_law("core", arrivals, fates)


@given(arrivals=ARRIVALS, fates=FATES)
@law(examples=3)
def test_no_feature_of_any_set_tells_how_the_nights_came(arrivals: list[Arrival], fates: list[Fate]) -> None:
    check_law("combined", arrivals, fates)


def test_doubts_of_bars_of_tonight_and_of_before_leave_no_trace_of_how_the_nights_came() -> None:
    doubts = [Arrival(night, back, "S02", "a bar doubted") for night, back in ((1, 0), (2, 0), (3, 40), (5, 1))]
    check_law("core", doubts, ["runs", "runs", "is off", "is killed before it writes", "is off", "runs"])


def test_a_night_writes_its_own_session_and_a_restatement_what_lies_after_it(tmp_path: Path) -> None:
    machine = Machine(empty_stores(tmp_path), "core", [Arrival(3, 10, "S01", "a bar restated")])
    versions = []
    for number in range(5):
        machine.bring(number)
        machine.make_features(number)
        versions.append(machine.features())
    for number in (1, 4):
        assert versions[number].filter(pl.col(SESSION) < TONIGHT[number]).equals(versions[number - 1])
    before, after = versions[2], versions[3].filter(pl.col(SESSION) < TONIGHT[3])
    moved = after.join(before, on=after.columns, how="anti", nulls_equal=True)
    assert moved[SESSION].unique().sort().to_list() == DAYS[HISTORY + 3 - 10 : HISTORY + 3]
    assert set(moved[SYMBOL]) == {*SYMBOLS, LATE}  # the market that they are compared with has changed


def test_the_history_of_a_stock_that_comes_late_is_made_too(tmp_path: Path) -> None:
    machine = Machine(empty_stores(tmp_path), "core", [])
    for number in range(LISTED + 1):
        machine.bring(number)
        machine.make_features(number)
    assert machine.features().filter(pl.col(SYMBOL) == LATE).height > 60


@pytest.mark.parametrize("chosen", ["combined", "alpha158"])
def test_another_set_takes_the_place_of_the_one_before(tmp_path: Path, chosen: str) -> None:
    machine = Machine(empty_stores(tmp_path), "core", [])
    machine.bring(0)
    machine.make_features(0)
    core = machine.features()
    machine.chosen = chosen
    machine.make_features(0)
    direct = Machine(empty_stores(tmp_path / "direct"), chosen, [])
    direct.bring(0)
    direct.make_features(0)
    assert machine.features().equals(direct.features())
    machine.chosen = "core"
    machine.make_features(0)
    assert machine.features().equals(core)
