"""The events of stages that were executed outside of a Dagster step: materialisations and checks, with the data versions of all inputs.

They are few, as one event costs as much as many a stage: a materialisation where something was made, and a check where its result is
another than the last on record. A dry run has none: a materialisation would trigger automation, and a check would judge rows that do
not exist.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import dagster as dg

from stock_pipeline.orchestration.asset_factory import code_version
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.orchestration.reporting import check_results, data_version, metadata_of
from stock_pipeline.orchestration.stage import Key, Stage, dependencies
from stock_pipeline.settings import Settings

CODE_VERSION_TAG: Final = "dagster/code_version"
DATA_VERSION_TAG: Final = "dagster/data_version"
INPUT_VERSION_TAG: Final = "dagster/input_data_version"
# Dagster counts an input only where it has a pointer, too; it follows pointers for partitions alone.
POINTER_TAG, NO_POINTER = "dagster/input_event_pointer", "NULL"
OWN_VERSION_TAG: Final = "dagster/data_version_is_user_provided"
NEVER_MADE: Final = "NULL"  # Dagster's data version of an asset without a materialisation
SUCCEEDED: Final = "SUCCEEDED"

AssetEvent = dg.AssetMaterialization | dg.AssetCheckEvaluation


class AssetEvents:
    """Makes the events of results, and remembers what each asset was made of."""

    def __init__(self, instance: dg.DagsterInstance, stages: Sequence[Stage], settings: Settings) -> None:
        """Read what is on record.

        Args:
            instance: where the events will be recorded.
            stages: all stages of the project, those that are not executed included.
            settings: for the code versions.
        """
        self._instance, self._stages, self._settings = instance, stages, settings
        self._held = _tags_on_record(instance, [key for stage in stages for key in stage.keys])

    def of(self, result: StageResult) -> Iterator[AssetEvent]:
        """The events of a result, to be recorded in this order."""
        if result.dry_run:
            return
        for key in result.stage.keys:
            inputs = {parent: self._version(parent) for parent in dependencies(result.stage, self._stages)}
            has_rows = result.state != "failed" and result.reached is not None
            made = result.materialised or (has_rows and self._is_news(result.stage, key, inputs))
            if made:
                yield self._materialisation(result, key, inputs)
            evaluations = list(_evaluations(result, key))
            yield from evaluations if made else self._changed(evaluations)

    def _is_news(self, stage: Stage, key: Key, inputs: Mapping[Key, str]) -> bool:
        """Whether Dagster would call the asset missing or unsynced: not on record, or made by other code or of other inputs."""
        tags = self._held.get(key)
        if tags is None or tags.get(CODE_VERSION_TAG) != code_version(stage, self._settings):
            return True
        return any(tags.get(_input_tag(parent)) != version for parent, version in inputs.items())

    def _version(self, key: Key) -> str:
        tags = self._held.get(key)
        return NEVER_MADE if tags is None else tags.get(DATA_VERSION_TAG, NEVER_MADE)

    def _materialisation(self, result: StageResult, key: Key, inputs: Mapping[Key, str]) -> dg.AssetMaterialization:
        tags = {
            CODE_VERSION_TAG: code_version(result.stage, self._settings),
            DATA_VERSION_TAG: data_version(result, key),
            OWN_VERSION_TAG: "true",
            **{_input_tag(parent): version for parent, version in inputs.items()},
            **dict.fromkeys((_input_tag(parent, POINTER_TAG) for parent in inputs), NO_POINTER),
        }
        self._held[key] = tags
        return dg.AssetMaterialization(asset_key=dg.AssetKey(key), metadata=metadata_of(result, key), tags=tags)

    def _changed(self, evaluations: Sequence[dg.AssetCheckEvaluation]) -> Iterator[dg.AssetCheckEvaluation]:
        """Those whose result is another than the last on record."""
        storage = self._instance.event_log_storage
        records = storage.get_latest_asset_check_execution_by_key([evaluation.asset_check_key for evaluation in evaluations])
        last = {check: record.status.value == SUCCEEDED for check, record in records.items()}
        return (evaluation for evaluation in evaluations if last.get(evaluation.asset_check_key) != evaluation.passed)


def _evaluations(result: StageResult, key: Key) -> Iterator[dg.AssetCheckEvaluation]:
    blocking = {spec.name for check in result.stage.checks for spec in check.specs if spec.blocking}
    for check in check_results(result, key):
        yield dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(key),
            check_name=str(check.check_name),
            passed=check.passed,
            metadata=check.metadata,
            severity=check.severity,
            blocking=check.check_name in blocking,
        )


def _tags_on_record(instance: dg.DagsterInstance, keys: Sequence[Key]) -> dict[Key, dict[str, str]]:
    """The tags of each asset's latest materialisation."""
    found: dict[Key, dict[str, str]] = {}
    for record in instance.get_asset_records([dg.AssetKey(key) for key in keys]):
        event = record.asset_entry.last_materialization
        made = None if event is None else event.asset_materialization
        if made is not None:
            room, name = record.asset_entry.asset_key.path
            found[room, name] = dict(made.tags or {})
    return found


def _input_tag(key: Key, prefix: str = INPUT_VERSION_TAG) -> str:
    return f"{prefix}/{'/'.join(key)}"
