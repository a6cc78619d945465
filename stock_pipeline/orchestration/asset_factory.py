"""Builds Dagster's assets from the declarations of stages: dependencies, version, checks and automation."""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import dagster as dg

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.automation import INGESTION_JOB, condition_of, freshness_policy, limits, retry_policy
from stock_pipeline.orchestration.execution import Run, execute_stage
from stock_pipeline.orchestration.reporting import check_results, check_specs, column_schema, data_version, metadata_of
from stock_pipeline.orchestration.resources import RunScope, StoreResource
from stock_pipeline.orchestration.stage import Key, Stage, dependencies
from stock_pipeline.settings import Settings
from stock_pipeline.settings.values import values_of
from stock_pipeline.storage import Stores

OWNERS = ["team:stock-pipeline"]


def build_asset(stage: Stage, stages: Sequence[Stage], settings: Settings, left_out: Collection[str] = ()) -> dg.AssetsDefinition:
    """The Dagster asset (or assets made together) of one of ``stages``, with automation, freshness and retries of the settings.

    Args:
        stage: which.
        stages: all stages of the project, for what it depends on.
        settings: for automation, retries and the code version.
        left_out: names of the stages that the settings leave out, such as models that are not to be trained: automation does not launch
            them, and nothing waits for them.
    """

    @dg.multi_asset(
        name=stage.name.replace("/", "__"),
        specs=[_spec(stage, key, stages, settings, left_out) for key in stage.keys],
        check_specs=[
            dg.AssetCheckSpec(spec.name, asset=dg.AssetKey(key), description=spec.description, blocking=spec.blocking)
            for key in stage.keys
            for spec in check_specs(stage, key)
        ],
        retry_policy=retry_policy(settings, stage.cadence),
        pool=f"{stage.store}_store",
    )
    def run(
        context: dg.AssetExecutionContext, market: StoreResource, ml: StoreResource, scope: RunScope
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        stores = Stores(settings.home, market.open(), ml.open())
        retries_left = limits(settings, stage.cadence).retries - context.retry_number
        try:
            result = execute_stage(stage, Run(stores, settings, scope.options, context.run.run_id), retries_left)
        except InputError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        if context.job_name == INGESTION_JOB and not result.materialised:
            # Nobody waits for it in this job, and what follows it would be launched by an empty materialisation.
            yield from (check for key in stage.keys for check in check_results(result, key))
            return
        for key in stage.keys:
            yield dg.MaterializeResult(
                asset_key=dg.AssetKey(key),
                metadata=metadata_of(result, key),
                data_version=dg.DataVersion(data_version(result, key)),
                check_results=list(check_results(result, key)),
            )

    return run


def code_version(stage: Stage, settings: Settings) -> str:
    """The code version that Dagster shows: that of the stage, and a hash of the settings that its rows depend on."""
    values = values_of(settings, stage.settings)
    digest = hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]
    return f"{stage.code_version} {digest}" if values else stage.code_version


def _spec(stage: Stage, key: Key, stages: Sequence[Stage], settings: Settings, left_out: Collection[str]) -> dg.AssetSpec:
    table = stage.table_of(key)
    ingested = [made for other in stages if other.cadence == "ingestion" for made in other.keys]
    shown: dict[str, Any] = {}
    if table is not None:
        shown = {"dagster/column_schema": column_schema(table), "dagster/table_name": f"{table.store}.{table.qualified_name}"}
    return dg.AssetSpec(
        key=dg.AssetKey(key),
        deps=[dg.AssetKey(upstream) for upstream in dependencies(stage, stages) if "/".join(upstream) not in left_out],
        description=stage.description if table is None else table.description,
        group_name=key[0],
        kinds=set(stage.kinds),
        skippable=stage.cadence == "ingestion",
        owners=OWNERS,
        code_version=code_version(stage, settings),
        automation_condition=None if stage.name in left_out else condition_of(settings, stage.cadence, ingested),
        freshness_policy=freshness_policy(settings),
        metadata=shown,
    )
