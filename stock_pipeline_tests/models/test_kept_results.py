"""Results of folds and trials that need not be made again, and all that has them made again."""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

from stock_pipeline.core.columns import FOLD, FORWARD_RETURN, SESSION, SYMBOL, TARGET
from stock_pipeline.datasets.panel import Panel, digests_up_to
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.datasets.splits import Lengths, walk_forward
from stock_pipeline.models import kept_results
from stock_pipeline.models.catalogue import ModelEntry, model_entry
from stock_pipeline.models.kept_results import KeptResults
from stock_pipeline.models.plan import Plan, Step, in_sequence
from stock_pipeline.models.training import Trained, train
from stock_pipeline_tests.factories.stub_estimators import Stub, entry_of
from stock_pipeline_tests.factories.training_panels import (
    DAYS,
    FEATURES,
    ONE_THREAD,
    REACH,
    exposed,
    panel,
    plan_of,
    quick,
    saved,
    unlabelled_from,
)

RIDGE, TREES = model_entry("spline_ridge"), quick(model_entry("lightgbm"))
ROWS = panel(symbols=8, count=170, signal=0.2)
LENGTHS = Lengths(60, 20)


def plan_up_to(count: int, entry: ModelEntry = RIDGE, folds: int = 3, **changes: Any) -> Plan:
    """A plan on the night when the labels of so many sessions are known: three folds of 20 sessions."""
    splits = walk_forward(DAYS[:count], folds, REACH, 3, LENGTHS)
    return replace(plan_of(entry, ROWS), splits=tuple(splits), **changes)


@dataclass
class Home:
    """A data directory in which one training follows another; it keeps note of the fits that were made, and of what was told."""

    folder: Path
    made: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def train(self, plan: Plan, rows: pl.DataFrame, kept: KeptResults | None = None, names: tuple[str, ...] = FEATURES) -> Trained:
        """Train as the pipeline does, on the rows of the panel whose labels are known."""
        kept = kept or KeptResults(self.folder / "folds" / plan.entry.name)
        self.made.clear()
        self.told.clear()
        with TemporaryDirectory(dir=self.folder) as scratch:
            stored = saved(rows, Path(scratch) / "panel", names)
            execute_here = in_sequence(plan, Panel.open(stored, names))

            def execute(steps: list[Step]) -> list[Any]:
                self.made.extend(step.name(plan) for step in steps)
                return execute_here(steps)

            (Path(scratch) / "model").mkdir()
            trained = train(plan, Path(scratch) / "model", kept.keeping(execute, plan, names, stored, self.told.append))  # type: ignore[arg-type]
            kept.forget_the_rest()
        return trained


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def known_up_to(count: int) -> pl.DataFrame:
    """The panel of a night: two sessions more than have labels."""
    return unlabelled_from(ROWS.filter(pl.col(SESSION) <= DAYS[count + REACH - 1]), DAYS[count])


@pytest.mark.parametrize("entry", [RIDGE, TREES], ids=lambda entry: entry.name)
def test_a_week_later_only_the_newest_fold_and_the_final_model_are_made_and_nothing_differs(entry: ModelEntry, home: Home) -> None:
    home.train(plan_up_to(135, entry), known_up_to(135))
    assert len(home.made) == 4
    for count, fits in ((140, ["final fit", "fold 3 of 3"]), (145, ["final fit", "fold 3 of 3"]), (146, ["final fit", "fold 3 of 3"])):
        plan = plan_up_to(count, entry)
        found = home.train(plan, known_up_to(count))
        assert home.made == fits
        afresh = Home(home.folder / f"afresh_{count}")
        afresh.folder.mkdir()
        every = afresh.train(plan, known_up_to(count))
        assert len(afresh.made) == 4
        for name in ("out_of_fold", "in_sample"):
            assert_frame_equal(getattr(found, name), getattr(every, name), check_exact=True)
        assert found.out_of_fold[FOLD].unique().to_list() == [1, 2, 3]
    assert len(list((home.folder / "folds" / entry.name).iterdir())) == 3  # one for each fold, those that were dropped are gone


def altered(rows: pl.DataFrame, name: str, place: int) -> pl.DataFrame:
    """The panel with one value restated, of a stock on one session."""
    one = (pl.col(SYMBOL) == "S03") & (pl.col(SESSION) == DAYS[place])
    return rows.with_columns(pl.when(one).then(-pl.col(name) - 0.01).otherwise(name).cast(rows.schema[name]).alias(name))


@pytest.mark.parametrize("name", ["f2", TARGET, FORWARD_RETURN])
@pytest.mark.parametrize(("place", "again"), [(5, 3), (75, 3), (95, 2), (110, 1)])
def test_a_restated_value_has_the_folds_made_again_that_look_at_it(name: str, place: int, again: int, home: Home) -> None:
    """The folds test the sessions 65 to 84, 85 to 104 and 105 to 124."""
    plan, rows = plan_up_to(125), known_up_to(125)
    home.train(plan, rows)
    home.train(plan, altered(rows, name, place))
    assert len(home.made) == 1 + again


def test_another_setting_code_or_library_has_every_fold_made_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, plan = known_up_to(125), plan_up_to(125)
    home.train(plan, rows)
    home.train(plan, rows)
    assert home.made == ["final fit"]
    others = (
        replace(plan, conditions=replace(ONE_THREAD, seed=8)),
        plan_up_to(125, replace(RIDGE, make=_penalised)),
        plan_up_to(125, replace(RIDGE, make=partial(RIDGE.make, knots=5))),
        replace(plan, entry=replace(plan.entry, target=exposed(RIDGE.target, ("f4",)))),
    )
    for other in others:
        home.train(plan, rows)
        home.train(other, rows)
        assert len(home.made) == 4
    home.train(plan, rows)
    home.train(plan, rows.select(SESSION, SYMBOL, *reversed(FEATURES), TARGET, FORWARD_RETURN), names=tuple(reversed(FEATURES)))
    assert len(home.made) == 4
    for name, value in (("code_digest", lambda: "other"), ("version", lambda _library: "9.9")):
        home.train(plan, rows)
        kept_results._code.cache_clear()
        with monkeypatch.context() as patched:
            patched.setattr(kept_results, name, value)
            home.train(plan, rows)
            assert len(home.made) == 4
        kept_results._code.cache_clear()


def _penalised(conditions: Any, **parameters: Any) -> Any:
    return RIDGE.make(conditions, **({"penalty": 5.0} | parameters))


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: content[:900] + b"\x07" + content[901:], lambda _: b""])
def test_a_damaged_result_is_made_again(damage: Any, home: Home) -> None:
    plan, rows = plan_up_to(125), known_up_to(125)
    sound = home.train(plan, rows)
    files = sorted((home.folder / "folds" / "spline_ridge").iterdir())
    files[1].write_bytes(damage(files[1].read_bytes()))
    again = home.train(plan, rows)
    assert len(home.made) == 2
    assert_frame_equal(again.out_of_fold, sound.out_of_fold, check_exact=True)


def test_what_holds_no_result_is_removed_and_a_folder_that_cannot_be_written_costs_no_training(home: Home) -> None:
    plan, rows = plan_up_to(125), known_up_to(125)
    folder = home.folder / "folds" / "spline_ridge"
    home.train(plan, rows)
    sound = sorted(folder.iterdir())
    damaged = sound[0].with_name(sound[0].name.split("-")[0] + f"-{'0' * 32}.arrow")
    for remains in (damaged, folder / "a.arrow.unfinished"):
        remains.write_bytes(b"remains")
    home.train(plan, rows)
    assert sorted(folder.iterdir()) == sound
    barred = home.folder / "barred"
    barred.write_text("a file where the folder should be")
    made = home.train(plan, rows, KeptResults(barred))
    assert made.out_of_fold.height and len(home.made) == 4
    assert len(home.told) == 3 and all("not kept for the next training" in note and str(barred) in note for note in home.told)


def test_what_may_not_be_read_is_made_and_what_may_not_be_written_is_not_kept(home: Home) -> None:
    plan, rows = plan_up_to(125), known_up_to(125)
    folder = home.folder / "folds"
    home.train(plan, rows, KeptResults(folder, may_write=False))
    assert len(home.made) == 4 and not folder.exists()
    home.train(plan, rows, KeptResults(folder))
    files = sorted(folder.iterdir())
    home.train(plan_up_to(120), known_up_to(120), KeptResults(folder, may_write=False))
    assert sorted(folder.iterdir()) == files
    home.train(plan, rows, KeptResults(folder, may_read=False))
    assert len(home.made) == 4


def test_trials_are_kept_as_folds_are(home: Home) -> None:
    inner = tuple(walk_forward(DAYS[:60], 2, REACH, 3, Lengths(25, 15)))
    entry = entry_of(_Weighted, space={"weight": (2.0, 3.0)})
    first = home.train(plan_up_to(125, entry, trials=3, inner_splits=inner), known_up_to(125))
    assert len(home.made) == 3 * 2 + 4
    later = home.train(plan_up_to(127, entry, trials=3, inner_splits=inner), known_up_to(127))
    assert home.made == ["final fit", "fold 3 of 3"] and later.trials.equals(first.trials)


class _Weighted(Stub):
    def predict(self, samples: Samples) -> NDArray[np.float64]:
        return samples.matrix()[:, 0].astype(np.float64) * self.weight


def test_a_digest_is_of_the_rows_up_to_a_session_whatever_follows_them(tmp_path: Path) -> None:
    whole, part = (saved(rows, tmp_path / name) for name, rows in (("whole", ROWS), ("part", ROWS.filter(pl.col(SESSION) <= DAYS[100]))))
    ends = [DAYS[50], DAYS[100]]
    assert digests_up_to(whole, [*ends, DAYS[169]]).items() >= digests_up_to(part, ends).items()
    assert len(set(digests_up_to(whole, [*ends, DAYS[169]]).values())) == 3
    assert digests_up_to(whole, [DAYS[100]]) == digests_up_to(part, [DAYS[100]])  # whichever other sessions are asked for
