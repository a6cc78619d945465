"""The asset graph as Dagster resolves it, beside the chart of it that was last looked at: no change of it goes unseen.

``python -m stock_pipeline_tests.test_asset_graph`` renews the chart, golden/asset_graph.json.
"""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.definitions import build_definitions
from stock_pipeline.features.catalogue import FEATURE_SETS, FeatureSet
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.orchestration.asset_factory import code_version
from stock_pipeline.orchestration.automation import FULL_RUN, INGESTION_JOB
from stock_pipeline.stages import all_stages
from stock_pipeline_tests.harness.default_stages import KEYS, STAGES
from stock_pipeline_tests.harness.plain_settings import plain_settings

GOLDEN = Path(__file__).with_name("golden") / "asset_graph.json"
RENEW = "python -m stock_pipeline_tests.test_asset_graph"
NOWHERE = Path("nowhere")
OPERATORS = {"AndAutomationCondition": " & ", "OrAutomationCondition": " | "}
ANYTHING_BUT_DEFAULTS = {"nightly": {"timeout_seconds": 111}, "training": {"timeout_seconds": 222}, "interval_seconds": 7}


def asset_graph(definitions: dg.Definitions) -> dict[str, Any]:
    """Everything about assets, checks, jobs, schedules and sensors that a change of the code may change, ready for JSON."""
    graph, repository = definitions.resolve_asset_graph(), definitions.get_repository_def()
    return {
        "assets": {key.to_user_string(): _asset(graph.get(key)) for key in sorted(graph.get_all_asset_keys())},
        "checks": {key.to_user_string(): {"blocking": graph.get(key).blocking} for key in sorted(graph.asset_check_keys)},
        "jobs": {job.name: _job(job) for job in repository.get_all_jobs() if not job.name.startswith("__")},
        "schedules": {schedule.name: _schedule(schedule) for schedule in repository.schedule_defs},
        "sensors": {sensor.name: _sensor(sensor) for sensor in repository.sensor_defs},
    }


def _asset(node: Any) -> dict[str, Any]:
    policy = node.freshness_policy
    return {
        "group": node.group_name,
        "deps": sorted(key.to_user_string() for key in node.parent_keys),
        "kinds": sorted(node.kinds),
        "automation": None if node.automation_condition is None else describe(node.automation_condition),
        "freshness": {"warn": str(policy.warn_window.to_timedelta()), "fail": str(policy.fail_window.to_timedelta())},
        "pools": sorted(node.pools),
        "table": node.metadata.get("dagster/table_name"),
    }


def describe(condition: dg.AutomationCondition[Any]) -> str:
    """The condition in the words in which it was written."""
    label, operands = condition.get_label(), getattr(condition, "operands", ())
    if label is not None:
        return label
    if operands:
        return f"({OPERATORS[type(condition).__name__].join(describe(operand) for operand in operands)})"
    if type(condition).__name__ == "NotAutomationCondition":
        return f"~{describe(condition.operand)}"  # type: ignore[attr-defined]
    return str(condition.name)


def _job(job: dg.JobDefinition) -> dict[str, Any]:
    return {"assets": sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys), "tags": job.run_tags}


def _schedule(schedule: dg.ScheduleDefinition) -> dict[str, Any]:
    return {
        "job": schedule.job_name,
        "cron": schedule.cron_schedule,
        "time_zone": schedule.execution_timezone,
        "default_status": schedule.default_status.value,
    }


def _sensor(sensor: dg.SensorDefinition) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": sensor.sensor_type.value,
        "default_status": sensor.default_status.value,
        "seconds": sensor.minimum_interval_seconds,
    }
    if isinstance(sensor, dg.AutomationConditionSensorDefinition):
        return shown | {"selection": str(sensor.asset_selection), "run_tags": dict(sensor.run_tags)}
    return shown | {"jobs": sorted(target.job_name for target in sensor.targets)}


def as_text(graph: dict[str, Any]) -> str:
    return json.dumps(graph, indent=1, sort_keys=True) + "\n"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(plain_settings(NOWHERE))


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return [
        spec for spec in definitions.resolve_all_asset_specs() if spec.key in definitions.resolve_asset_graph().materializable_asset_keys
    ]


def test_the_graph_is_the_one_last_looked_at(definitions: dg.Definitions) -> None:
    found, golden = json.loads(as_text(asset_graph(definitions))), json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert found == golden, f"the asset graph has changed; if that is meant, renew the chart with `{RENEW}` and look at its diff"


def test_dagster_finds_nothing_wrong_with_the_definitions(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_every_declared_key_is_an_asset_and_no_other(specs: list[dg.AssetSpec]) -> None:
    assert {spec.key for spec in specs} == {dg.AssetKey(key) for key in KEYS}


@pytest.mark.parametrize(
    "told", ["group_name", "description", "owners", "kinds", "freshness_policy", "code_version"], ids=lambda name: str(name)
)
def test_every_asset_tells(told: str, specs: list[dg.AssetSpec]) -> None:
    assert [spec.key.to_user_string() for spec in specs if not getattr(spec, told)] == []


def test_an_asset_with_a_table_shows_its_columns(specs: list[dg.AssetSpec]) -> None:
    tables = {dg.AssetKey(key): stage.table_of(key) for stage in STAGES for key in stage.keys}
    for spec in specs:
        table = tables[spec.key]
        schema = spec.metadata.get("dagster/column_schema")
        shown = None if schema is None else [column.name for column in schema.columns]
        assert shown == (None if table is None else list(table.column_names)), spec.key
        assert schema is None or all(column.description for column in schema.columns), spec.key


@pytest.mark.parametrize("chosen", FEATURE_SETS, ids=lambda chosen: chosen.name)
def test_the_columns_of_the_features_are_those_of_the_set_that_is_chosen(chosen: FeatureSet) -> None:
    definitions = build_definitions(plain_settings(NOWHERE, features={"set": chosen.name}))
    shown = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}["features/daily_features"]
    assert [column.name for column in shown.metadata["dagster/column_schema"].columns] == [SYMBOL, SESSION, *(f.name for f in chosen.made)]
    deps = {dep.asset_key.to_user_string() for dep in shown.deps}
    assert ("features/fundamental_ratios" in deps) == chosen.needs_reports
    assert (shown.code_version or "").split()[0] == chosen.hash


def test_models_are_trained_anew_on_other_features_and_for_another_horizon() -> None:
    chosen: list[dict[str, Any]] = [{}, {"features": {"set": "alpha158"}}, {"labels": {"horizons": (5, 1)}}]
    versions = set()
    for values in chosen:
        settings = plain_settings(NOWHERE, **values)
        stage = next(stage for stage in all_stages(settings) if stage.keys[0] == ("models", "lightgbm"))
        versions.add(code_version(stage, settings))
    assert len(versions) == 3


def test_every_asset_but_ingestion_is_made_by_automation(specs: list[dg.AssetSpec]) -> None:
    without = {spec.group_name for spec in specs if spec.automation_condition is None}
    assert without == {"market_data"}
    assert all(spec.automation_condition is None for spec in specs if spec.group_name == "market_data")


def test_every_automated_asset_is_watched_by_exactly_one_sensor(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    sensors = [s for s in definitions.get_repository_def().sensor_defs if isinstance(s, dg.AutomationConditionSensorDefinition)]
    watched = [key for sensor in sensors for key in sensor.asset_selection.resolve(graph)]
    assert sorted(watched) == sorted(key for key in graph.get_all_asset_keys() if graph.get(key).automation_condition is not None)


def test_schedules_and_sensors_run_by_default(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {schedule.default_status for schedule in repository.schedule_defs} == {dg.DefaultScheduleStatus.RUNNING}
    assert {sensor.default_status for sensor in repository.sensor_defs} == {dg.DefaultSensorStatus.RUNNING}


def test_a_disabled_schedule_stays_off() -> None:
    off = build_definitions(plain_settings(NOWHERE, schedule={"enabled": False})).get_repository_def()
    assert {schedule.default_status for schedule in off.schedule_defs} == {dg.DefaultScheduleStatus.STOPPED}


def test_the_limits_of_runs_come_from_the_settings() -> None:
    graph = asset_graph(build_definitions(plain_settings(NOWHERE, automation=ANYTHING_BUT_DEFAULTS)))
    sensors = {name: (sensor.get("run_tags"), sensor["seconds"]) for name, sensor in graph["sensors"].items()}
    assert sensors["nightly_automation"] == ({"dagster/max_runtime": "111"}, 7)
    assert sensors["training_automation"] == ({"dagster/max_runtime": "222"}, 7)
    assert graph["jobs"][INGESTION_JOB]["tags"] == {"dagster/max_runtime": "111"}


def test_the_time_of_the_schedule_comes_from_the_settings() -> None:
    chosen = {"time": "06:05", "time_zone": "Europe/London"}
    schedules = asset_graph(build_definitions(plain_settings(NOWHERE, schedule=chosen)))["schedules"]
    assert [(s["cron"], s["time_zone"]) for s in schedules.values()] == [("5 6 * * 1-5", "Europe/London"), ("0 */6 * * *", "Europe/London")]


def test_one_job_makes_the_full_run(definitions: dg.Definitions, specs: list[dg.AssetSpec]) -> None:
    assert asset_graph(definitions)["jobs"][FULL_RUN]["assets"] == sorted(spec.key.to_user_string() for spec in specs)


def test_bars_features_labels_and_models_are_guarded_by_blocking_checks(definitions: dg.Definitions) -> None:
    checks = asset_graph(definitions)["checks"]
    blocking = {name for name, check in checks.items() if check["blocking"]}
    of_bars = {f"market_data/daily_bars:{name}" for name in ("prices_sound", "one_version_in_force", "coverage")}
    of_universe = {f"universe/daily_universe:{name}" for name in ("no_lookahead", "stored_as_computed", "enough_stocks")}
    of_features = {f"features/daily_features:{name}" for name in ("no_lookahead", "stored_as_computed")}
    of_models = {*(f"models/{entry.name}:plausible_ic" for entry in CATALOGUE), f"registry/{STACK}:plausible_ic"}
    assert blocking == of_bars | of_universe | of_features | of_models | {"labels/daily_labels:no_lookahead"}


def renew() -> None:
    GOLDEN.write_text(as_text(asset_graph(build_definitions(plain_settings(NOWHERE)))), encoding="utf-8")


def test_automation_launches_no_model_that_the_settings_leave_out_and_nothing_waits_for_one() -> None:
    kept = ("spline_ridge", "lightgbm")
    full, few = (asset_graph(build_definitions(plain_settings(NOWHERE, models={"names": names})))["assets"] for names in (None, kept))
    left_out = {f"models/{entry.name}" for entry in CATALOGUE if entry.name not in kept}
    assert {key for key, asset in few.items() if asset["automation"] != full[key]["automation"]} == left_out
    assert all(few[key]["automation"] is None for key in left_out)
    for key, asset in few.items():
        assert set(asset["deps"]) == set(full[key]["deps"]) - left_out
    assert left_out <= set(full["registry/model_versions"]["deps"])


if __name__ == "__main__":
    renew()
