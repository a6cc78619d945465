"""Outages never change a table: a machine that was off for nights comes to the same rows, to the last bit, as one that never was.

Trainings and promotions happen on nights on which both are on; the first of the later ones is the night after the outage.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl
import pytest

from stock_pipeline.backtest.tables import METRICS
from stock_pipeline.core.columns import AS_OF, MODEL, SESSION
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.tables import WALK_FORWARD_SPLITS
from stock_pipeline.drift.tables import FEATURE_DRIFT
from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.market_data.tables import INGESTION_REPORTS
from stock_pipeline.models import assets, fit_server
from stock_pipeline.models.kept_results import KeptResults
from stock_pipeline.models.plan import Plan, ReportProgress, in_sequence
from stock_pipeline.models.training import Trained, train
from stock_pipeline.performance.tables import PERFORMANCE_LOG
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, SIGNALS
from stock_pipeline.registry.comparison import Comparison
from stock_pipeline.registry.tables import ACTIVE_FROM, DECISIONS, MODEL_VERSIONS, STATUS
from stock_pipeline.stages import all_stages
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.harness.default_stages import TABLES
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute, make

MODELS: Final = ("spline_ridge", "risk", "stack")
PANEL: Final = adjusted_panel(12, 120, missing_share=0.02).drop("jump")
NIGHTS: Final[list[date]] = PANEL[SESSION].unique().sort().to_list()[-4:]
PROMOTES_ALL: Final = {"tolerance": None, **dict.fromkeys(("beats_baseline", "not_inferior", "calibrated", "degradation_guard"), False)}
OF_RUNS: Final = {INGESTION_REPORTS: AS_OF, BACKUPS: AS_OF}  # they tell what the runs did, and a machine that is off does nothing
# A decision on the first night after an outage rests on folds alone: what was live is measured after it.
EVIDENCE: Final = (*(field.name for field in fields(Comparison)), "reason")
LOGS: Final = {WALK_FORWARD_SPLITS: NIGHTS, FEATURE_DRIFT: NIGHTS, METRICS: NIGHTS, PERFORMANCE_LOG: NIGHTS[2:]}


@dataclass(frozen=True)
class Machine:
    """A data directory, beside the file of bars that its source reads."""

    stores: Stores

    def night(self, day: date, trains: bool) -> None:
        """Every stage but its checks and the mirror, as of a night; trainings only where it trains."""
        settings = plain_settings(
            self.stores.home,
            source={"name": "files", "path": str(self.stores.home.parent / "bars.csv")},
            models={"names": MODELS[:-1], "threads": 1},
            registry={"mirror_to_mlflow": False, "promotion": PROMOTES_ALL},
        )
        for stage in all_stages(settings):
            if stage.cadence != "training" or (trains and stage.keys[0][1] in MODELS):
                assert execute(replace(stage, checks=()), self.stores, settings, day).error is None


@contextmanager
def train_here(plan: Plan, names: Sequence[str], folder: Path, _report_progress: ReportProgress, _kept: KeptResults) -> Iterator[Trained]:
    with TemporaryDirectory() as model:
        yield train(plan, Path(model), in_sequence(plan, Panel.open(folder, names)))


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Machine, Machine]:
    """One machine that was on every night, and one that was off on all but the first and the last, on which both train."""
    folder = tmp_path_factory.mktemp("outages")
    PANEL.rename({SESSION: "date"}).write_csv(folder / "bars.csv")
    first, *between, last = NIGHTS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "train_in_subprocesses", train_here)
        patch.setattr(fit_server, "start", lambda: None)
        on = Machine(open_stores(folder / "on", 5))
        on.night(first, trains=True)
        shutil.copytree(folder / "on", folder / "off")
        off = Machine(open_stores(folder / "off", 5))
        for day in between:
            on.night(day, trains=False)
        for machine in (on, off):
            machine.night(last, trains=True)
    return on, off


@pytest.mark.parametrize("table", [table for table in TABLES if table not in OF_RUNS], ids=lambda table: table.qualified_name)
def test_an_outage_changes_no_table(table: TableSchema, machines: tuple[Machine, Machine]) -> None:
    on, off = (
        machine.stores.read(table).drop(EVIDENCE if table in (DECISIONS, MODEL_VERSIONS) else (), strict=False) for machine in machines
    )
    assert off.equals(on, null_equal=True)


def test_the_nights_missed_have_their_rows_though_other_versions_are_active_since(machines: tuple[Machine, Machine]) -> None:
    _, off = machines
    for table, nights in LOGS.items():
        assert off.stores.read(table)[AS_OF].unique().sort().to_list() == nights, table
    versions = off.stores.read(MODEL_VERSIONS).sort(MODEL, "version")
    assert versions.select(MODEL, STATUS, ACTIVE_FROM).rows() == [
        (model, status, night) for model in sorted(MODELS) for status, night in (("retired", NIGHTS[0]), ("active", NIGHTS[-1]))
    ]
    by_night = off.stores.read(METRICS).filter(pl.col("metric") == "total_return").pivot(on=AS_OF, index=MODEL, values="value")
    # Of the session between the last fold and the first prediction nobody said anything, so that the second night told nothing new.
    assert by_night.height == 2 and all(len(set(row[1:])) == 3 for row in by_night.drop(MODEL).rows())
    for predicted in (DAILY_PREDICTIONS, SIGNALS):
        assert off.stores.read(predicted)[SESSION].unique().sort().to_list() == NIGHTS


@pytest.mark.parametrize("table", LOGS, ids=lambda table: table.qualified_name)
def test_a_log_made_anew_has_the_same_rows(table: TableSchema, machines: tuple[Machine, Machine]) -> None:
    _, off = machines
    again = make(table, off.stores, plain_settings(off.stores.home), NIGHTS[-1], full_refresh=True)
    assert again.output is not None and not any(report.changed for report in again.reports)


def test_what_runs_did_is_told_of_those_that_there_were(machines: tuple[Machine, Machine]) -> None:
    for table, column in OF_RUNS.items():
        on, off = (machine.stores.read(table)[column].unique().sort().to_list() for machine in machines)
        assert (on, off) == (NIGHTS, [NIGHTS[0], NIGHTS[-1]])
