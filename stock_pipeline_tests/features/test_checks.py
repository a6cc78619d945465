from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL
from stock_pipeline.features.catalogue import EXTENDED, FEATURE_SETS
from stock_pipeline.features.checks import DESCRIPTIONS, EVERY_FEATURE, FEATURE_CHECKS, judge_features
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.orchestration.context import CheckOutcome, StageOutput
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.orchestration.stage import Stage
from stock_pipeline_tests.factories.rows import empty_stores, put
from stock_pipeline_tests.harness.nightly_simulator import SYMBOLS, TONIGHT, Machine
from stock_pipeline_tests.harness.stages import execute, stage_of

LEAK = Feature("the_next_return", "a leak", 2, "planted", pl.col(CLOSE).shift(-1) / pl.col(CLOSE) - 1, family="momentum")


def begun(home: Path, chosen: str, nights: int = 1) -> Machine:
    """A machine that has made its features."""
    machine = Machine(empty_stores(home), chosen, [])
    for number in range(nights):
        machine.bring(number)
        machine.make_features(number)
    return machine


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return begun(tmp_path_factory.mktemp("machine"), "extended", 2)


def stage(machine: Machine, features: Sequence[Feature] = EVERY_FEATURE) -> Stage:
    """The stage, whose checks try those features for look-ahead."""
    checks = replace(FEATURE_CHECKS, judge=partial(judge_features, features=features), of_rows=False)
    return replace(stage_of(DAILY_FEATURES, machine.settings), checks=(checks,))


def judged(machine: Machine, features: Sequence[Feature] = EVERY_FEATURE) -> StageResult:
    """An execution that finds nothing to make, so that what is judged is what was stored."""
    outcome = execute(stage(machine, features), machine.stores, machine.settings)
    assert outcome.output is None
    assert set(outcome.checks) == set(DESCRIPTIONS)
    return outcome


def table(verdict: CheckOutcome, name: str) -> pl.DataFrame:
    found = verdict.facts[name]
    assert isinstance(found, pl.DataFrame)
    return found


def passed(checks: Mapping[str, CheckOutcome]) -> dict[str, bool]:
    return {name: verdict.passed for name, verdict in checks.items()}


def test_every_feature_of_every_set_is_tried_by_the_stage_s_own_checks(machine: Machine) -> None:
    assert set(EVERY_FEATURE) == {feature for chosen in FEATURE_SETS for feature in chosen.features}
    assert stage_of(DAILY_FEATURES, machine.settings).checks == (FEATURE_CHECKS,)
    assert all(spec.blocking and not spec.warns for spec in FEATURE_CHECKS.specs)


def test_honest_features_pass(machine: Machine) -> None:
    outcome = judged(machine)
    assert passed(outcome.checks) == dict.fromkeys(DESCRIPTIONS, True)
    assert not outcome.blocked
    facts = outcome.checks["no_lookahead"].facts
    assert facts["features"] == len(EVERY_FEATURE)
    assert set(str(facts["symbols"]).split(", ")) == set(SYMBOLS)
    assert outcome.checks["stored_as_computed"].facts["set"] == EXTENDED.name


def test_a_planted_leak_fails_the_check_is_named_and_blocks_what_lies_downstream(machine: Machine) -> None:
    outcome = judged(machine, [*EVERY_FEATURE, LEAK])
    assert set(outcome.blocked) == {"no_lookahead"}
    found = table(outcome.blocked["no_lookahead"], "violations")
    assert set(found["column"]) == {LEAK.name}
    assert set(found["kind"]) == {"cut", "altered"}


def test_a_stored_value_that_the_bars_do_not_give_is_found(tmp_path: Path) -> None:
    machine = begun(tmp_path, "core")
    spoilt = pl.when(pl.col(SYMBOL) == "S01").then(pl.col("beta_60") + 1e-6).otherwise("beta_60").alias("beta_60")
    put(machine.stores, DAILY_FEATURES, machine.features().filter(pl.col(SESSION) == TONIGHT[0]).with_columns(spoilt), TONIGHT[0])
    outcome = execute(stage_of(DAILY_FEATURES, machine.settings), machine.stores, machine.settings)
    assert outcome.output is None and set(outcome.blocked) == {"stored_as_computed"}
    assert outcome.blocked["stored_as_computed"].facts["rows_that_differ"] == 1
    assert table(outcome.blocked["stored_as_computed"], "examples")[SYMBOL].to_list() == ["S01"]


def test_a_stored_row_without_a_bar_is_found(tmp_path: Path) -> None:
    machine = begun(tmp_path, "core")
    ghost = machine.features().tail(1).with_columns(pl.lit("GHOST").alias(SYMBOL), pl.lit(TONIGHT[0]).alias(SESSION))
    put(machine.stores, DAILY_FEATURES, ghost, TONIGHT[0])
    found = judged(machine).blocked["stored_as_computed"]
    assert found.facts["rows_that_differ"] == 1
    assert table(found, "examples")[SYMBOL].to_list() == ["GHOST"]


def test_before_anything_is_made_the_checks_fail_with_the_remedy(tmp_path: Path) -> None:
    machine = Machine(empty_stores(tmp_path), "core", [])
    machine.bring(0)

    def makes_nothing(_night: object) -> StageOutput | None:
        return None

    outcome = execute(replace(stage(machine), body=makes_nothing), machine.stores, machine.settings)
    assert set(outcome.blocked) == set(DESCRIPTIONS)
    assert "materialise" in str(outcome.blocked["no_lookahead"].facts["problem"])
