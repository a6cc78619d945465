from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from stock_pipeline.core.columns import HIGH, LOW, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.checks import BAR_CHECKS, BLOCKING, QUARANTINE, WARNING, doubly_in_force, unsound_bars
from stock_pipeline.market_data.flags import JUMP_FLAG, REVERSAL, SCALE
from stock_pipeline.market_data.tables import INGESTION_FAILURES
from stock_pipeline.orchestration.context import CheckOutcome
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.market_rows import DAYS, bar, bars, series
from stock_pipeline_tests.factories.rows import put
from stock_pipeline_tests.harness.ingest_helpers import INGEST, Bring
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute


def test_sound_bars_are_not_found_unsound() -> None:
    assert unsound_bars(bars(bar(), bar("B") | {VOLUME: 0.0}), 0.005).is_empty()


@pytest.mark.parametrize(
    "change", [{LOW: 0.0}, {LOW: -1.0}, {HIGH: 9.0}, {VOLUME: -1.0}, {HIGH: float("inf")}, {VOLUME: float("nan")}], ids=str
)
def test_an_unsound_bar_is_found(change: dict[str, Any]) -> None:
    assert unsound_bars(bars(bar(), bar("B") | change), 0.005)[SYMBOL].to_list() == ["B"]


def test_a_high_below_the_low_by_the_tolerance_itself_is_sound() -> None:
    frame = bars(bar() | {HIGH: 7.5}, bar("B") | {HIGH: 7.4})
    assert unsound_bars(frame, 0.25)[SYMBOL].to_list() == ["B"]


def test_two_versions_in_force_at_once_are_found() -> None:
    frame = bars(*series("A", [1.0, 2.0]), *series("B", [1.0]), bar("A", DAYS[1], 3.0))
    assert doubly_in_force(frame).select(SYMBOL, SESSION, "len").rows() == [("A", DAYS[1], 2)]
    assert doubly_in_force(frame.head(3)).is_empty()


def judged(stores: Stores, **settings: Any) -> StageResult:
    """An execution that brings nothing, so that what is judged is what was stored."""
    return execute(replace(INGEST, body=lambda _context: None), stores, plain_settings(stores.home, **settings))


def rows(verdict: CheckOutcome) -> pl.DataFrame:
    """The examples that people see."""
    found = verdict.facts["examples"]
    assert isinstance(found, pl.DataFrame)
    return found


def failed(outcome: StageResult) -> set[str]:
    return {name for name, verdict in outcome.checks.items() if not verdict.passed}


def test_sound_bars_of_every_expected_symbol_pass_every_check(bring: Bring) -> None:
    outcome = bring(*series("A", [10.0, 11.0]), *series("B", [5.0, 5.1]))
    assert set(outcome.checks) == {*BLOCKING, *WARNING}
    assert (failed(outcome), dict(outcome.blocked)) == (set(), {})


def test_what_is_unsound_blocks_and_what_is_doubtful_warns() -> None:
    assert {spec.name for spec in BAR_CHECKS.specs if spec.blocking} == set(BLOCKING)
    assert {spec.name for spec in BAR_CHECKS.specs if spec.warns} == set(WARNING)


def test_too_few_of_the_expected_symbols_are_named_with_what_the_sources_said(stores: Stores, bring: Bring) -> None:
    assert set(bring(*series("A", [10.0, 11.0]), *series("B", [5.0]), *series("C", [7.0])).blocked) == {"coverage"}
    said = [(DAYS[1], symbol, "yahoo", "source down", "...") for symbol in "BC"] + [(DAYS[1], "B", "ibkr", "timed out", "...")]
    put(stores, INGESTION_FAILURES, pl.DataFrame(said, schema=INGESTION_FAILURES.dtypes, orient="row"), DAYS[1])
    outcome = judged(stores)
    assert set(outcome.blocked) == {"coverage"}
    facts = outcome.blocked["coverage"].facts
    assert (facts["expected"], facts["missing"], facts["required"], facts["session"]) == (3, 2, 0.95, str(DAYS[1]))
    assert facts["share"] == pytest.approx(1 / 3)
    assert facts["reasons"] == "yahoo: source down (2 symbols); ibkr: timed out (1 symbols)"
    assert rows(outcome.blocked["coverage"])[SYMBOL].to_list() == ["B", "C"]
    assert judged(stores, quality={"minimum_coverage": 0.3}).checks["coverage"].passed


def test_doubts_and_refusals_of_the_last_session_warn_with_counts_and_examples(bring: Bring) -> None:
    outcome = bring(*series("A", [10.0, 10.0]), bar("A", DAYS[2], 100.0), bar("B", DAYS[2], -1.0), bar("C", DAYS[0], -1.0))
    assert failed(outcome) & set(WARNING) == {JUMP_FLAG, SCALE, QUARANTINE}
    refused = outcome.checks[QUARANTINE]
    assert (refused.facts["offending"], refused.facts["in_all"]) == (1, 2)
    assert rows(refused)["reason"].to_list() == ["non_positive_price"]


def test_a_jump_that_the_last_session_takes_back_is_flagged_of_the_session_before(bring: Bring) -> None:
    verdict = bring(*series("A", [10.0, 20.0, 10.1]), *series("B", [5.0, 5.1, 5.0])).checks[REVERSAL]
    assert (verdict.passed, verdict.facts["offending"]) == (False, 1)
    assert bring(*series("A", [10.0, 20.0, 10.1, 10.2]), *series("B", [5.0, 5.1, 5.0, 5.1])).checks[REVERSAL].passed


def test_unsound_bars_in_the_store_fail_what_blocks(stores: Stores, bring: Bring) -> None:
    bring(*series("A", [10.0, 11.0]))
    with stores.market.writer() as connection:
        connection.execute("UPDATE market_data.daily_bars SET low = -1 WHERE session = ?", [DAYS[0]])
        connection.execute("INSERT INTO market_data.daily_bars SELECT * REPLACE (known_from + 1 AS known_from) FROM market_data.daily_bars")
    blocked = judged(stores).blocked
    assert set(blocked) == {"prices_sound", "one_version_in_force"}
    assert blocked["prices_sound"].facts["offending"] == 2
