"""The command line where trainings take no time: stages of which it is said beforehand what becomes of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stock_pipeline.models.catalogue import CATALOGUE
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.context import CheckOutcome, StageContext, StageOutput
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.stage import CheckSpec, Stage, StageCheck, via
from stock_pipeline.registry.tables import MODEL_VERSIONS
from stock_pipeline.storage import upsert
from stock_pipeline_tests.factories.rows import training_row
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.own_files import QUICK

REGISTERED, STACKED, MIRRORED = "registry/model_versions", "registry/stack", "registry/mlflow_mirror"


@dataclass
class StandIns:
    """Stages in the place of models and registry that take no time: what becomes of them is said beforehand."""

    failing: dict[str, str] = field(default_factory=dict)
    leaking: str | None = None
    stopped_at: str | None = None
    executed: list[tuple[str, RunOptions]] = field(default_factory=list)

    def stages(self, _settings: object = None) -> tuple[Stage, ...]:
        """One for each model, the stack, the registry and its mirror."""
        models = [f"models/{entry.name}" for entry in CATALOGUE]
        trained = [self._stage(name, (TRAININGS,), cadence="training", tolerates_failure=True) for name in models]
        registry = self._stage(REGISTERED, (MODEL_VERSIONS,), reads=via(tuple(stage.keys[0] for stage in trained), TRAININGS))
        stack = self._stage(STACKED, (TRAININGS, MODEL_VERSIONS), reads=(MODEL_VERSIONS,), dry_runs=True)
        mirror = self._stage(MIRRORED, (), reads=(MODEL_VERSIONS,), tolerates_failure=True)
        return (*trained, registry, stack, mirror)

    def _stage(self, name: str, tables: tuple[Any, ...], reads: tuple[Any, ...] = (), **values: Any) -> Stage:
        room, _, own = name.partition("/")
        check = StageCheck(
            (CheckSpec("plausible_ic", "", blocking=True),),
            lambda _context: {"plausible_ic": CheckOutcome(name != self.leaking, {"rank_ic": 0.9})},
        )
        return Stage(((room, own),), "", tables, reads, self._body(name), checks=(check,) if room == "models" else (), **values)

    def _body(self, name: str) -> Callable[[StageContext], StageOutput | None]:
        def body(context: StageContext) -> StageOutput | None:
            self.executed.append((name, context.options))
            context.report_progress(f"{name} has begun")
            if name == self.stopped_at:
                raise KeyboardInterrupt
            if name in self.failing:
                raise ValueError(self.failing[name])
            sound = {done for done, _ in self.executed if done.startswith("models/")} - set(self.failing)
            trains = name in sound or (name == STACKED and sound)  # the stack follows what has been trained
            model = name.split("/")[1]
            row = training_row(model, f"{model}_{context.stores.rows_ever(TRAININGS)}", context.as_of)
            made = pl.DataFrame([row], schema=TRAININGS.dtypes)
            return StageOutput((upsert(TRAININGS, made),) if trains else (), watermark=context.as_of)

        return body


@dataclass
class Desk:
    """The command line on stores in which ingestion has reached a session, with stand-ins for the stages."""

    home: Path
    monkeypatch: pytest.MonkeyPatch

    def train(self, *arguments: str, stages: StandIns | None = None) -> tuple[int, str]:
        """Exit code and all that was told by ``train``."""
        with self.monkeypatch.context() as patched:
            patched.setattr("stock_pipeline.stages.all_stages", (stages or StandIns()).stages)
            return self.told("train", *arguments)

    def told(self, *arguments: str) -> tuple[int, str]:
        """Exit code and all that was told by a command."""
        ended = invoke(self.home, *arguments, **QUICK)
        assert "Traceback" not in ended.output
        return ended.exit_code, " ".join(ended.output.split())

    def job(self, number: int) -> dict[str, Any]:
        """What ``training-jobs show`` tells of a job."""
        ended = invoke(self.home, "training-jobs", "show", str(number), "--json")
        assert ended.exit_code == 0, ended.output
        row: dict[str, Any] = json.loads(ended.output)
        return row

    def numbers(self, *arguments: str) -> list[int]:
        """The jobs that ``training-jobs list`` lists."""
        ended = invoke(self.home, "training-jobs", "list", "--json", *arguments)
        assert ended.exit_code == 0, ended.output
        return [row["job"] for row in json.loads(ended.output)["jobs"]]
