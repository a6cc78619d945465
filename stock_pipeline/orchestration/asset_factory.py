"""From the declaration of an asset to Dagster's: the wrapping that every body shares.

Around a body stand: the night that it works as of, one transaction for what it made, the audit trail, progress, and metadata.
"""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration import metadata
from stock_pipeline.orchestration.automation import condition_of, freshness_policy, retry_policy
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.progress import Began, Ended, Noted, announce
from stock_pipeline.orchestration.resources import RunScope, StoreResource
from stock_pipeline.orchestration.stage_asset import Key, StageAsset
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Author, Stores, WriteReport
from stock_pipeline.storage.audit import TaskRun, TaskState

UP_TO_DATE_CHECK = "data_date"
INGESTION_ASSET = "market_data/daily_bars"  # whose watermark says how far the market store has come
OWNERS = ["team:stock-pipeline"]


def build_asset(stage_asset: StageAsset, settings: Settings) -> dg.AssetsDefinition:
    """The Dagster asset (or assets made together) of a declaration, with automation, freshness and retries from settings."""

    @dg.multi_asset(
        name=stage_asset.name.replace("/", "__"),
        specs=[_spec(stage_asset, key, settings) for key in stage_asset.keys],
        check_specs=[dg.AssetCheckSpec(UP_TO_DATE_CHECK, asset=dg.AssetKey(key), description=_CHECK_TEXT) for key in stage_asset.keys],
        retry_policy=retry_policy(settings, stage_asset.rhythm),
        pool=f"{stage_asset.store}_store",
    )
    def run(
        context: dg.AssetExecutionContext, market: StoreResource, ml: StoreResource, scope: RunScope
    ) -> Iterator[dg.MaterializeResult[None]]:
        stores = Stores(settings.home, market.open(), ml.open())
        yield from _Execution(stage_asset, settings, stores, scope, context).results()

    return run


_CHECK_TEXT = "The table has reached the session that the run works as of."


def _spec(stage_asset: StageAsset, key: Key, settings: Settings) -> dg.AssetSpec:
    table = stage_asset.table_of(key)
    shown: dict[str, Any] = {} if table is None else {"dagster/column_schema": metadata.column_schema(table)}
    if table is not None:
        shown["dagster/table_name"] = f"{table.store}.{table.qualified_name}"
    return dg.AssetSpec(
        key=dg.AssetKey(key),
        deps=[dg.AssetKey(upstream) for upstream in stage_asset.depends_on],
        description=stage_asset.description if table is None else table.description,
        group_name=key[0],
        kinds=set(stage_asset.kinds),
        owners=OWNERS,
        code_version=stage_asset.code_version,
        automation_condition=condition_of(settings, stage_asset.rhythm),
        freshness_policy=freshness_policy(settings),
        metadata=shown,
    )


class _Execution:
    """One execution of an asset's body, from reading its watermark to its materialisation results."""

    def __init__(
        self, stage_asset: StageAsset, settings: Settings, stores: Stores, scope: RunScope, context: dg.AssetExecutionContext
    ) -> None:
        self.asset, self.settings, self.stores, self.scope, self.context = stage_asset, settings, stores, scope, context
        self.started_at, self.started = utc_now(), time.perf_counter()

    def results(self) -> Iterator[dg.MaterializeResult[None]]:
        """Run the body and yield one result per key.

        Raises:
            dg.Failure: the user's input is wrong; trying again would not help.
        """
        announce(Began(self.asset.name))
        try:
            night = self._night()
            product = self.asset.body(night)
            reports = [] if product is None else self._write(product)
            unchanged = product is None or (bool(reports) and not any(report.changed for report in reports))
            results = self._results(night, product, unchanged)
        except Exception as error:
            self._record("failed", 0, error)
            if isinstance(error, InputError):
                raise dg.Failure(str(error), allow_retries=False) from error
            raise
        self._record("up to date" if unchanged else "succeeded", sum(report.inserted for report in reports), None)
        yield from results

    def _night(self) -> Night:
        self.stores.migrate()
        held = self.stores.watermark(self.asset.store, self.asset.name)
        market = self.stores.watermark("market", INGESTION_ASSET)
        return Night(
            asset=self.asset.name,
            store=self.asset.store,
            stores=self.stores,
            settings=self.settings,
            requested=self.scope.session,
            watermark=None if held is None else held.session,
            market_watermark=None if market is None else market.session,
            # Rows that another version of the code made may differ from what this one would make.
            full_refresh=self.scope.full_refresh or (held is not None and held.code_version != self.asset.code_version),
            source=self.scope.source,
            path=self.scope.path,
            say=lambda note: announce(Noted(self.asset.name, note)),
        )

    def _write(self, product: Product) -> list[WriteReport]:
        author = Author(self.asset.name, self.asset.code_version, self.context.run.run_id, utc_now())
        return self.stores.write(self.asset.store, author, product.writes, product.watermark)

    def _results(self, night: Night, product: Product | None, unchanged: bool) -> list[dg.MaterializeResult[None]]:
        held, counts = self.stores.standing(self.asset.store, self.asset.name, self.asset.tables)
        reached = None if held is None else held.session
        # Ingestion has only now learnt how far the source goes, so what it reached is what was wanted.
        wanted = night.requested or (reached if self.asset.name == INGESTION_ASSET else night.as_of)
        passed = reached is not None and reached >= wanted if wanted is not None else False
        results: list[dg.MaterializeResult[None]] = []
        for position, key in enumerate(self.asset.keys):
            shown: dict[str, Any] = {
                "result": "up to date" if unchanged else "brought up to date",
                "watermark": str(reached),
            }
            table = self.asset.table_of(key)
            made = None
            if product is not None and not unchanged:
                made = metadata.product_metadata(product) if position == 0 else metadata.preview(product, table)
            shown |= made or self._previously_shown(key)
            if table is not None:
                shown["dagster/row_count"] = counts[table.qualified_name]
            shown["seconds"] = round(time.perf_counter() - self.started, 3)
            check = dg.AssetCheckResult(
                passed=passed,
                check_name=UP_TO_DATE_CHECK,
                asset_key=dg.AssetKey(key),
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"reached": str(reached), "as_of": str(wanted)},
            )
            results.append(dg.MaterializeResult(asset_key=dg.AssetKey(key), metadata=shown, check_results=[check]))
        return results

    def _previously_shown(self, key: Key) -> dict[str, Any]:
        event = self.context.instance.get_latest_materialization_event(dg.AssetKey(key))
        materialization = event.asset_materialization if event is not None else None
        return {} if materialization is None else metadata.carried_over(materialization.metadata)

    def _record(self, state: TaskState, rows: int, error: Exception | None) -> None:
        sentence = None if error is None else " ".join(str(error).split()) or type(error).__name__
        announce(Ended(self.asset.name, rows, time.perf_counter() - self.started, state == "up to date", sentence))
        run = TaskRun(self.asset.name, self.context.run.run_id, self.started_at, utc_now(), state, rows, sentence)
        try:
            self.stores.record_task(self.asset.store, run)
        except Exception as problem:
            # A trail that cannot be written must not hide the error that it was to tell of, nor undo what is committed.
            self.context.log.warning(f"the audit row of {self.asset.name} could not be written: {problem}")
