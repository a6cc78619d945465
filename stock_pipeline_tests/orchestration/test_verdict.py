"""The verdict on a data directory: what is wrong, and what is not."""

from datetime import date
from typing import Any

import pytest

from stock_pipeline.orchestration.verdict import HomeVerdict, verdict_on

DAY, BEFORE = date(2024, 5, 3), date(2024, 5, 2)


def asset(name: str, watermark: date | None = DAY, **values: Any) -> dict[str, Any]:
    at = None if watermark is None else str(watermark)
    row = {"asset": name, "table": f"ml.{name}", "rows": 1, "watermark": at, "last_run": "2024-05-03T22:00:00Z"}
    return row | {"last_result": "succeeded", "error": None} | values


def job(number: int, failed: dict[str, str] | None = None, **values: Any) -> dict[str, Any]:
    row = {"job": number, "state": "COMPLETED", "dry_run": False, "models": [], "succeeded": [], "failed": failed or {}, "error": None}
    return row | values


def judged(
    *assets: dict[str, Any], reached: date | None = DAY, jobs: tuple[dict[str, Any], ...] = (), active: tuple[int | None, ...] = (1, None)
) -> HomeVerdict:
    return verdict_on("/data", assets, reached, jobs, [{"active_version": version} for version in active])


@pytest.mark.parametrize(
    "standing",
    [
        asset("labels/daily_labels"),
        asset("labels/daily_labels", failed_checks=[]),
        asset("labels/daily_labels", last_result="up_to_date"),
        asset("models/mlp", BEFORE, table=None),  # trained in its own cadence
        asset("models/mlp", None, table=None, last_run=None, last_result=None),  # never asked for
    ],
)
def test_all_is_well_where_every_table_has_reached_the_session(standing: dict[str, Any]) -> None:
    verdict = judged(asset("market_data/daily_bars"), standing)
    assert (verdict.state, verdict.problems) == ("well", ())
    assert str(DAY) in verdict.sentence


@pytest.mark.parametrize(
    ("standing", "told"),
    [
        (asset("labels/daily_labels", BEFORE), str(BEFORE)),
        (asset("labels/daily_labels", None, last_run=None, last_result=None), "never been made"),
        (asset("labels/daily_labels", last_result="failed", error="no disk"), "no disk"),
        (asset("models/mlp", table=None, last_result="failed", error="no memory"), "no memory"),
        (asset("backtest/daily_returns", failed_checks=["possible_benchmark", "possible_volatility"]), "possible_benchmark, possible_vol"),
        (asset("labels/daily_labels", BEFORE, failed_checks=["no_lookahead"]), "failed no_lookahead"),
        (asset("labels/daily_labels", BEFORE, last_result="failed", error="no disk"), "no disk"),
    ],
)
def test_what_failed_or_is_behind_is_named_once(standing: dict[str, Any], told: str) -> None:
    verdict = judged(asset("market_data/daily_bars"), standing)
    assert verdict.state == "wrong" and [problem.of for problem in verdict.problems] == [standing["asset"]]
    assert told in verdict.problems[0].what
    assert verdict.readable["problems"] == [{"of": standing["asset"], "what": verdict.problems[0].what}]


def test_what_waits_for_a_failed_check_is_counted_and_not_wrong_by_itself() -> None:
    stopped = asset("universe/daily_universe", failed_checks=["enough_stocks"])
    waiting = [asset(name, None, waits_for=["universe/daily_universe"]) for name in ("datasets/splits", "models/mlp")]
    reasons = {"enough_stocks": "4 of 4 stocks pass"}
    models = [{"active_version": None}]
    verdict = verdict_on("/data", [asset("market_data/daily_bars"), stopped, *waiting], DAY, (), models, reasons)
    assert [(problem.of, problem.what) for problem in verdict.problems] == [
        ("universe/daily_universe", "failed enough_stocks: 4 of 4 stocks pass; 2 assets wait for that")
    ]


@pytest.mark.parametrize(
    ("jobs", "wrong"),
    [
        ((job(1, {"mlp": "no memory"}),), ["models/mlp"]),
        ((job(2, succeeded=["mlp"]), job(1, {"mlp": "no memory"})), []),  # trained since
        ((job(2, succeeded=["lightgbm"]), job(1, {"mlp": "no memory"})), ["models/mlp"]),
        ((job(2, {"mlp": "it leaks"}), job(1, succeeded=["mlp"])), ["models/mlp"]),
        ((job(1, {"mlp": "no memory"}, dry_run=True),), []),
        ((job(1, {}, state="FAILED", error="no disk"),), ["training job 1"]),
        ((job(2, succeeded=["mlp"]), job(1, {}, state="FAILED", error="no disk")), []),
        ((job(2, state="RUNNING"), job(1, {"mlp": "no memory"})), ["models/mlp"]),  # what comes of it is not known yet
    ],
)
def test_a_model_that_its_last_training_job_did_not_train_is_wrong(jobs: tuple[dict[str, Any], ...], wrong: list[str]) -> None:
    assert [problem.of for problem in judged(asset("market_data/daily_bars"), jobs=jobs).problems] == wrong


def test_a_directory_in_which_nothing_was_made_is_empty_rather_than_wrong() -> None:
    never = asset("market_data/daily_bars", None, last_run=None, last_result=None)
    verdict = judged(never, reached=None)
    assert (verdict.state, verdict.problems) == ("empty", ()) and "/data" in verdict.sentence
    assert judged(asset("market_data/daily_bars", None, last_result="failed", error="no net"), reached=None).state == "wrong"


def test_a_home_without_any_active_version_is_wrong() -> None:
    verdict = judged(asset("market_data/daily_bars"), active=(None, None))
    assert [problem.of for problem in verdict.problems] == ["models"]
    assert "none has an active version" in verdict.problems[0].what
