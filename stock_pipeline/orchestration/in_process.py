"""Running assets in this process, one after another, with someone watching."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
from filelock import FileLock, Timeout

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.instance import given_dagster_home, prepare_dagster_home
from stock_pipeline.orchestration.progress import Event, Stopped, listening
from stock_pipeline.orchestration.stage_asset import Key
from stock_pipeline.settings import Settings

Build = Callable[[Settings], dg.Definitions]
# Runs assets with a scope, telling a listener; returns whether all of them succeeded.
Run = Callable[[Settings, dict[str, Any], Callable[[Event], None], list[Key]], bool]
PLAIN = (dg.TextMetadataValue, dg.IntMetadataValue, dg.FloatMetadataValue)


def without_retries(settings: Settings) -> Settings:
    """The settings for a run that someone watches: a failure is shown at once instead of being tried again for minutes."""
    automation = settings.automation
    watched = {name: getattr(automation, name).model_copy(update={"retries": 0}) for name in ("nightly", "training")}
    return settings.model_copy(update={"automation": automation.model_copy(update=watched)})


def runner(build: Build, job: str, instance: dg.DagsterInstance | None = None, **recorded: Any) -> Run:
    """``run_in_process`` for those who know nothing of Dagster; nothing is tried again.

    Args:
        build: the code location for settings.
        job: name of the job whose assets are run.
        instance: as for ``run_in_process``.
        recorded: ``run_id`` and ``tags`` of the run.
    """

    def run(settings: Settings, scope: dict[str, Any], listener: Callable[[Event], None], keys: list[Key]) -> bool:
        return run_in_process(build(without_retries(settings)), job, scope, settings, listener, keys, instance, **recorded)

    return run


def run_in_process(
    definitions: dg.Definitions,
    job: str,
    scope: dict[str, Any],
    settings: Settings,
    listener: Callable[[Event], None],
    keys: list[Key],
    instance: dg.DagsterInstance | None = None,
    run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> bool:
    """Run the assets ``keys`` of a job and return whether all of them succeeded.

    The run is recorded in an instance, so the web UI shows it.

    Args:
        definitions: the code location.
        job: name of the job.
        scope: configuration of the resource ``scope``.
        settings: where the data directory is.
        listener: told of every asset that begins and ends.
        keys: assets to make.
        instance: where the run is recorded; by default the one under the data directory, or in DAGSTER_HOME.
        run_id: the run's id; a new one by default.
        tags: the run's tags.

    Raises:
        InputError: another run is at work in the same data directory, or a directory that is needed cannot be had.
    """
    given_dagster_home()  # tried before anything is written
    with (
        alone(settings.home),
        _opened(settings) if instance is None else nullcontext(instance) as recording,
        listening(listener),
    ):
        result = definitions.resolve_job_def(job).execute_in_process(
            run_config={"resources": {"scope": {"config": scope}}, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            instance=recording,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(key) for key in keys],
            run_id=run_id,
            tags=dict(tags or {}),
        )
    for evaluation in result.get_asset_check_evaluations():
        if evaluation.blocking and not evaluation.passed:
            listener(Stopped(evaluation.asset_key.to_user_string(), evaluation.check_name, _facts(evaluation.metadata)))
    return result.success


def _facts(metadata: Mapping[str, dg.MetadataValue[Any]]) -> str:
    """What is short enough for a sentence."""
    return ", ".join(f"{name} {found.value}" for name, found in metadata.items() if isinstance(found, PLAIN))


def _opened(settings: Settings) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(prepare_dagster_home(settings)))


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Be the only run in the data directory that a command has started.

    Raises:
        InputError: another is at work, or the directory cannot be made.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"data directory {home} cannot be made: {error.strerror}; choose another with STOCK_PIPELINE_HOME") from error
    lock = FileLock(home / ".run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(f"another `stock-pipeline run` is at work in {home}; wait for it to end") from error
    try:
        yield
    finally:
        lock.release()
