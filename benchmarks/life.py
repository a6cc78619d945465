"""``life``: a month of nights on a panel, as a user would live them with the command line, and what the registry's tables tell of it.

Every session is one night of ``stock-pipeline run --no-train``; every fifth one is followed by a retraining. New versions predict in
shadow for eight sessions. A hand goes back one step in the third week, and switches a model off and on in the fourth.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.cold_process import BenchmarkError, environment, fresh_folder, run_cold
from benchmarks.figure import Figure

NIGHTS, WEEK, IN_SHADOW, STOCKS = 23, 5, 8, 80
MODELS: Final = ("spline_ridge", "lightgbm", "random_forest")
COUNTED: Final = ("promoted", "refused", "put into shadow", "rolled back to")


def measure(data: str | None) -> Iterator[Figure]:
    """Nights, seconds a night, and how many decisions of each kind the tables hold."""
    if data is None:
        raise BenchmarkError("a month of nights is lived on a panel of real bars; give one with --data")
    with fresh_folder() as folder:
        sessions, symbols = _panel(data)
        (folder / "stock_pipeline.yaml").write_text(json.dumps(_settings(data, symbols)))  # JSON is YAML
        _do(folder, "run", "--as-of", str(sessions[0]))
        seconds = [_night(folder, number, session) for number, session in enumerate(sessions[1:], 1)]
        yield Figure("nights", float(len(seconds)), "count")
        yield Figure("seconds a night", round(sum(seconds) / len(seconds), 1), "s")
        yield from _story(folder)


def _night(folder: Path, number: int, session: date) -> float:
    seconds = _do(folder, "run", "--no-train", "--as-of", str(session))
    if number % WEEK == 0:
        _do(folder, "train", "--reason", "schedule")
    if number == 3 * WEEK + 1:
        listed = _told(folder, "models", "list")["models"]
        served = [row["model"] for row in listed if row["model"] in MODELS and (row["active_version"] or 0) > 1]
        if served:
            _do(folder, "models", "rollback", served[0], "--reason", "a try of going back")
    if number in (4 * WEEK, 4 * WEEK + 1):
        _do(folder, "models", "disable" if number == 4 * WEEK else "enable", MODELS[0])
    return seconds


def _story(folder: Path) -> Iterator[Figure]:
    decisions = list[dict[str, Any]]()
    for model in (*MODELS, "stack"):
        decisions += [row | {"model": model} for row in _told(folder, "models", "show", model)["decisions"]]
    for row in sorted(decisions, key=lambda row: (row["as_of"], row["model"], row["number"])):
        print(f"{row['as_of']} {row['model']} {row['version']} {row['decision']}: {row['reason']}", file=sys.stderr)
    for decision in COUNTED:
        yield Figure(f"versions {decision}", float(sum(row["decision"] == decision for row in decisions)), "count")


def _panel(data: str) -> tuple[list[date], list[str]]:
    """The sessions that are lived, the first of them the night of the first training, and the stocks."""
    from stock_pipeline.core.columns import SESSION, SYMBOL
    from stock_pipeline.market_data.acquisition import NOTHING_HELD, chosen_sources, gather
    from stock_pipeline.settings import load_settings

    settings = load_settings()
    gathered = gather(chosen_sources(settings, "files", data), settings, NOTHING_HELD, None, datetime.now(UTC))
    if gathered is None:
        raise BenchmarkError(f"{data} holds no bars")
    sessions = gathered.bars[SESSION].unique().sort().to_list()
    return sessions[-NIGHTS - 1 :], gathered.bars[SYMBOL].unique().sort().to_list()[:STOCKS]


def _settings(data: str, symbols: list[str]) -> dict[str, Any]:
    return {
        "source": {"name": "files", "path": data, "symbols": symbols},
        "models": {"names": list(MODELS)},
        "datasets": {"sessions": 1000},
        "registry": {"promotion": {"mode": "shadow", "shadow_sessions": IN_SHADOW}, "mirror_to_mlflow": False},
    }


def _do(folder: Path, *arguments: str) -> float:
    finished = run_cold(["-m", "stock_pipeline.command_line.main", *arguments], folder)
    finished.require_success(f"stock-pipeline {' '.join(arguments)}")
    return finished.seconds


def _told(folder: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "stock_pipeline.command_line.main", *arguments, "--json"]
    return json.loads(subprocess.check_output(command, cwd=folder, env=environment(os.environ, folder)))
