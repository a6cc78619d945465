"""The status of every asset: its table, its watermark, and the result of its last execution."""

from collections.abc import Iterable
from typing import Any

from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.storage import Stores


def asset_status(stores: Stores, assets: Iterable[Stage]) -> list[dict[str, Any]]:
    """One row per asset key: asset, table, rows, watermark, last_run, last_result, error. Values are ready for JSON.

    Where the stores do not exist yet, rows are 0 and the rest is null.
    """
    tasks = stores.last_executions() if stores.exist else {}
    found = []
    for asset in assets:
        held = stores.watermark(asset.store, asset.name) if stores.exist else None
        task = tasks.get(asset.name)
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
                }
            )
    return found
