"""The full pipeline as a user runs it, on the embedded sample: what it leaves behind, and that running it again changes nothing.

How a gap is filled, and how files of one's own are read, is test_catching_up.py's to show.
"""

import json
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_series_equal

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.core.columns import MODEL, RANK, SESSION, SYMBOL
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.features.catalogue import CORE
from stock_pipeline.features.tables import FUNDAMENTAL_RATIOS
from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.market_data.tables import (
    CORPORATE_ACTIONS,
    DAILY_BARS,
    FUNDAMENTALS,
    INGESTION_FAILURES,
    INGESTION_REPORTS,
    INSTRUMENTS,
    QUARANTINED_BARS,
    UNIVERSE_MEMBERS,
)
from stock_pipeline.models.catalogue import CATALOGUE, STACK, stacked_models
from stock_pipeline.models.reading import check_artefact, overall_metrics
from stock_pipeline.models.tables import OUT_OF_FOLD_PREDICTIONS, TRAININGS, TRIALS
from stock_pipeline.performance.tables import PERFORMANCE_LOG
from stock_pipeline.portfolio.profiles import PROFILES, RiskProfile
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPECTED_RETURNS, EXPLANATIONS, SIGNALS
from stock_pipeline.registry.reading import active_versions
from stock_pipeline.registry.tables import LIVE_RESULTS, MODEL_ENABLEMENT
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.harness.default_stages import KEYS, TABLES
from stock_pipeline_tests.harness.invocation import command, invoke, shown

LAST = date(2010, 8, 20)
BARS, SYMBOLS, REJECTION = 122_560, 524, {"outside_high_low": 8, "implausible_range": 6}
MODELS = [*(entry.name for entry in CATALOGUE), STACK]
# The sample lacks 2010-08-18, so the outcome of the sessions right before it stays unknown.
LAST_LABELLED, LAST_LABELLED_VOLATILITY = "2010-08-13", "2010-08-10"
EXPLAINS_ITSELF = {"spline_ridge", "lightgbm", "xgboost", "catboost", "random_forest", "risk", "direction"}
LEAK = 0.1  # an absolute rank IC beyond that, on large caps, is a leak until shown otherwise
WRONG_INPUT = 2
# The sample tells of no splits, and unannounced ones are not made up; nobody belongs to a universe, and no source failed. By default
# models are trained with the parameters of the catalogue, without trials of others.
NOT_IN_THE_SAMPLE = (CORPORATE_ACTIONS, UNIVERSE_MEMBERS, FUNDAMENTALS, FUNDAMENTAL_RATIOS, INGESTION_FAILURES, TRIALS)
NOT_ON_THE_FIRST_NIGHT = (LIVE_RESULTS, MODEL_ENABLEMENT, PERFORMANCE_LOG)
NOTHING_TO_DO = {"features/fundamental_ratios", "maintenance/archive", "performance/performance_log"}


@dataclass(frozen=True)
class FullRun:
    """What one run left: what it printed, and the state of the stores right after it."""

    ended: subprocess.CompletedProcess[str]
    status: dict[str, Any]
    hashes: dict[str, str]
    writes: int


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("full_run") / "data"


@pytest.fixture(scope="module")
def stores(home: Path) -> Stores:
    return open_stores(home)


@pytest.fixture(scope="module")
def first(home: Path, stores: Stores) -> FullRun:
    return full_run(home, stores)


@pytest.fixture(scope="module")
def second(home: Path, stores: Stores, first: FullRun) -> FullRun:
    assert first.ended.returncode == 0
    return full_run(home, stores)


@pytest.fixture(scope="module")
def useful(stores: Stores, first: FullRun) -> frozenset[str]:
    """The models whose scores out of fold tell the stocks of nearly every session apart; of the others no version is active."""
    assert first.ended.returncode == 0
    said = stores.read(OUT_OF_FOLD_PREDICTIONS).group_by(MODEL, SESSION).agg((pl.col("score").max() > pl.col("score").min()).alias("apart"))
    shares = dict(said.group_by(MODEL).agg(pl.col("apart").mean()).iter_rows())
    assert set(shares) == set(MODELS) and set(MODELS) - {"direction"} <= {model for model, share in shares.items() if share == 1}
    return frozenset(model for model, share in shares.items() if share >= 0.95)


def full_run(home: Path, stores: Stores) -> FullRun:
    ended = command(home, "run")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return FullRun(ended, shown(command(home, "status", "--json")), hashes(stores), writes(stores))


def hashes(stores: Stores) -> dict[str, str]:
    return {table.qualified_name: stores.content_hash(table) for table in TABLES}


def writes(stores: Stores) -> int:
    """How many writes the audit trails tell of."""
    total = 0
    for database in (stores.market, stores.ml):
        with database.reader() as connection:
            total += connection.execute("SELECT count(*) FROM audit.writes").fetchall()[0][0]
    return total


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.qualified_name)
def test_every_table_has_rows(table: TableSchema, stores: Stores) -> None:
    count = stores.count(table)
    assert (count == 0) == (table in (*NOT_IN_THE_SAMPLE, *NOT_ON_THE_FIRST_NIGHT))
    assert table.validate(stores.read(table)).height == count


@pytest.mark.usefixtures("first")
def test_the_sample_s_known_defects_are_quarantined_and_nothing_else(stores: Stores) -> None:
    assert dict(stores.read(QUARANTINED_BARS).group_by("reason").len().iter_rows()) == REJECTION
    assert (stores.count(DAILY_BARS), stores.count(INSTRUMENTS)) == (BARS, SYMBOLS)
    report = stores.read(INGESTION_REPORTS).row(0, named=True)
    refused = sum(REJECTION.values())
    assert (report["bars_received"], report["bars_accepted"], report["bars_quarantined"]) == (BARS + refused, BARS, refused)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_serves_and_tells_what_it_learnt_from(model: str, first: FullRun, useful: frozenset[str]) -> None:
    told = model_told(first, model)
    assert (told["active_version"], told["problem"]) == (1 if model in useful else None, None)
    if model not in useful:
        return
    # Past volatility takes 20 returns; a stack learns from what its members said out of fold.
    train_from = {"risk": "2009-09-22", STACK: "2010-04-28"}.get(model, "2009-08-21")
    assert (told["trained_as_of"], told["train_from"]) == ("2010-08-20", train_from)
    assert told["train_to"] == (LAST_LABELLED_VOLATILITY if model == "risk" else LAST_LABELLED)
    assert told["last_trained"].endswith("Z")
    assert told["rows"] > 30_000
    assert told["features"] == len(CORE.names)
    assert told["size_bytes"] > 0


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.usefixtures("first")
def test_a_model_s_scores_can_be_believed(model: str, stores: Stores) -> None:
    training = stores.read(TRAININGS).filter(pl.col(MODEL) == model)["training_id"].item()
    scores: dict[str, Any] = overall_metrics(stores, [training])[training]
    if model == "risk":  # volatility persists, so that it can be predicted
        assert LEAK < scores["rank_ic"] < 0.6
    else:
        assert abs(scores["rank_ic"]) < LEAK
    # Ranks spread evenly over -0.5 to 0.5 lie 0.25 from their middle, and each direction is 0.5 away from it.
    low, high = {"risk": (0.3, 0.6), "direction": (0.499, 0.501)}.get(model, (0.24, 0.26))
    assert low < scores["baseline_mae"] < high
    assert 0.8 * scores["baseline_mae"] < scores["mae"] < 1.5 * scores["baseline_mae"]
    assert scores["positive_ic_share_low"] < scores["positive_ic_share"] <= scores["positive_ic_share_high"]


def test_the_stack_weighs_the_models_of_the_return(first: FullRun) -> None:
    weights = {model: model_told(first, model)["weight"] for model in MODELS}
    assert {model for model, weight in weights.items() if weight is not None} == set(stacked_models(None))
    assert sum(weight or 0 for weight in weights.values()) == pytest.approx(1)


def model_told(found: FullRun, model: str) -> dict[str, Any]:
    """What the status tells of a model."""
    return next(row for row in found.status["models"] if row["model"] == model)


@pytest.mark.usefixtures("first")
def test_every_training_has_an_artefact_that_is_the_one_recorded(home: Path, stores: Stores) -> None:
    trainings = stores.read(TRAININGS)
    assert sorted(trainings[MODEL]) == sorted(MODELS)
    for row in trainings.iter_rows(named=True):
        manifest = check_artefact(home / "models" / row["artefact"], row["sha256"])
        assert (manifest.training_id, manifest.as_of, manifest.rows) == (row["training_id"], LAST, row["rows"])


@pytest.mark.usefixtures("first")
def test_every_active_version_predicts_every_stock_of_the_last_session(stores: Stores) -> None:
    traded = stores.read(DAILY_BARS).filter(pl.col(SESSION) == LAST)[SYMBOL].sort()
    predictions = stores.read(DAILY_PREDICTIONS)
    assert predictions[SESSION].unique().to_list() == [LAST]
    assert set(predictions["training_id"]) == set(active_versions(stores)["training_id"])
    for rows in predictions.partition_by(MODEL):
        assert rows[SYMBOL].sort().equals(traded)
        assert rows.sort(RANK)["score"].is_sorted(descending=True)
    signals = stores.read(SIGNALS)
    assert set(signals[MODEL]) == {STACK}
    assert signals["next_session"].unique().to_list() == [date(2010, 8, 23)]
    assert set(signals["signal"]) == {"buy", "hold", "sell"}


@pytest.mark.usefixtures("first")
def test_risk_and_direction_are_told_in_their_own_units_and_scores_are_explained(stores: Stores, useful: frozenset[str]) -> None:
    predictions = stores.read(DAILY_PREDICTIONS)
    volatility = predictions.filter(pl.col(MODEL) == "risk")["predicted_volatility"]
    assert volatility.is_between(0.001, 0.2).all()
    assert volatility.null_count() < 0.05 * volatility.len()
    assert predictions.filter(pl.col(MODEL) == "direction")["probability_up"].is_between(0.2, 0.8).all()
    assert predictions.filter(pl.col(MODEL) == "direction").is_empty() == ("direction" not in useful)
    others = predictions.filter(~pl.col(MODEL).is_in(["risk", "direction"]))
    assert others["predicted_volatility"].null_count() == others["probability_up"].null_count() == others.height
    explained = stores.read(EXPLANATIONS)
    assert set(explained[MODEL]) == EXPLAINS_ITSELF & useful
    assert explained.group_by(MODEL, SYMBOL).agg(pl.col(RANK).sort())[RANK].unique().to_list() == [[1, 2, 3, 4, 5]]


@pytest.mark.usefixtures("first")
def test_what_is_expected_over_the_first_horizon_is_what_is_predicted_and_lies_within_its_interval(stores: Stores) -> None:
    expected = stores.read(EXPECTED_RETURNS)
    assert set(expected[MODEL]) == {*stacked_models(None), STACK} and set(expected["horizon"]) == {1, 5}
    first_horizon = expected.filter(pl.col("horizon") == 1).join(stores.read(DAILY_PREDICTIONS), on=["training_id", SESSION, SYMBOL])
    meant, said = (first_horizon[name] for name in ("predicted_excess_return", "predicted_excess_return_right"))
    assert_series_equal(meant, said, check_names=False, rel_tol=1e-9, abs_tol=1e-15)
    inside = pl.col("predicted_excess_return").fill_null(0.0).is_between(pl.col("excess_return_low"), pl.col("excess_return_high"))
    assert expected.drop_nulls("excess_return_low").select(inside.all()).item()
    assert expected["excess_return_low"].null_count() < 0.1 * expected.height


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_suggestions_are_ranked_and_weigh_one_together(profile: RiskProfile, home: Path, first: FullRun) -> None:
    assert first.ended.returncode == 0
    ended = invoke(home, "suggest", "--profile", profile.name, "--top", "100", "--json")
    assert ended.exit_code == 0, ended.stderr
    told = json.loads(ended.stdout)
    rows = told["suggestions"]
    assert told["profile"] == profile.name
    assert [row["rank"] for row in rows] == list(range(1, profile.size + 1))
    assert sum(row["weight"] for row in rows) == pytest.approx(1)
    assert [row["total_score"] for row in rows] == sorted((row["total_score"] for row in rows), reverse=True)
    assert all(row["close"] >= profile.minimum_price and row["dollar_volume"] >= profile.minimum_dollar_volume for row in rows)
    assert all(row["session"] == "2010-08-20" and row["reason"] for row in rows)
    assert len({row["sector"] for row in rows if row["name"]}) >= 3


@pytest.mark.usefixtures("first")
def test_suggestions_of_the_profiles_differ(stores: Stores) -> None:
    chosen = [frozenset(rows[SYMBOL]) for rows in stores.read(SUGGESTED_STOCKS).partition_by("profile")]
    assert len(set(chosen)) == len(PROFILES)


def test_the_drift_report_is_a_page_of_its_own(home: Path, first: FullRun) -> None:
    assert first.ended.returncode == 0
    page = (home / "reports" / "drift-2010-08-20.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "data:image/png;base64," in page
    assert "http://" not in page
    assert "https://" not in page


def test_backups_open_and_hold_what_the_stores_hold(home: Path, stores: Stores, first: FullRun) -> None:
    assert first.ended.returncode == 0
    rows = stores.read(BACKUPS)
    assert rows["path"].to_list() == ["backups/2010-08-20/market.duckdb", "backups/2010-08-20/ml.duckdb"]
    assert [(home / path).stat().st_size for path in rows["path"]] == rows["size_bytes"].to_list()
    copies = open_stores(home / "backups" / "2010-08-20")
    for table in (DAILY_BARS, TRAININGS, SIGNALS, SUGGESTED_STOCKS):
        assert copies.content_hash(table) == first.hashes[table.qualified_name]


def test_mlflow_mirrors_every_version(home: Path, first: FullRun) -> None:
    assert first.ended.returncode == 0
    assert (home / "mlflow" / "mlflow.db").stat().st_size > 0
    assert len(list((home / "mlflow" / "artifacts").glob("*/artifacts/model/manifest.json"))) == len(MODELS)


def test_the_status_lists_every_asset_and_every_model(home: Path, stores: Stores, first: FullRun) -> None:
    assert first.status["home"] == str(home)
    rows = first.status["assets"]
    tables = {f"{table.room}/{table.name}": table for table in TABLES}
    assert [row["asset"] for row in rows] == ["/".join(key) for key in KEYS]
    assert [row["model"] for row in first.status["models"]] == MODELS
    for row in rows:
        table = tables.get(row["asset"])
        assert row["table"] == (None if table is None else f"{table.store}.{table.qualified_name}")
        assert row["rows"] == (0 if table is None else stores.count(table))
        made = "up_to_date" if row["asset"] in NOTHING_TO_DO else "succeeded"
        assert (row["watermark"], row["last_result"], row["error"]) == ("2010-08-20", made, None)
        assert row["last_run"].endswith("Z")


def test_the_run_shows_what_it_made_and_how_to_go_on(first: FullRun) -> None:
    assert first.ended.returncode == 0
    for told in (*MODELS, "Suggested stocks, profile default after the close of 2010-08-20", "Sharpe", "CRITICAL", "make ui"):
        assert told in first.ended.stdout
    assert "Traceback" not in first.ended.stdout + first.ended.stderr


def test_a_second_run_changes_nothing(first: FullRun, second: FullRun) -> None:
    assert second.hashes == first.hashes
    assert second.writes == first.writes


def test_after_a_second_run_every_asset_says_that_it_is_up_to_date(first: FullRun, second: FullRun) -> None:
    assert {row["last_result"] for row in second.status["assets"]} == {"up_to_date"}
    assert all(row["last_run"] >= before["last_run"] for row, before in zip(second.status["assets"], first.status["assets"], strict=True))
    untimed = [{**row, "last_run": None, "last_result": None} for row in second.status["assets"]]
    assert untimed == [{**row, "last_run": None, "last_result": None} for row in first.status["assets"]]
    assert second.status["models"] == first.status["models"]


def test_an_earlier_session_than_the_one_reached_is_refused(home: Path, stores: Stores, second: FullRun) -> None:
    ended = invoke(home, "run", "--as-of", "2010-05-03")
    assert (ended.exit_code, ended.stdout) == (WRONG_INPUT, "")
    assert ended.stderr.startswith("Error: --as-of 2010-05-03 lies before 2010-08-20")
    assert hashes(stores) == second.hashes


def test_another_sample_in_the_same_place_is_refused(home: Path, stores: Stores, second: FullRun) -> None:
    ended = invoke(home, "run", "--source", "sample-long")
    assert (ended.exit_code, ended.stdout) == (WRONG_INPUT, "")
    assert "cannot be mixed" in ended.stderr
    assert hashes(stores) == second.hashes


def test_the_long_sample_brings_splits_and_dividends(tmp_path: Path) -> None:
    home, as_of = tmp_path / "long", date(2003, 6, 30)
    options = ("--source", "sample-long", "--models", "spline_ridge", "--as-of", str(as_of))
    few = invoke(home, "run", *options, STOCK_PIPELINE_REGISTRY__MIRROR_TO_MLFLOW="false")
    assert few.exit_code == FAILED
    told = " ".join(few.output.split())
    assert "check enough_stocks of universe/daily_universe failed" in told
    assert "3 of 3 stocks with a bar of 2003-06-30 pass, and universe.minimum_stocks asks for 5" in told
    variables = {"STOCK_PIPELINE_UNIVERSE__MINIMUM_STOCKS": "3", "STOCK_PIPELINE_REGISTRY__MIRROR_TO_MLFLOW": "false"}
    ended = invoke(home, "run", *options, **variables)
    assert ended.exit_code == 0, ended.output
    stores = open_stores(home)
    actions = stores.read(CORPORATE_ACTIONS)
    splits = actions.filter(pl.col("kind") == "split").select(SYMBOL, SESSION, "value").rows()
    assert splits == [("AAPL", date(2000, 6, 21), 2.0), ("MSFT", date(2003, 2, 18), 2.0)]
    assert actions.filter(pl.col("kind") == "dividend").height > 10
    assert actions[SESSION].max() <= as_of  # type: ignore[operator]
    assert stores.read(SIGNALS)[SYMBOL].to_list() == ["AAPL", "IBM", "MSFT"]
