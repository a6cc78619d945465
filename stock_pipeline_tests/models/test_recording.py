import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import AS_OF, FOLD, FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL, TRAINING_ID
from stock_pipeline.datasets.training_panel import TARGET
from stock_pipeline.models.artefacts import Manifest, check_artefact, hash_features
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.recording import RETURN_SCALE, latest_trainings, metrics_of, record
from stock_pipeline.models.scores import ALL_FOLDS
from stock_pipeline.models.stacking import StackedModel
from stock_pipeline.models.tables import MODEL_SCORES, NUMBER, OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline_tests.models.made_up import FEATURES, panel
from stock_pipeline_tests.panels import sessions
from stock_pipeline_tests.stored import training_row

DAYS = sessions(5)
STACKED = StackedModel(weights={"a": 1.0}, members={"a": "t0"})
MANIFEST = Manifest(
    model=STACK,
    training_id="t1",
    as_of=DAYS[4],
    train_from=DAYS[0],
    train_to=DAYS[2],
    features=FEATURES,
    features_hash=hash_features(FEATURES),
    rows=120,
    parameters={"members": {"a": "t0"}, "knots": 7},
    metrics={},
    seed=3,
    threads=2,
    code_version="1",
)


def out_of_fold(skill: float = 1.0) -> pl.DataFrame:
    """What a model that knows ``skill`` times the outcome said of 30 stocks in two folds, in no particular order."""
    rows = panel(symbols=30, count=20)
    middle = rows[SESSION].unique().sort()[10]
    return rows.select(
        pl.lit(STACK).alias(MODEL),
        (1 + (pl.col(SESSION) >= middle).cast(pl.Int32)).alias(FOLD),
        SESSION,
        SYMBOL,
        (skill * pl.col(TARGET)).alias(SCORE),
        TARGET,
        FORWARD_RETURN,
    ).sample(fraction=1, shuffle=True, seed=1)


def test_a_training_becomes_rows_of_its_tables_and_an_artefact(tmp_path: Path) -> None:
    training = record(tmp_path, STACKED, MANIFEST, out_of_fold(), sessions=3, number=1)
    (row,) = TRAININGS.conform(training.trainings).to_dicts()
    assert {name: row[name] for name in ("training_id", "model", "as_of", "train_from", "train_to")} == {
        "training_id": "t1",
        "model": STACK,
        "as_of": DAYS[4],
        "train_from": DAYS[0],
        "train_to": DAYS[2],
    }
    assert (row["rows"], row["sessions"], row["features"], row["seed"], row["threads"]) == (120, 3, len(FEATURES), 3, 2)
    assert json.loads(row["parameters"]) == MANIFEST.parameters
    folder = tmp_path / row["artefact"]
    assert check_artefact(folder, row["sha256"]).training_id == "t1"
    assert row["size_bytes"] == sum(file.stat().st_size for file in folder.iterdir())


def test_what_was_said_out_of_fold_is_kept_whole_and_in_order(tmp_path: Path) -> None:
    said = out_of_fold()
    kept = OUT_OF_FOLD_PREDICTIONS.conform(record(tmp_path, STACKED, MANIFEST, said, 3, 1).out_of_fold)
    assert kept[TRAINING_ID].unique().to_list() == ["t1"]
    assert kept.select(SESSION, SYMBOL).equals(said.sort(SESSION, SYMBOL).select(SESSION, SYMBOL))
    assert kept[SCORE].equals(said.sort(SESSION, SYMBOL)[SCORE])


def test_scores_cover_each_fold_and_all_of_them(tmp_path: Path) -> None:
    scores = MODEL_SCORES.conform(record(tmp_path, STACKED, MANIFEST, out_of_fold(), 3, 1).scores)
    assert set(scores[FOLD]) == {ALL_FOLDS, 1, 2}
    assert scores.select(TRAINING_ID, MODEL, AS_OF).unique().rows() == [("t1", STACK, DAYS[4])]
    assert scores.filter(pl.col("metric") == "rank_ic")["value"].to_list() == pytest.approx([1, 1, 1])


def test_recording_twice_gives_the_same_rows_and_leaves_the_artefact(tmp_path: Path) -> None:
    first = record(tmp_path, STACKED, MANIFEST, out_of_fold(), 3, 1)
    folder = tmp_path / first.trainings["artefact"][0]
    made = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    second = record(tmp_path, STACKED, replace(MANIFEST), out_of_fold(), 3, 1)
    assert second.trainings.equals(first.trainings)
    assert second.scores.equals(first.scores)
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == made


def test_metrics_are_the_measures_over_all_folds_and_the_worth_of_a_score() -> None:
    measured = metrics_of(out_of_fold(skill=0.5))
    assert measured["rank_ic"] == pytest.approx(1)
    assert measured["zero_mae"] == pytest.approx(0.2586, abs=1e-3)
    assert measured["mae"] == pytest.approx(0.5 * (measured["zero_mae"] or 0))
    full = metrics_of(out_of_fold())[RETURN_SCALE]
    assert full is not None
    assert full > 0
    assert measured[RETURN_SCALE] == pytest.approx(2 * full)  # half the score is worth twice as much a unit


def test_scores_that_were_wrong_are_worth_nothing_not_their_opposite() -> None:
    assert metrics_of(out_of_fold(skill=-1.0))[RETURN_SCALE] is None
    assert metrics_of(out_of_fold(skill=0.0))[RETURN_SCALE] is None


def trainings(rows: list[tuple[str, str, date]]) -> pl.DataFrame:
    return pl.DataFrame([training_row(*row) for row in rows], schema=TRAININGS.dtypes)


def test_the_last_training_of_each_model_is_found_in_the_order_asked_for() -> None:
    held = trainings([("a", "t1", DAYS[0]), ("a", "t2", DAYS[3]), ("b", "t3", DAYS[1]), ("c", "t4", DAYS[4])])
    found = latest_trainings(held, ["b", "d", "a"])
    assert found[TRAINING_ID].to_list() == ["t3", "t2"]
    assert found.columns == held.columns


def test_of_two_trainings_of_one_night_the_one_made_later_is_the_last() -> None:
    rows = [training_row("a", name, DAYS[0], number=number) for name, number in (("t9", 1), ("t1", 2))]
    assert latest_trainings(pl.DataFrame(rows, schema=TRAININGS.dtypes), ["a"])[TRAINING_ID].to_list() == ["t1"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(DAYS)), max_size=8), st.randoms())
def test_the_order_of_the_rows_does_not_matter(made: list[tuple[str, date]], random: object) -> None:
    rows = [(model, f"t{i}", day) for i, (model, day) in enumerate(made)]
    held = trainings(rows).with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias(NUMBER))
    order = list(range(held.height))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = latest_trainings(held, ["a", "b"])
    assert found.equals(latest_trainings(held[order], ["a", "b"]))
    assert dict(found.select(MODEL, AS_OF).iter_rows()) == {
        model: max(day for name, _, day in rows if name == model) for model in sorted({name for name, _, _ in rows})
    }
