"""From the declaration of an asset to Dagster's: the wrapping that every body shares.

Around a body stand: the night that it works as of, one transaction for what it made, the audit trail, progress, and metadata.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration import metadata
from stock_pipeline.orchestration.automation import condition_of, freshness_policy, limits, retry_policy
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.orchestration.night import Night, Product, Verdict
from stock_pipeline.orchestration.progress import Began, Ended, Noted, announce
from stock_pipeline.orchestration.resources import RunScope, StoreResource
from stock_pipeline.orchestration.stage_asset import Key, StageAsset
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Author, Stores, WriteReport
from stock_pipeline.storage.audit import TaskRun, TaskState

UP_TO_DATE_CHECK = "data_date"
MADE_CHECK = "made"
INGESTION_ASSET = "market_data/daily_bars"  # whose watermark says how far the market store has come
OWNERS = ["team:stock-pipeline"]


def build_asset(stage_asset: StageAsset, settings: Settings) -> dg.AssetsDefinition:
    """The Dagster asset (or assets made together) of a declaration, with automation, freshness and retries from settings."""

    @dg.multi_asset(
        name=stage_asset.name.replace("/", "__"),
        specs=[_spec(stage_asset, key, settings) for key in stage_asset.keys],
        check_specs=_check_specs(stage_asset),
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
_MADE_TEXT = "The last execution did not fail; what lies downstream goes on without it."


def _check_specs(stage_asset: StageAsset) -> list[dg.AssetCheckSpec]:
    first = dg.AssetKey(stage_asset.keys[0])
    specs = [dg.AssetCheckSpec(UP_TO_DATE_CHECK, asset=dg.AssetKey(key), description=_CHECK_TEXT) for key in stage_asset.keys]
    if stage_asset.failure_is_shown:
        specs.append(dg.AssetCheckSpec(MADE_CHECK, asset=first, description=_MADE_TEXT))
    return specs + [dg.AssetCheckSpec(c.name, asset=first, description=c.description, blocking=c.blocking) for c in stage_asset.checks]


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


@dataclass(frozen=True)
class Made:
    """What an execution made: nothing where there was nothing to do, and reports where it was written."""

    product: Product | None
    reports: tuple[WriteReport, ...]
    unchanged: bool


def sentence_of(error: Exception) -> str:
    """The error in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _result(night: Night, made: Made, problem: Exception | None) -> str:
    if problem is not None:
        return "failed; what is shown was made before"
    if night.dry_run:
        return "dry run, nothing written"
    return "up to date" if made.unchanged else "brought up to date"


def _check(key: Key, name: str, verdict: Verdict, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR) -> dg.AssetCheckResult:
    facts = dict(verdict.facts)
    return dg.AssetCheckResult(passed=verdict.passed, check_name=name, asset_key=dg.AssetKey(key), severity=severity, metadata=facts)


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
        problem: Exception | None = None
        try:
            night = self._night()
            try:
                made = self._make(night)
            except Exception as error:
                if not self.asset.failure_is_shown or self._will_try_again(error):
                    raise
                made, problem = Made(None, (), True), error
            results = self._results(night, made, problem)
        except Exception as error:
            self._record("failed", 0, error)
            if isinstance(error, InputError):
                raise dg.Failure(str(error), allow_retries=False) from error
            raise
        rows = sum(report.inserted for report in made.reports)
        self._record("failed" if problem is not None else "up to date" if made.unchanged else "succeeded", rows, problem)
        yield from results

    def _make(self, night: Night) -> "Made":
        if night.dry_run and self.asset.rhythm != "training":
            return Made(None, (), True)
        product = self.asset.body(night)
        if product is None or night.dry_run:
            return Made(product, (), product is None)
        author = Author.of_asset(self.asset.name, self.asset.code_version, self.context.run.run_id, utc_now())
        reports = self.stores.write(self.asset.store, author, product.writes, product.watermark)
        return Made(product, tuple(reports), bool(reports) and not any(report.changed for report in reports))

    def _will_try_again(self, error: Exception) -> bool:
        left = limits(self.settings, self.asset.rhythm).retries - self.context.retry_number
        return left > 0 and not isinstance(error, InputError)

    def _night(self) -> Night:
        self.stores.migrate()
        held = self.stores.watermark(self.asset.store, self.asset.name)
        market = self.stores.watermark("market", INGESTION_ASSET)
        return Night(
            asset=self.asset.name,
            store=self.asset.store,
            stores=self.stores,
            settings=self.scope.applied_to(self.settings),
            requested=self.scope.session,
            watermark=None if held is None else held.session,
            market_watermark=None if market is None else market.session,
            # Rows that another version of the code made may differ from what this one would make.
            full_refresh=self.scope.full_refresh or (held is not None and held.code_version != self.asset.code_version),
            source=self.scope.source,
            path=self.scope.path,
            chosen=self.scope.chooses,
            dry_run=self.scope.dry_run,
            say=lambda note: announce(Noted(self.asset.name, note)),
        )

    def _results(self, night: Night, made: "Made", problem: Exception | None) -> list[dg.MaterializeResult[None]]:
        held, counts = self.stores.standing(self.asset.store, self.asset.name, self.asset.tables)
        reached = None if held is None else held.session
        # Ingestion has only now learnt how far the source goes, so what it reached is what was wanted.
        wanted = night.requested or (reached if self.asset.name == INGESTION_ASSET else night.as_of)
        passed = reached is not None and reached >= wanted if wanted is not None else False
        results: list[dg.MaterializeResult[None]] = []
        for position, key in enumerate(self.asset.keys):
            shown: dict[str, Any] = {"result": _result(night, made, problem), "watermark": str(reached)}
            table = self.asset.table_of(key)
            anew = None
            if made.product is not None and not made.unchanged:
                anew = metadata.product_metadata(made.product) if position == 0 else metadata.preview(made.product, table)
            shown |= anew or self._previously_shown(key)
            if table is not None:
                shown["dagster/row_count"] = counts[table.qualified_name]
            shown["seconds"] = round(time.perf_counter() - self.started, 3)
            facts = {"reached": str(reached), "as_of": str(wanted)}
            checks = [_check(key, UP_TO_DATE_CHECK, Verdict(passed, facts), dg.AssetCheckSeverity.WARN)]
            checks += self._own_checks(night, key, problem) if position == 0 else []
            results.append(dg.MaterializeResult(asset_key=dg.AssetKey(key), metadata=shown, check_results=checks))
        return results

    def _own_checks(self, night: Night, key: Key, problem: Exception | None) -> list[dg.AssetCheckResult]:
        checks = [_check(key, check.name, check.judge(night)) for check in self.asset.checks]
        if self.asset.failure_is_shown:
            facts = {} if problem is None else {"reason": sentence_of(problem)}
            checks.append(_check(key, MADE_CHECK, Verdict(problem is None, facts)))
        return checks

    def _previously_shown(self, key: Key) -> dict[str, Any]:
        event = self.context.instance.get_latest_materialization_event(dg.AssetKey(key))
        materialization = event.asset_materialization if event is not None else None
        return {} if materialization is None else metadata.carried_over(materialization.metadata)

    def _record(self, state: TaskState, rows: int, error: Exception | None) -> None:
        sentence = None if error is None else sentence_of(error)
        announce(Ended(self.asset.name, rows, time.perf_counter() - self.started, state == "up to date", sentence))
        run = TaskRun(self.asset.name, self.context.run.run_id, self.started_at, utc_now(), state, rows, sentence)
        try:
            self.stores.record_task(self.asset.store, run)
        except Exception as problem:
            # A trail that cannot be written must not hide the error that it was to tell of, nor undo what is committed.
            self.context.log.warning(f"the audit row of {self.asset.name} could not be written: {problem}")
