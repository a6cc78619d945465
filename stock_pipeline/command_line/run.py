"""``stock-pipeline run``: one full run, checked beforehand, shown while it works, and summed up at the end."""

import sys
import time
from typing import TYPE_CHECKING, Final

import click

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.command_line.options import names_in
from stock_pipeline.command_line.values import path as path_or_glob
from stock_pipeline.command_line.values import text
from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.clock import utc_now

if TYPE_CHECKING:
    from stock_pipeline.orchestration.options import RunOptions
    from stock_pipeline.orchestration.progress import Listener
    from stock_pipeline.settings import Settings
    from stock_pipeline.storage import Stores

TOP = 10


@click.command()
@click.option(
    "--source",
    type=text,
    help="Source of market data, such as sample, files or yahoo; several with commas between, asked in that order. "
    "By default those in the settings.",
)
@click.option("--path", type=path_or_glob, help="File or glob for the source files, such as 'bars/*.csv'.")
@click.option("--as-of", "as_of", type=text, help="Session to work as of, such as 2010-05-03. By default the last that the source has.")
@click.option(
    "--models",
    type=text,
    help="Base models to train, separated by commas; the registry decides on them, and the stack follows. By default all. "
    "The daemon trains those that are missing; "
    "to leave some out for good, set models.names.",
)
@click.option("--train/--no-train", default=True, help="Whether to train the models. Without it the active ones predict.")
def run(source: str | None, path: str | None, as_of: str | None, models: str | None, train: bool) -> None:
    """Run the full pipeline once, from source to drift report."""
    from stock_pipeline.orchestration.options import RunOptions, parse_session

    if models is not None and not train:
        raise InputError("--models names what to train, and --no-train trains nothing; give one of them")
    options = RunOptions(source=source, path=path, as_of=parse_session(as_of, "--as-of"), reason="manual")
    if not full_run(options, names_in(models), train):
        sys.exit(FAILED)


def full_run(options: "RunOptions", models: tuple[str, ...] | None, train: bool = True, listener: "Listener | None" = None) -> bool:
    """Execute every stage in order and show what was made; returns whether every stage succeeded.

    Where one model could not be trained, the others are still trained, and the results without it are shown.

    Args:
        options: what the run is asked to do: source, path, session.
        models: the base models to train; None: those of the settings.
        train: whether to train; otherwise the active versions predict.
        listener: receives every event before it is shown; None: nobody does.

    Raises:
        InputError: an option or a setting cannot be used; nothing has been written.
    """
    from stock_pipeline.checked_settings import checked_settings
    from stock_pipeline.command_line.progress import RunWatcher
    from stock_pipeline.command_line.tables import show_made, show_universe
    from stock_pipeline.datasets.splits import check_history
    from stock_pipeline.market_data.preflight import check_sources
    from stock_pipeline.orchestration.automation import FULL_RUN
    from stock_pipeline.orchestration.execution import Run, StageResult, execute_stages
    from stock_pipeline.orchestration.in_process import alone, recording
    from stock_pipeline.orchestration.progress import listening
    from stock_pipeline.stages import all_stages
    from stock_pipeline.storage import open_stores
    from stock_pipeline.universe.tables import DAILY_UNIVERSE_ASSET

    settings = _with_models(checked_settings(), models)
    stores = open_stores(settings.home, settings.lock_wait_seconds)
    stores.refuse_lost()
    # Everything that the user may have got wrong is tried before anything is written.
    sessions = check_sources(settings, stores, options.source, options.path, options.as_of, utc_now())
    if sessions is not None:
        check_history(settings, sessions)
    names, every = settings.models.names, all_stages(settings)
    asked = [stage for stage in every if names is None or stage.cadence != "training" or stage.keys[0][1] in names]
    stages = [stage for stage in asked if train or stage.cadence != "training"]
    began, work = time.perf_counter(), Run(stores, settings, options)
    with alone(settings.home), recording(work, FULL_RUN, every) as record, RunWatcher(len(stages), listener) as watcher, listening(watcher):
        sound = 0
        # All tables at once, so that no stage has to look for its own.
        tables = [table for stage in stages for table in (*stage.tables, *stage.amends)]
        stores.prepare(tables, [view for stage in stages for view in stage.views])
        for result in execute_stages(stages, work):
            record(result)
            sound += isinstance(result, StageResult) and not result.blocked
            del result  # with the frames that it has made
    show_made(watcher.ended, watcher.stopped, time.perf_counter() - began)
    show_universe(watcher.notes.get(DAILY_UNIVERSE_ASSET))
    if sound == len(stages):
        with stores.shared_reader("ml"):
            _show_results(stores, settings)
    return sound == len(stages) and all(event.error is None for event in watcher.ended)


def _with_models(settings: "Settings", names: tuple[str, ...] | None) -> "Settings":
    from stock_pipeline.models.catalogue import parse_models

    chosen = names if names is not None else settings.models.names
    if chosen is not None and not chosen:
        raise InputError("--models is empty; name at least one model or leave it out")
    if chosen is None:
        return settings
    known = tuple(entry.name for entry in parse_models(chosen))
    return settings.model_copy(update={"models": settings.models.model_copy(update={"names": known})})


def _show_results(stores: "Stores", settings: "Settings") -> None:
    from stock_pipeline.backtest.tables import METRICS
    from stock_pipeline.command_line.tables import show_backtest, show_drift, show_models, show_note, show_suggestions, show_web_ui
    from stock_pipeline.drift.tables import FEATURE_DRIFT
    from stock_pipeline.labels.catalogue import predicted_horizon
    from stock_pipeline.portfolio.profiles import PROFILES
    from stock_pipeline.portfolio.reading import latest_suggestions
    from stock_pipeline.registry.overview import model_status
    from stock_pipeline.storage.reading import Selection
    from stock_pipeline.universe.reading import note_on_universe

    latest = Selection(latest=True)
    show_models(model_status(stores))
    minimum = settings.universe.minimum_stocks
    show_note(note_on_universe(stores, minimum))
    suggested = latest_suggestions(stores, PROFILES[0].name, minimum)
    show_suggestions(suggested.head(TOP), PROFILES[0], predicted_horizon(settings.labels), suggested.height)
    show_backtest(stores.read(METRICS, latest))
    show_drift(stores.read(FEATURE_DRIFT, latest))
    show_web_ui()


COMMANDS: Final = (run,)
