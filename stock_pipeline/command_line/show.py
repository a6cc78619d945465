"""``stock-pipeline status``, ``suggest`` and ``mlflow``: what the last run left."""

import os
from typing import Final

import click

from stock_pipeline.command_line.options import AS_JSON, opened, print_json, tell


@click.command()
@AS_JSON
def status(as_json: bool) -> None:
    """Show how every asset and every model stands."""
    from stock_pipeline.command_line.tables import show_assets, show_models
    from stock_pipeline.definitions import all_stages
    from stock_pipeline.orchestration.status import asset_status
    from stock_pipeline.registry.overview import model_status

    settings, stores = opened()
    assets, models = asset_status(stores, all_stages(settings)), model_status(stores)
    if as_json:
        print_json({"home": str(settings.home), "assets": assets, "models": models})
        return
    show_assets(assets)
    show_models(models)


@click.command()
@click.option("--profile", default="default", show_default=True, help="Risk profile: default, conservative or aggressive.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many stocks to show.")
@AS_JSON
def suggest(profile: str, top: int, as_json: bool) -> None:
    """Show the stocks suggested after the last session."""
    from stock_pipeline.command_line.tables import show_suggestions
    from stock_pipeline.portfolio.profiles import risk_profile
    from stock_pipeline.portfolio.reading import latest_suggestions

    _, stores = opened()
    chosen = risk_profile(profile)
    found = latest_suggestions(stores, chosen.name).head(top)
    tell({"profile": chosen.name, "suggestions": found.to_dicts()}, as_json, lambda: show_suggestions(found, chosen))


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on 127.0.0.1.")
def mlflow(port: int) -> None:
    """Serve MLflow with every training: parameters, measures, pictures and artefacts. Ends with Ctrl+C."""
    from stock_pipeline.checked_settings import checked_settings
    from stock_pipeline.registry.mlflow_mirror import server_command

    command = server_command(checked_settings().home, port)
    click.echo(f"MLflow on http://127.0.0.1:{port}, ends with Ctrl+C")
    # In our own place, so that whatever ends us ends the server.
    os.execv(command[0], command)  # noqa: S606  (our own command)


COMMANDS: Final = (status, suggest, mlflow)
