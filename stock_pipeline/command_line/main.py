"""stock-pipeline: what the Dagster command line cannot show. Exit code 2 for wrong input, 1 for a failed run."""

import os
import sys

import click

from stock_pipeline.command_line.errors import FAILED, names_in, opened, print_json, session_in, speaks_plainly
from stock_pipeline.command_line.models import models as models_group
from stock_pipeline.command_line.training_jobs import jobs, retrain


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="stock-pipeline")
def main() -> None:
    """Daily stock data to ranked stocks. Settings: stock_pipeline.yaml and STOCK_PIPELINE_* variables."""


@main.command()
@click.option(
    "--source",
    help="Source of market data: sample, sample-long, files, ibkr or yahoo; several with commas between, asked in that order. "
    "By default those in the settings.",
)
@click.option("--path", help="File or glob for the source files, such as 'bars/*.csv'.")
@click.option("--as-of", "as_of", help="Session to work as of, such as 2010-05-03. By default the last that the source has.")
@click.option("--models", help="Models to train, separated by commas. By default all.")
@click.option("--train/--no-train", default=True, help="Whether to train the models anew. Without it those in service predict.")
@speaks_plainly
def run(source: str | None, path: str | None, as_of: str | None, models: str | None, train: bool) -> None:
    """Run the whole journey once, from source to drift report, and show what it made."""
    from stock_pipeline.command_line.full_run import run_journey

    if not run_journey(source, path, session_in(as_of), names_in(models), train):
        sys.exit(FAILED)


@main.command()
@click.option("--models", help="Models to train, separated by commas. By default all.")
@click.option("--sessions", type=click.IntRange(min=1), help="Learn from so many of the last sessions. By default datasets.sessions.")
@click.option("--folds", type=click.IntRange(min=1), help="Walk-forward folds. By default datasets.folds.")
@click.option("--trials", type=click.IntRange(min=1), help="Sets of parameters to try per model. By default models.trials.")
@click.option("--dry-run", is_flag=True, help="Train and score, but write nothing.")
@speaks_plainly
def train(models: str | None, sessions: int | None, folds: int | None, trials: int | None, dry_run: bool) -> None:
    """Train models anew on what is stored, then weigh them and register what came of it."""
    from stock_pipeline.command_line.full_run import run_training

    choices = {"sessions": sessions, "folds": folds, "trials": trials}
    if not run_training(names_in(models), {name: chosen for name, chosen in choices.items() if chosen is not None}, dry_run):
        sys.exit(FAILED)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@speaks_plainly
def status(as_json: bool) -> None:
    """Show how every asset and every model stands."""
    from stock_pipeline.command_line.tables import show_assets, show_models
    from stock_pipeline.definitions import STAGE_ASSETS
    from stock_pipeline.orchestration.status import asset_status
    from stock_pipeline.registry.status import model_status

    settings, stores = opened()
    assets, models = asset_status(stores, STAGE_ASSETS), model_status(stores)
    if as_json:
        print_json({"home": str(settings.home), "assets": assets, "models": models})
        return
    show_assets(assets)
    show_models(models)


@main.command()
@click.option("--profile", default="default", show_default=True, help="Risk profile: default, conservative or aggressive.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many stocks to show.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@speaks_plainly
def suggest(profile: str, top: int, as_json: bool) -> None:
    """Show the stocks suggested after the last session."""
    from stock_pipeline.command_line.tables import show_suggestions
    from stock_pipeline.portfolio.profiles import risk_profile
    from stock_pipeline.portfolio.reading import latest_suggestions

    _, stores = opened()
    chosen = risk_profile(profile)
    found = latest_suggestions(stores, chosen.name).head(top)
    if as_json:
        print_json({"profile": chosen.name, "suggestions": found.to_dicts()})
        return
    show_suggestions(found, chosen)


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on 127.0.0.1.")
@speaks_plainly
def mlflow(port: int) -> None:
    """Serve MLflow with every training: parameters, measures, pictures and artefacts. Ends with Ctrl+C."""
    from stock_pipeline.registry.mlflow_mirror import server_command
    from stock_pipeline.settings import load_settings

    command = server_command(load_settings().home, port)
    click.echo(f"MLflow on http://127.0.0.1:{port}, ends with Ctrl+C")
    # In our own place, so that whatever ends us ends the server.
    os.execv(command[0], command)  # noqa: S606  (our own command)


main.add_command(models_group)
main.add_command(retrain)
main.add_command(jobs)

if __name__ == "__main__":
    main()
