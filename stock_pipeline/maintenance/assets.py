"""The assets of maintenance: backups, and the archive of old versions."""

import json
from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from stock_pipeline.backtest.tables import METRICS
from stock_pipeline.core.columns import AS_OF, MODEL, SESSION, TRAINING_ID, VERSION
from stock_pipeline.drift.tables import FEATURE_DRIFT
from stock_pipeline.maintenance.archive import put_away, remove_folder
from stock_pipeline.maintenance.backup import back_up, outdated, remove, sessions_on_disk
from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, key_of, via
from stock_pipeline.performance.tables import PERFORMANCE_LOG
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.predictions.tables import SIGNALS
from stock_pipeline.registry.ledger import stored_registry
from stock_pipeline.registry.registration import archive_versions, versions_to_archive
from stock_pipeline.registry.tables import ARCHIVED, DECISIONS, LIVE_RESULTS, MODEL_VERSIONS, STATUS
from stock_pipeline.storage import replace_all
from stock_pipeline.storage.reading import Selection

ARCHIVE = ("maintenance", "archive")


def keep_backups(context: StageContext) -> StageOutput | None:
    """Copy both stores at the end of the night, and delete the oldest copies."""
    if context.is_up_to_date:
        return None
    made = back_up(context.stores, context.as_of)
    everything = pl.concat([context.read(BACKUPS), made])
    sessions = [*everything[AS_OF], *sessions_on_disk(context.stores.layout.backups).values()]
    gone = outdated(sessions, context.settings.retention.backups)
    remove(context.stores.layout.backups, gone)
    kept = everything.filter(~pl.col(AS_OF).is_in(gone)).sort(AS_OF, "path")
    return StageOutput(
        writes=(replace_all(BACKUPS, kept),),
        watermark=context.as_of,
        tables={"backups": kept},
        facts={"size_bytes": int(made["size_bytes"].sum())},
    )


def keep_archive(context: StageContext) -> StageOutput | None:
    """Archive the versions that retention no longer keeps in place, and delete old shadow results.

    A folder is deleted only by a later run, once the registry has the version as archived. So a version that can become active keeps
    its artefact, whichever process is killed.
    """
    if context.is_up_to_date:
        return None
    retention = context.settings.retention
    stored = stored_registry(context.stores)
    held, home = stored.registry, context.stores.home
    done = held.versions.filter(pl.col(STATUS) == ARCHIVED)
    removed = [remove_folder(home, row[MODEL], row[TRAINING_ID]) for row in done.iter_rows(named=True)]
    due = versions_to_archive(held.versions, context.as_of, retention.versions, retention.archive_after_days)
    gone = due.filter(~pl.col(TRAINING_ID).is_in(_needed(context, held.versions)))
    for row in gone.iter_rows(named=True):
        context.report_progress(f"version {row[VERSION]} of {row[MODEL]}")
        put_away(home, row[MODEL], row[TRAINING_ID])
    now = archive_versions(held, gone, context.as_of)
    results = context.stores.read_versioned(LIVE_RESULTS)
    recent = results.frame.filter(pl.col(SESSION) >= context.as_of - timedelta(days=retention.live_results_days))
    return StageOutput(
        writes=(
            *stored.writes(now),
            replace_all(LIVE_RESULTS, recent, may_be_empty=True, expected_version=results.version),
        ),
        watermark=context.as_of,
        tables={"archived": gone.select(MODEL, VERSION, AS_OF, STATUS, "changed_on")},
        facts={"archived": gone.height, "folders_removed": sum(removed), "shadow_results_removed": results.frame.height - recent.height},
    )


def _needed(context: StageContext, versions: pl.DataFrame) -> list[str]:
    """The trainings of the members of every stack that is not archived."""
    stacks = versions.filter((pl.col(MODEL) == STACK) & (pl.col(STATUS) != ARCHIVED))[TRAINING_ID]
    parameters = context.read(TRAININGS, Selection(columns=("parameters",), equals={TRAINING_ID: stacks.to_list()}))["parameters"]
    return [training for text in parameters for training in json.loads(text)["members"].values()]


STAGES: Sequence[Stage] = (
    Stage(
        keys=(ARCHIVE,),
        description="Artefacts of old versions, put into the archive; those of active versions stay.",
        tables=(),
        reads=(LIVE_RESULTS, *via((key_of(MODEL_VERSIONS),), TRAININGS)),
        amends=(MODEL_VERSIONS, DECISIONS, LIVE_RESULTS),
        body=keep_archive,
        settings_ahead=("retention.versions", "retention.archive_after_days", "retention.live_results_days"),
    ),
    Stage(
        keys=(key_of(BACKUPS),),
        description="Copies of both stores.",
        tables=(BACKUPS,),
        # Everything else is made before one of these.
        reads=(SIGNALS, SUGGESTED_STOCKS, PERFORMANCE_LOG, METRICS, FEATURE_DRIFT, *via((ARCHIVE,), MODEL_VERSIONS)),
        body=keep_backups,
        settings=("retention.backups",),
        kinds=("duckdb",),
    ),
)
