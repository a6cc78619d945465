from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import dagster as dg
import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL
from stock_pipeline.features.catalogue import CORE, EXTENDED, FEATURE_SETS
from stock_pipeline.features.checks import DESCRIPTIONS, EVERY_FEATURE, FEATURES, feature_checks
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.tables import DAILY_FEATURES, DAILY_FEATURES_ASSET
from stock_pipeline.orchestration.resources import StoreResource
from stock_pipeline.storage import Author, Stores, upsert
from stock_pipeline_tests.factories.rows import MOMENT, empty_stores
from stock_pipeline_tests.harness.nightly_simulator import SYMBOLS, TONIGHT, Machine

LEAK = Feature("the_next_return", "momentum", "a leak", 2, "planted", pl.col(CLOSE).shift(-1) / pl.col(CLOSE) - 1)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(empty_stores(tmp_path_factory.mktemp("machine")), "extended", [])
    for number in range(2):
        machine.bring(number)
        machine.make_features(number)
    return machine


def checked(machine: Machine, features: Sequence[Feature] = EVERY_FEATURE) -> dict[str, dg.AssetCheckResult]:
    (definition,) = feature_checks(machine.settings, features)
    ml = StoreResource(database=str(machine.stores.ml.path), store="ml", wait_seconds=5)
    results = cast("Iterable[dg.AssetCheckResult]", definition(ml=ml))
    return {str(result.check_name): result for result in results}


def told(result: dg.AssetCheckResult, name: str) -> Any:
    value = (result.metadata or {})[name]
    return [dict(row.data) for row in value.records] if isinstance(value, dg.TableMetadataValue) else getattr(value, "value", value)


def spoil(stores: Stores, frame: pl.DataFrame) -> None:
    stores.write("ml", Author.of_asset(DAILY_FEATURES_ASSET, CORE.hash, "a-run", MOMENT), (upsert(DAILY_FEATURES, frame),), TONIGHT[0])


def test_both_checks_block_what_lies_downstream(machine: Machine) -> None:
    (definition,) = feature_checks(machine.settings)
    assert {spec.name for spec in definition.check_specs} == set(DESCRIPTIONS)
    assert all(spec.blocking and spec.asset_key == FEATURES for spec in definition.check_specs)


def test_every_feature_of_every_set_is_tried() -> None:
    assert set(EVERY_FEATURE) == {feature for chosen in FEATURE_SETS for feature in chosen.features}


def test_honest_features_pass(machine: Machine) -> None:
    results = checked(machine)
    assert {name: result.passed for name, result in results.items()} == dict.fromkeys(DESCRIPTIONS, True)
    assert told(results["no_lookahead"], "features") == len(EVERY_FEATURE)
    assert set(told(results["no_lookahead"], "symbols").split(", ")) == set(SYMBOLS)
    assert told(results["stored_as_computed"], "set") == EXTENDED.name


def test_a_planted_leak_fails_the_check_and_is_named(machine: Machine) -> None:
    result = checked(machine, [CORE.features[0], LEAK])["no_lookahead"]
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    found = told(result, "violations")
    assert {row["column"] for row in found} == {LEAK.name}
    assert {row["kind"] for row in found} == {"cut", "altered"}


def test_a_stored_value_that_the_bars_do_not_give_is_found(tmp_path: Path) -> None:
    machine = Machine(empty_stores(tmp_path), "core", [])
    machine.bring(0)
    machine.make_features(0)
    sound = machine.features().filter(pl.col(SESSION) == TONIGHT[0])
    spoil(
        machine.stores,
        sound.with_columns(pl.when(pl.col(SYMBOL) == "S01").then(pl.col("beta_60") + 1e-6).otherwise("beta_60").alias("beta_60")),
    )
    result = checked(machine)["stored_as_computed"]
    assert not result.passed
    assert told(result, "rows_that_differ") == 1
    assert told(result, "examples")[0][SYMBOL] == "S01"


def test_a_stored_row_without_a_bar_is_found(tmp_path: Path) -> None:
    machine = Machine(empty_stores(tmp_path), "core", [])
    machine.bring(0)
    machine.make_features(0)
    spoil(machine.stores, machine.features().tail(1).with_columns(pl.lit("GHOST").alias(SYMBOL), pl.lit(TONIGHT[0]).alias(SESSION)))
    assert told(checked(machine)["stored_as_computed"], "rows_that_differ") == 1


def test_before_anything_is_made_the_checks_fail_with_the_remedy(tmp_path: Path) -> None:
    results = checked(Machine(empty_stores(tmp_path), "core", []))
    assert set(results) == set(DESCRIPTIONS)
    assert not any(result.passed for result in results.values())
    assert told(results["no_lookahead"], "problem") == "there are no features yet; materialise them first"
