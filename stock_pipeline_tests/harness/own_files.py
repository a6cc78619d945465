"""A small data directory of one's own files, and the command run on it."""

from dataclasses import dataclass
from pathlib import Path

from click.testing import Result

from stock_pipeline.core.columns import SESSION
from stock_pipeline.registry.tables import TRAINING_JOBS
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.harness.default_stages import TABLES
from stock_pipeline_tests.harness.invocation import invoke

SYMBOLS, SESSIONS = 12, 110
QUICK = {"STOCK_PIPELINE_REGISTRY__MIRROR_TO_MLFLOW": "false", "STOCK_PIPELINE_MODELS__THREADS": "1"}


@dataclass(frozen=True)
class OwnFiles:
    """Bars of made-up stocks in a file, and a data directory beside it."""

    folder: Path

    @property
    def home(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def stores(self) -> Stores:
        """Its stores."""
        return open_stores(self.home)

    def make(self) -> None:
        """Write the bars."""
        panel = adjusted_panel(symbols=SYMBOLS, count=SESSIONS)
        panel.drop("jump").rename({SESSION: "date"}).write_csv(self.folder / "bars.csv")

    def run(self, models: str, **variables: str) -> Result:
        """The full pipeline with some of the models; ``variables`` are settings of its own."""
        return invoke(self.home, "run", *self.full_run(models), **{**QUICK, **variables})

    def full_run(self, models: str) -> tuple[str, ...]:
        """What the command ``run`` is given for it."""
        return ("--source", "files", "--path", str(self.folder / "bars.csv"), "--models", models)

    def contents(self) -> dict[str, object]:
        """Everything stored but the training jobs' own record: a hash of each table, every watermark, every file of the artefacts."""
        stores = self.stores
        with stores.ml.reader() as connection:
            watermarks = connection.execute("SELECT * FROM audit.watermarks ORDER BY asset").fetchall()
            writes = connection.execute(
                "SELECT count(*) FROM audit.writes WHERE table_name <> ?", [TRAINING_JOBS.qualified_name]
            ).fetchall()
        artefacts = {str(path): path.read_bytes() for path in sorted((self.home / "models").rglob("*")) if path.is_file()}
        return {
            **{table.qualified_name: stores.content_hash(table) for table in TABLES if table != TRAINING_JOBS},
            "watermarks": watermarks,
            "writes": writes,
            "artefacts": artefacts,
        }
