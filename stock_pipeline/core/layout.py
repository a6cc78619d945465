"""Where things lie under the data directory."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The files and folders of one data directory, ``home``. Nothing is made here."""

    home: Path

    @property
    def market_store(self) -> Path:
        """The DuckDB file that ingestion alone writes."""
        return self.home / "market.duckdb"

    @property
    def ml_store(self) -> Path:
        """The DuckDB file of everything that is made of market data."""
        return self.home / "ml.duckdb"

    @property
    def models(self) -> Path:
        """Artefacts: a folder per model, in it one per training."""
        return self.home / "models"

    @property
    def archive(self) -> Path:
        """Artefacts of archived versions, a file per training."""
        return self.home / "archive"

    @property
    def answers(self) -> Path:
        """Answers of live sources that are not stored yet, a folder per session."""
        return self.home / "landing"

    @property
    def backups(self) -> Path:
        """Copies of the stores, a folder per session."""
        return self.home / "backups"

    @property
    def dagster(self) -> Path:
        """The Dagster instance, where DAGSTER_HOME names no other."""
        return self.home / "dagster"

    @property
    def mlflow(self) -> Path:
        """MLflow's store and artefacts."""
        return self.home / "mlflow"

    @property
    def run_lock(self) -> Path:
        """Held by the one run that a command has started."""
        return self.home / ".run.lock"

    @property
    def training_lock(self) -> Path:
        """Held by the process that carries out a training job."""
        return self.home / ".training.lock"

    def drift_report(self, as_of: date) -> Path:
        """The page of a night's drift report."""
        return self.home / "reports" / f"drift-{as_of}.html"

    def job_log(self, job: int) -> Path:
        """What the process of a training job printed."""
        return self.home / "logs" / f"training-{job}.log"
