"""What Dagster is told of an outcome: a materialisation for each key of the stage, and a result for each of its checks."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from stock_pipeline.orchestration import metadata
from stock_pipeline.orchestration.execution import Outcome
from stock_pipeline.orchestration.night import Facts, Verdict
from stock_pipeline.orchestration.stage import CheckSpec, Key, Stage

UP_TO_DATE = CheckSpec("data_date", "The table has reached the session that the run works as of.", warns=True)
MADE = CheckSpec("made", "The last execution did not fail; what lies downstream goes on without it.")
CODE_VERSION_TAG = "dagster/code_version"


def check_specs(stage: Stage, key: Key) -> list[CheckSpec]:
    """The checks that the asset of a key carries: all of them the first, the others only whether they are up to date."""
    if key != stage.keys[0]:
        return [UP_TO_DATE]
    made = [MADE] if stage.failure_is_shown else []
    return [UP_TO_DATE, *made, *(spec for check in stage.checks for spec in check.specs)]


def check_results(outcome: Outcome, key: Key) -> Iterator[dg.AssetCheckResult]:
    """The result of each of those checks."""
    reached: Facts = {"reached": str(outcome.reached), "as_of": str(outcome.wanted)}
    made = Verdict(outcome.error is None, {} if outcome.error is None else {"reason": outcome.error})
    verdicts = {UP_TO_DATE.name: Verdict(outcome.up_to_date, reached), MADE.name: made, **outcome.checks}
    for spec in check_specs(outcome.stage, key):
        verdict = verdicts[spec.name]
        facts = {name: metadata.table(value) if isinstance(value, pl.DataFrame) else value for name, value in verdict.facts.items()}
        severity = dg.AssetCheckSeverity.WARN if spec.warns else dg.AssetCheckSeverity.ERROR
        yield dg.AssetCheckResult(
            passed=verdict.passed, check_name=spec.name, asset_key=dg.AssetKey(key), severity=severity, metadata=facts
        )


def shown_of(outcome: Outcome, key: Key, instance: dg.DagsterInstance) -> dict[str, Any]:
    """What people see of an asset; what an earlier materialisation showed where nothing has changed."""
    table, product = outcome.stage.table_of(key), outcome.product
    shown: dict[str, Any] = {"result": _result(outcome), "watermark": str(outcome.reached)}
    anew = None
    if product is not None and outcome.state == "succeeded":
        anew = metadata.product_metadata(product) if key == outcome.stage.keys[0] else metadata.preview(product, table)
    shown |= anew or _previously_shown(key, instance)
    if table is not None:
        shown["dagster/row_count"] = outcome.counts[table.qualified_name]
    return shown | {"seconds": round(outcome.seconds, 3)}


def events_of(
    outcome: Outcome, code_version: str, instance: dg.DagsterInstance
) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """The outcome of a stage that was not executed as a step of Dagster's, for its event log."""
    blocking = {spec.name for check in outcome.stage.checks for spec in check.specs if spec.blocking}
    for key in outcome.stage.keys:
        tags = {CODE_VERSION_TAG: code_version}
        yield dg.AssetMaterialization(asset_key=dg.AssetKey(key), metadata=shown_of(outcome, key, instance), tags=tags)
        for check in check_results(outcome, key):
            yield dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(key),
                check_name=str(check.check_name),
                passed=check.passed,
                metadata=check.metadata,
                severity=check.severity,
                blocking=check.check_name in blocking,
            )


def _result(outcome: Outcome) -> str:
    if outcome.state == "failed":
        return "failed; what is shown was made before"
    if outcome.dry_run:
        return "dry run, nothing written"
    if outcome.state == "up to date":
        return "up to date"
    return "brought up to date" if outcome.remade is None else f"made again: {outcome.remade}"


def _previously_shown(key: Key, instance: dg.DagsterInstance) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(dg.AssetKey(key))
    materialization = event.asset_materialization if event is not None else None
    return {} if materialization is None else metadata.carried_over(materialization.metadata)
