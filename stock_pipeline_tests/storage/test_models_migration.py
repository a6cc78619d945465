"""A store from before models had targets, and scores parts: its trainings, scores and predictions are kept."""

from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.models.scores import OVERALL
from stock_pipeline.models.tables import FEATURE_IMPORTANCE, MODEL_SCORES, OUT_OF_FOLD_PREDICTIONS, SHAP_VALUES, TRAININGS, TRIALS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPLANATIONS
from stock_pipeline.storage.database import Database
from stock_pipeline.storage.migrations import LEDGER, migrate, migrations_of
from stock_pipeline.storage.reading import Selection, read
from stock_pipeline_tests.factories.rows import training_row

BEFORE = 15  # migrations that such a store has
FIRST, SECOND = date(2020, 1, 2), date(2020, 1, 3)
NEW = ("target", "trials", "device")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Two trainings of one model, the later one stored first, with scores, an out-of-fold row and a prediction of each."""
    database = Database(tmp_path / "ml.duckdb", "ml")
    with database.writer() as connection:
        connection.execute(LEDGER)
        for step in migrations_of("ml")[:BEFORE]:
            connection.execute(step.sql)
            connection.execute("INSERT INTO audit.migrations VALUES (?, ?, ?)", [step.number, step.name, step.sha256])
        for number, training, day in ((2, "t2", SECOND), (1, "t1", FIRST)):
            row = {name: value for name, value in training_row("lightgbm", training, day, number=number).items() if name not in NEW}
            names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO models.trainings ({names}) VALUES ({marks})", list(row.values()))  # noqa: S608
            for fold, value in ((1, None), (0, 0.25 * number)):
                named = "(training_id, fold, metric, model, as_of, value, observations)"
                connection.execute(
                    f"INSERT INTO models.scores {named} VALUES (?, ?, 'mae', 'lightgbm', ?, ?, 9)",  # noqa: S608
                    [training, fold, day, value],
                )
            told = "(training_id, model, fold, session, symbol, score, target, forward_return)"
            connection.execute(
                f"INSERT INTO models.out_of_fold_predictions {told} VALUES (?, 'lightgbm', 1, ?, 'A', 0.1, 0.2, 0.3)",  # noqa: S608
                [training, day],
            )
            said = "(session, symbol, model, training_id, version, score, rank, predicted_return)"
            connection.execute(
                f"INSERT INTO predictions.daily_predictions {said} VALUES (?, 'A', 'lightgbm', ?, ?, 0.1, 1, 0.001)",  # noqa: S608
                [day, training, number],
            )
    assert [step.name for step in migrate(database)][:2] == ["scores_and_explanations", "predicted_risk"]
    return database


def test_trainings_are_kept_as_those_of_the_return_on_the_cpu_without_trials(database: Database) -> None:
    with database.reader() as connection:
        found = read(connection, TRAININGS, Selection())
    assert TRAININGS.conform(found).equals(found)
    expected = [training_row("lightgbm", f"t{number}", day, number=number) for number, day in ((1, FIRST), (2, SECOND))]
    assert sorted(found.to_dicts(), key=lambda row: str(row["training_id"])) == expected


def test_scores_are_kept_as_those_of_all_test_sessions(database: Database) -> None:
    with database.reader() as connection:
        found = read(connection, MODEL_SCORES, Selection())
        overall = read(connection, MODEL_SCORES, Selection(equals=OVERALL))
    assert MODEL_SCORES.conform(found).height == 4
    assert found.select("part", "period").unique().rows() == [("test", "whole")]
    assert sorted(overall.select("training_id", "metric", "as_of", "value", "observations").rows()) == [
        ("t1", "mae", FIRST, 0.25, 9),
        ("t2", "mae", SECOND, 0.5, 9),
    ]


def test_predictions_are_kept_and_tell_nothing_of_risk_or_direction(database: Database) -> None:
    with database.reader() as connection:
        found = read(connection, DAILY_PREDICTIONS, Selection())
        out_of_fold = read(connection, OUT_OF_FOLD_PREDICTIONS, Selection())
    assert sorted(DAILY_PREDICTIONS.conform(found).rows()) == [
        (FIRST, "A", "lightgbm", "t1", 1, 0.1, 1, 0.001, None, None),
        (SECOND, "A", "lightgbm", "t2", 2, 0.1, 1, 0.001, None, None),
    ]
    assert sorted(out_of_fold["training_id"]) == ["t1", "t2"]


def test_what_is_new_is_empty(database: Database) -> None:
    with database.reader() as connection:
        assert [read(connection, table, Selection()).height for table in (SHAP_VALUES, FEATURE_IMPORTANCE, TRIALS, EXPLANATIONS)] == [0] * 4
