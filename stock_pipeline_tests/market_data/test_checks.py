from collections.abc import Iterable
from typing import Any, cast

import dagster as dg
import polars as pl
import pytest

from stock_pipeline.core.columns import HIGH, LOW, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.checks import BLOCKING, QUARANTINE, WARNING, bar_checks, check_name, doubly_in_force, unsound_bars
from stock_pipeline.market_data.flags import JUMP_FLAG, REVERSAL, SCALE
from stock_pipeline.market_data.tables import INGESTION_FAILURES
from stock_pipeline.orchestration.resources import StoreResource
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.market_rows import DAYS, bar, bars, series
from stock_pipeline_tests.factories.rows import put
from stock_pipeline_tests.harness.ingest_helpers import Bring
from stock_pipeline_tests.harness.plain_settings import plain_settings


def test_sound_bars_are_not_found_unsound() -> None:
    assert unsound_bars(bars(bar(), bar("B") | {VOLUME: 0.0}), 0.005).is_empty()


@pytest.mark.parametrize(
    "change", [{LOW: 0.0}, {LOW: -1.0}, {HIGH: 9.0}, {VOLUME: -1.0}, {HIGH: float("inf")}, {VOLUME: float("nan")}], ids=str
)
def test_an_unsound_bar_is_found(change: dict[str, Any]) -> None:
    assert unsound_bars(bars(bar(), bar("B") | change), 0.005)[SYMBOL].to_list() == ["B"]


def test_two_versions_in_force_at_once_are_found() -> None:
    frame = bars(*series("A", [1.0, 2.0]), *series("B", [1.0]), bar("A", DAYS[1], 3.0))
    assert doubly_in_force(frame).select(SYMBOL, SESSION, "len").rows() == [("A", DAYS[1], 2)]
    assert doubly_in_force(frame.head(3)).is_empty()


def checked(stores: Stores, **settings: Any) -> dict[str, dg.AssetCheckResult]:
    (definition,) = bar_checks(plain_settings(stores.home, **settings))
    market = StoreResource(database=str(stores.market.path), store="market", wait_seconds=5)
    results = cast("Iterable[dg.AssetCheckResult]", definition(market=market))
    return {str(result.check_name): result for result in results}


def told(result: dg.AssetCheckResult) -> dict[str, Any]:
    """The metadata, tables as they are."""
    found = (result.metadata or {}).items()
    return {name: value if isinstance(value, dg.TableMetadataValue) else getattr(value, "value", value) for name, value in found}


def test_sound_bars_of_every_expected_symbol_pass_every_check(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [10.0, 11.0]), *series("B", [5.0, 5.1]))
    results = checked(stores)
    assert set(results) == {*BLOCKING, *WARNING}
    assert {name for name, result in results.items() if not result.passed} == set()
    assert {name for name, result in results.items() if result.severity == dg.AssetCheckSeverity.ERROR} == set(BLOCKING)


def test_too_few_of_the_expected_symbols_are_named_with_what_the_sources_said(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [10.0, 11.0]), *series("B", [5.0]), *series("C", [7.0]))
    failed = [(DAYS[1], symbol, "yahoo", "source down", "...") for symbol in "BC"] + [(DAYS[1], "B", "ibkr", "timed out", "...")]
    put(stores, INGESTION_FAILURES, pl.DataFrame(failed, schema=INGESTION_FAILURES.dtypes, orient="row"), DAYS[1])
    result = checked(stores)["coverage"]
    assert not result.passed
    facts = told(result)
    assert (facts["expected"], facts["missing"], facts["required"], facts["session"]) == (3, 2, 0.95, str(DAYS[1]))
    assert facts["share"] == pytest.approx(1 / 3)
    assert facts["reasons"] == "yahoo: source down (2 symbols); ibkr: timed out (1 symbols)"
    assert [record.data for record in facts["examples"].records] == [{"symbol": "B"}, {"symbol": "C"}]
    assert checked(stores, quality={"minimum_coverage": 0.3})["coverage"].passed


def test_doubts_and_refusals_of_the_last_session_warn_with_counts_and_examples(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [10.0, 10.0]), bar("A", DAYS[2], 100.0), bar("B", DAYS[2], -1.0), bar("C", DAYS[0], -1.0))
    results = checked(stores)
    names = {check_name(JUMP_FLAG), check_name(SCALE), QUARANTINE}
    assert {name for name, result in results.items() if not result.passed and name in WARNING} == names
    assert {results[name].severity for name in names} == {dg.AssetCheckSeverity.WARN}
    assert (told(results[QUARANTINE])["offending"], told(results[QUARANTINE])["in_all"]) == (1, 2)
    assert [record.data["reason"] for record in told(results[QUARANTINE])["examples"].records] == ["price not positive"]


def test_a_jump_that_the_last_session_takes_back_is_doubted_of_the_session_before(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [10.0, 20.0, 10.1]), *series("B", [5.0, 5.1, 5.0]))
    result = checked(stores)[check_name(REVERSAL)]
    assert not result.passed
    assert told(result)["offending"] == 1
    bring(*series("A", [10.0, 20.0, 10.1, 10.2]), *series("B", [5.0, 5.1, 5.0, 5.1]))
    assert checked(stores)[check_name(REVERSAL)].passed


def test_unsound_bars_in_the_store_fail_what_blocks(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [10.0, 11.0]))
    with stores.market.writer() as connection:
        connection.execute("UPDATE market_data.daily_bars SET low = -1 WHERE session = ?", [DAYS[0]])
        connection.execute("INSERT INTO market_data.daily_bars SELECT * REPLACE (known_from + 1 AS known_from) FROM market_data.daily_bars")
    results = checked(stores)
    assert {name for name in BLOCKING if not results[name].passed} == {"prices_sound", "one_version_in_force"}
    assert told(results["prices_sound"])["offending"] == 2
