"""MLflow is a mirror: when it cannot be written, everything else is made, and it catches up once it can."""

from pathlib import Path

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.predictions.tables import SIGNALS
from stock_pipeline.registry.tables import MODEL_VERSIONS
from stock_pipeline_tests.harness.invocation import command
from stock_pipeline_tests.harness.own_files import QUICK, OwnFiles

MIRRORED = {"STOCK_PIPELINE_REGISTRY__MIRROR_TO_MLFLOW": "true"}


def test_a_store_of_mlflow_that_cannot_be_read_stops_nothing_else(tmp_path: Path) -> None:
    files = OwnFiles(tmp_path)
    files.make()
    store = files.home / "mlflow" / "mlflow.db"
    store.parent.mkdir(parents=True)
    store.write_bytes(b"no database" * 100)
    ended = files.run("spline_ridge", **MIRRORED)
    assert ended.exit_code == FAILED
    assert "registry/mlflow_mirror failed:" in ended.output and "models/spline_ridge failed" not in ended.output
    assert files.stores.count(MODEL_VERSIONS) == 2 and files.stores.count(SIGNALS) > 0
    store.unlink()
    # As every night, in a process of its own: this one's MLflow still holds the file that is gone.
    again = command(files.home, "run", *files.full_run("spline_ridge"), **{**QUICK, **MIRRORED})
    assert again.returncode == 0, again.stdout
    assert "registry/mlflow_mirror: succeeded" in again.stdout and store.is_file()
