"""The status of every asset: its table, its watermark, and the result of its last execution."""

from collections.abc import Iterable
from typing import Any

from stock_pipeline.orchestration.stage import Key, Stage, dependencies
from stock_pipeline.storage import Stores


def asset_status(stores: Stores, assets: Iterable[Stage]) -> list[dict[str, Any]]:
    """One row per asset key: asset, table, rows, watermark, last_run, last_result, error, failed_checks, waits_for. Ready for JSON.

    Where the stores do not exist yet, rows are 0 and the rest is null or empty. Checks that only warn are not among the failed ones.
    ``waits_for`` names the assets upstream without which it is not made: those that failed, or failed a blocking check.
    """
    tasks = stores.last_executions() if stores.exist else {}
    every = tuple(assets)
    found, bars = [], dict[Key, list[str]]()  # of each asset, what keeps those downstream of it from being made
    for asset in every:
        held = stores.watermark(asset.store, asset.name) if stores.exist else None
        task = tasks.get(asset.name)
        failed = [] if task is None or task.passed is None else sorted(_errors(asset) - set(task.passed))
        waits_for = list(dict.fromkeys(name for key in dependencies(asset, every) for name in bars.get(key, ())))
        stops = (task is not None and task.state == "failed" and not asset.tolerates_failure) or _blocking(asset).intersection(failed)
        bars |= dict.fromkeys(asset.keys, [*waits_for, asset.name] if stops else waits_for)
        for key in asset.keys:
            table = asset.table_of(key)
            found.append(
                {
                    "asset": "/".join(key),
                    "table": None if table is None else f"{table.store}.{table.qualified_name}",
                    "rows": stores.count(table) if table is not None and stores.exist else 0,
                    "watermark": None if held is None else held.session.isoformat(),
                    "last_run": None if task is None else task.finished_at.isoformat(timespec="seconds") + "Z",
                    "last_result": None if task is None else task.state,
                    "error": None if task is None else task.error,
                    "failed_checks": failed if key == asset.keys[0] else [],
                    "waits_for": waits_for,
                }
            )
    return found


def _blocking(asset: Stage) -> set[str]:
    return {spec.name for check in asset.checks for spec in check.specs if spec.blocking}


def _errors(asset: Stage) -> set[str]:
    """The checks of the asset that are errors where they fail."""
    return {spec.name for check in asset.checks for spec in check.specs if not spec.warns}
