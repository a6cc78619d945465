"""The paths of everything under the data directory."""

from datetime import date, datetime
from pathlib import Path


class Layout:
    """The files and folders of one data directory, ``home``. Nothing is created here."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.market_store = home / "market.duckdb"  # the DuckDB file that ingestion alone writes
        self.ml_store = home / "ml.duckdb"  # the DuckDB file of everything that is made of market data
        self.models = home / "models"  # artefacts: a folder per model, in it one per training
        self.folds = home / "folds"  # results of folds that the next training keeps, a folder per model
        self.archive = home / "archive"  # artefacts of archived versions, a file per training
        self.answers = home / "landing"  # answers of live sources that are not stored yet, a folder per session
        self.backups = home / "backups"  # copies of the stores, a folder per session
        self.dagster = home / "dagster"  # the Dagster instance, where DAGSTER_HOME names no other
        self.mlflow = home / "mlflow"  # MLflow's store and artefacts
        self.scratch = home / "scratch"  # what a process needs for a while
        self.run_lock = home / ".run.lock"  # held by the one run that a command has started
        self.training_lock = home / ".training.lock"  # held by the process that carries out a training job

    def drift_report(self, as_of: date) -> Path:
        """The page of a night's drift report."""
        return self.home / "reports" / f"drift-{as_of}.html"

    def job_log(self, job: int, requested_at: datetime) -> Path:
        """The log file of a training job's process. A number may repeat, as after a restored backup; with the moment it is unique."""
        return self.home / "logs" / f"training-{job}-{requested_at:%Y%m%dT%H%M%S%f}.log"
