"""``stock-pipeline status``, ``suggest``, ``ui`` and ``mlflow``: the results of the last run."""

import os
import sys
from typing import Final

import click

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.command_line.options import AS_CSV, AS_JSON, one_form, open_home, print_csv, print_json
from stock_pipeline.command_line.values import number, port, text
from stock_pipeline.orchestration.clock import utc_now


@click.command()
@AS_JSON
def status(as_json: bool) -> None:
    """Show whether all is well, with every asset and model.

    The exit code is 1 where something is wrong.
    """
    from stock_pipeline.command_line.tables import show_assets, show_models, show_note, show_verdict
    from stock_pipeline.orchestration.status import asset_status
    from stock_pipeline.orchestration.verdict import verdict_on
    from stock_pipeline.registry.ledger import living_jobs
    from stock_pipeline.registry.overview import model_status
    from stock_pipeline.registry.training_jobs import latest_first
    from stock_pipeline.stages import all_stages
    from stock_pipeline.universe.reading import ENOUGH, note_on_universe, shortage_now

    settings, stores = open_home()
    jobs = latest_first(living_jobs(stores, utc_now()))  # which may have to write, and so comes before the stores are held open
    with stores.shared_readers():
        assets, models = asset_status(stores, all_stages(settings)), model_status(stores)
        few = shortage_now(stores, settings.universe.minimum_stocks)
        reasons = {} if few is None else {ENOUGH: few}
        verdict = verdict_on(stores.home.absolute(), assets, stores.market_session(), jobs, models, reasons)
        note = note_on_universe(stores, settings.universe.minimum_stocks) if stores.exist and few is None else None
    if as_json:
        print_json({"home": str(settings.home), "verdict": verdict.readable, "note": note, "assets": assets, "models": models})
    else:
        show_verdict(verdict, settings.home.absolute())
        show_note(note)
        if verdict.state != "empty":
            show_assets(assets)
            show_models(models)
    if verdict.problems:
        sys.exit(FAILED)


@click.command()
@click.option("--profile", type=text, default="default", show_default=True, help="Risk profile: default, conservative, aggressive, or all.")
@click.option("--top", type=number, default=10, show_default=True, help="How many stocks to show of each profile.")
@AS_JSON
@AS_CSV
def suggest(profile: str, top: int, as_json: bool, as_csv: bool) -> None:
    """Show the stocks suggested after the last session."""
    import polars as pl

    from stock_pipeline.command_line.tables import show_note, show_suggestions
    from stock_pipeline.labels.catalogue import predicted_horizon
    from stock_pipeline.portfolio.profiles import chosen_profiles
    from stock_pipeline.portfolio.reading import latest_suggestions
    from stock_pipeline.universe.reading import note_on_universe

    one_form(as_json, as_csv)
    settings, stores = open_home()
    minimum = settings.universe.minimum_stocks
    held = {chosen: latest_suggestions(stores, chosen.name, minimum) for chosen in chosen_profiles(profile)}
    shown = pl.concat([rows.head(top) for rows in held.values()])
    if as_csv:
        print_csv(shown.columns, shown.to_dicts())
    elif as_json:
        print_json({"profile": profile, "suggestions": shown.to_dicts()})
    else:
        for chosen, rows in held.items():
            show_suggestions(rows.head(top), chosen, predicted_horizon(settings.labels), rows.height, top)
        show_note(note_on_universe(stores, minimum))


@click.command()
@click.option("--port", type=port, default=3000, show_default=True, help="Port on 127.0.0.1.")
def ui(port: int) -> None:
    """Serve the web UI and run the daemon until Ctrl+C.

    The daemon carries out every schedule and sensor.
    """
    from stock_pipeline.checked_settings import checked_settings
    from stock_pipeline.market_data.preflight import refuse_sources_unfit_for_a_schedule
    from stock_pipeline.orchestration.services import serve

    settings = checked_settings()
    refuse_sources_unfit_for_a_schedule(settings)
    click.echo(f"Web UI on http://127.0.0.1:{port}, ends with Ctrl+C")
    try:
        serve(settings, port)
    except KeyboardInterrupt:
        click.echo("Stopped. Runs that were at work have ended; the daemon goes on from there when it is started again.")


@click.command()
@click.option("--port", type=port, default=5000, show_default=True, help="Port on 127.0.0.1.")
def mlflow(port: int) -> None:
    """Serve MLflow, with every training, until Ctrl+C."""
    from stock_pipeline.checked_settings import checked_settings
    from stock_pipeline.registry.mlflow_mirror import server_command

    command = server_command(checked_settings().home, port)
    click.echo(f"MLflow on http://127.0.0.1:{port}, ends with Ctrl+C")
    # The server replaces this process, so that ending this process ends the server.
    os.execv(command[0], command)  # noqa: S606  (our own command)


COMMANDS: Final = (status, suggest, ui, mlflow)
