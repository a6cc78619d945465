"""The command ``stock-pipeline``. Exit code 2 for wrong input, 1 for a failed run."""

from typing import Any

import click

from stock_pipeline.command_line import models, run, show, train
from stock_pipeline.command_line.errors import handles_errors


class PlainGroup(click.Group):
    """A group of commands whose errors are printed as one sentence."""

    @handles_errors
    def make_context(self, *given: Any, **extra: Any) -> click.Context:
        """Read the options of the group itself."""
        return super().make_context(*given, **extra)

    @handles_errors
    def invoke(self, context: click.Context) -> None:
        """Carry out the command that was given."""
        super().invoke(context)


@click.group(cls=PlainGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="stock-pipeline")
def main() -> None:
    """Daily stock data to ranked stocks. Settings: stock_pipeline.yaml and STOCK_PIPELINE_* variables."""


for command in (*run.COMMANDS, *train.COMMANDS, *show.COMMANDS, *models.COMMANDS):
    main.add_command(command)

if __name__ == "__main__":
    main()
