"""``stock-pipeline models``: show the versions of the models and decide on them manually."""

from typing import TYPE_CHECKING, Final

import click

from stock_pipeline.command_line.options import AS_CSV, AS_JSON, one_form, open_home, print_csv, print_json, print_result
from stock_pipeline.command_line.values import number, text
from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.clock import utc_now

if TYPE_CHECKING:
    from stock_pipeline.storage import Stores

NEXT_RUN = "Predictions follow with the next run."


@click.group()
def models() -> None:
    """Show the versions of models and decide on them."""


@models.command("list")
@AS_JSON
@AS_CSV
def list_models(as_json: bool, as_csv: bool) -> None:
    """List every model with its versions and last decision."""
    from stock_pipeline.command_line.tables import show_nothing_yet, show_registry
    from stock_pipeline.registry.overview import models_overview

    one_form(as_json, as_csv)
    _, stores = open_home()
    rows = models_overview(stores)
    if as_csv:
        print_csv(list(rows[0]), rows)
    else:
        print_result({"models": rows}, as_json, lambda: show_registry(rows) if stores.exist else show_nothing_yet(stores.home.absolute()))


@models.command()
@click.argument("model", type=text)
@AS_JSON
def show(model: str, as_json: bool) -> None:
    """Show one model: its versions and every decision about them."""
    from stock_pipeline.command_line.tables import show_model, show_nothing_yet
    from stock_pipeline.registry.overview import model_in_full

    _, stores = open_home()
    found = model_in_full(stores, model)
    print_result(found, as_json, lambda: show_model(found) if stores.exist else show_nothing_yet(stores.home.absolute()))


@models.command()
@click.argument("model", type=text)
@click.argument("version", type=number)
@click.option("--force", is_flag=True, help="Promote against the rule; say why with --reason.")
@click.option("--reason", type=text, help="Why, for the record.")
@AS_JSON
def promote(model: str, version: int, force: bool, reason: str | None, as_json: bool) -> None:
    """Make VERSION of MODEL active, if it passes the rule."""
    from stock_pipeline.registry.manual import promote_version

    if force and not (reason and reason.strip()):
        raise InputError("--force was given without a reason; say why with --reason")
    settings, stores = open_home()
    promote_version(stores, settings, model, version, reason if force else None, utc_now())
    _done(stores, model, f"Version {version} of {model} is active. {NEXT_RUN}", as_json)


@models.command()
@click.argument("model", type=text)
@click.option("--to", "version", type=number, help="Version to go back to. By default the one that was active before.")
@click.option("--reason", type=text, default="rolled back manually", show_default=True, help="Why, for the record.")
@AS_JSON
def rollback(model: str, version: int | None, reason: str, as_json: bool) -> None:
    """Make the version that was active before active again.

    The predictions of earlier nights stay as they are. The last session is predicted again with the next run.
    """
    from stock_pipeline.registry.manual import roll_back_version

    _, stores = open_home()
    back = roll_back_version(stores, model, version, reason, utc_now())
    _done(stores, model, f"Version {back} of {model} is active again. {NEXT_RUN}", as_json)


@models.command()
@click.argument("model", type=text)
@click.option("--reason", type=text, default="disabled manually", show_default=True, help="Why, for the record.")
@AS_JSON
def disable(model: str, reason: str, as_json: bool) -> None:
    """Stop predicting with MODEL.

    The stack leaves it out. Where MODEL is the stack, stocks are suggested without models.
    """
    _set_enabled(model, False, reason, as_json)


@models.command()
@click.argument("model", type=text)
@click.option("--reason", type=text, default="enabled manually", show_default=True, help="Why, for the record.")
@AS_JSON
def enable(model: str, reason: str, as_json: bool) -> None:
    """Predict with MODEL again."""
    _set_enabled(model, True, reason, as_json)


@models.command()
def sync() -> None:
    """Bring MLflow up to date with the registry.

    Runs, versions and aliases are mirrored. A deleted MLflow folder is rebuilt.
    """
    from stock_pipeline.registry.mirroring import mirrored_versions
    from stock_pipeline.registry.mlflow_mirror import mirror

    _, stores = open_home()
    versions = mirrored_versions(stores) if stores.exist else []
    if not versions:
        raise InputError(
            f"there is no version of a model in {stores.home.absolute()} yet, so nothing to show; run `stock-pipeline run` first"
        )
    added = mirror(stores.home, versions)
    click.echo(f"MLflow shows {len(versions)} versions; {added} runs were added.")


def _set_enabled(model: str, enabled: bool, reason: str, as_json: bool) -> None:
    from stock_pipeline.registry.manual import set_enabled

    _, stores = open_home()
    set_enabled(stores, model, enabled, reason, utc_now())
    _done(stores, model, f"{model} is {'enabled' if enabled else 'disabled'}. {NEXT_RUN}", as_json)


def _done(stores: "Stores", model: str, sentence: str, as_json: bool) -> None:
    from stock_pipeline.registry.overview import model_in_full

    if as_json:
        print_json(model_in_full(stores, model))
    else:
        click.echo(sentence)


COMMANDS: Final = (models,)
