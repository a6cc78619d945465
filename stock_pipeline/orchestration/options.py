"""The options of one run, from the command line or from Dagster."""

from dataclasses import dataclass
from datetime import date

from stock_pipeline.core.errors import InputError
from stock_pipeline.settings import Settings


@dataclass(frozen=True)
class RunOptions:
    """The options of one run, beyond the settings."""

    as_of: date | None = None  # session to work as of; None: the last one
    full_refresh: bool = False  # rebuild from the first session instead of bringing tables up to date
    keeps_folds: bool = False  # but let a training take the results of folds that have not changed
    source: str | None = None  # source of market data, in place of the one in the settings
    path: str | None = None  # file or glob for the source files
    sessions: int | None = None  # number of the last sessions to train on, in place of datasets.sessions
    folds: int | None = None  # walk-forward folds, in place of datasets.folds
    models: tuple[str, ...] | None = None  # models that the stack weighs, in place of models.names
    trials: int | None = None  # sets of parameters to try per model, in place of models.tuning_trials
    reason: str = "schedule"  # why models are trained in this run, for the record; see ``registry.tables.REASONS``
    dry_run: bool = False  # train and score, but write nothing

    def __post_init__(self) -> None:
        for name in ("sessions", "folds", "trials"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"the run was asked for {name} {value}; give 1 or more")

    @property
    def choose_training(self) -> bool:
        """Whether the run overrides how to train."""
        return any(choice is not None for choice in (self.sessions, self.folds, self.trials))

    def applied_to(self, settings: Settings) -> Settings:
        """The settings with the run's options for its training."""
        datasets = {name: value for name, value in (("sessions", self.sessions), ("folds", self.folds)) if value is not None}
        models = {name: value for name, value in (("names", self.models), ("tuning_trials", self.trials)) if value is not None}
        changed = {"datasets": settings.datasets.model_copy(update=datasets), "models": settings.models.model_copy(update=models)}
        return settings.model_copy(update=changed)


def parse_session(text: str | None, name: str) -> date | None:
    """The date in a text such as 2010-08-20; None for None. ``name`` is the option, for the message.

    Raises:
        InputError: it is not a date.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{name} {text!r} is not a date; write it as 2010-08-20") from error
