"""However the nights came, the features are the same: gaps, kills and restatements leave no trace, and a bulk build agrees."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline_tests.features.machine import DAYS, HISTORY, LATE, LISTED, NIGHTS, SYMBOLS, TONIGHT, Arrival, Fate, Machine
from stock_pipeline_tests.laws import law
from stock_pipeline_tests.stored import empty_stores

ARRIVALS = st.lists(
    st.builds(
        Arrival,
        night=st.integers(1, NIGHTS - 1),
        back=st.integers(1, 45),
        symbol=st.sampled_from(SYMBOLS),
        news=st.sampled_from(["a bar restated", "a split told late", "a dividend told late"]),
    ),
    max_size=3,
    unique_by=lambda arrival: (arrival.symbol, arrival.back - arrival.night),
)
FATES = st.lists(
    st.sampled_from(["runs", "is off", "is killed before it writes", "is killed after it has written"]), min_size=NIGHTS, max_size=NIGHTS
)


def lived(home: Path, chosen: str, arrivals: Sequence[Arrival], fates: Sequence[Fate]) -> pl.DataFrame:
    """The features that are stored after nights of those fates and a last run."""
    machine = Machine(empty_stores(home), chosen, arrivals)
    for number, fate in enumerate(fates):
        machine.bring(number)
        machine.make_features(number, fate)
    machine.make_features(NIGHTS - 1)
    return machine.features()


def check_law(chosen: str, arrivals: list[Arrival], fates: list[Fate]) -> None:
    with TemporaryDirectory() as folder:
        undisturbed = lived(Path(folder) / "undisturbed", chosen, arrivals, ["runs"] * NIGHTS)
        disturbed = lived(Path(folder) / "disturbed", chosen, arrivals, fates)
        in_bulk = lived(Path(folder) / "bulk", chosen, arrivals, ["is off"] * NIGHTS)
    assert disturbed.equals(undisturbed)
    assert in_bulk.equals(undisturbed)
    assert undisturbed.filter(pl.col(SESSION) == TONIGHT[-1]).drop(SYMBOL, SESSION).null_count().sum_horizontal()[0] < undisturbed.width


@given(arrivals=ARRIVALS, fates=FATES)
@law(examples=5)
def test_core_features_do_not_tell_how_the_nights_came(arrivals: list[Arrival], fates: list[Fate]) -> None:
    check_law("core", arrivals, fates)


@given(arrivals=ARRIVALS, fates=FATES)
@law(examples=2)
def test_extended_features_do_not_tell_how_the_nights_came(arrivals: list[Arrival], fates: list[Fate]) -> None:
    check_law("extended", arrivals, fates)


@given(arrivals=ARRIVALS, fates=FATES)
@law(examples=2)
def test_alpha158_features_do_not_tell_how_the_nights_came(arrivals: list[Arrival], fates: list[Fate]) -> None:
    check_law("alpha158", arrivals, fates)


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


@pytest.mark.parametrize("chosen", ["extended", "alpha158"])
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
