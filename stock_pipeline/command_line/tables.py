"""The tables that the command line shows."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stock_pipeline.core.columns import METRIC, MODEL, VALUE
from stock_pipeline.drift.severity import SEVERITIES
from stock_pipeline.orchestration.progress import Ended, Stopped
from stock_pipeline.portfolio.profiles import RiskProfile

NONE = "-"
LONGEST_NAME = 18
MINUTES = len("2010-08-20T22:45")
WIDTH_WITHOUT_TERMINAL = 100
JOB_SHOWN = ("job", "reason", "state", "requested, UTC", "finished, UTC", "trained", "not trained", "error")
VERSION_SHOWN = {
    "status": "status",
    "trained as of": "as_of",
    "served from": "active_from",
    "to": "active_to",
    "rows": "rows",
    "rank IC": "rank_ic",
    "artefact": "artefact",
}
MODEL_FACTS = {
    "version": "active_version",
    "trained as of": "trained_as_of",
    "last trained, UTC": "last_trained",
    "samples": "samples",
    "features": "features",
    "bytes": "size_bytes",
}
SCORES_SHOWN = {
    "rank IC": "rank_ic",
    "ICIR": "icir",
    "hit rate": "hit_rate",
    "MAE": "mae",
    "of zero": "zero_mae",
    "R2": "r2",
}
BACKTEST_SHOWN = (
    "sessions",
    "total_return",
    "benchmark_total_return",
    "annual_volatility",
    "sharpe",
    "maximum_drawdown",
    "mean_turnover",
)
PERCENT = {"total_return", "benchmark_total_return", "annual_volatility", "maximum_drawdown", "hit_rate"}

console = Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)


def show_made(ended: Sequence[Ended], stopped: Sequence[Stopped], seconds: float) -> None:
    """What each asset of a run did, the errors in full, and the checks that stopped it."""
    table = _table(f"Made in {seconds:.0f} s", "asset", "rows written", "seconds", "result")
    for event in ended:
        table.add_row(event.asset, f"{event.rows:,}", f"{event.seconds:.1f}", outcome_of(event))
    console.print(table)
    for event in ended:
        if event.remade is not None:
            console.print(f"{event.asset} was made again: {event.remade}", highlight=False)
        if event.error is not None:
            console.print(f"[red]{event.asset} failed:[/red] {event.error}", highlight=False, markup=True)
    for check in stopped:
        told = f"[red]check {check.check} of {check.asset} failed,[/red] so nothing was made of it: {check.facts}"
        console.print(told, highlight=False, markup=True)


def show_dry_run(notes: Mapping[str, str]) -> None:
    """What each model scored in a training of which nothing was kept."""
    table = _table("Dry run, nothing was written", "model", "found")
    for asset, note in notes.items():
        table.add_row(asset.split("/")[1], note)
    console.print(table)


def show_assets(rows: Sequence[dict[str, Any]]) -> None:
    """The status of every asset."""
    table = _table("Assets", "asset", "rows", "watermark", "last run, UTC", "last result", "error")
    for row in rows:
        last_run = _to_the_minute(row["last_run"])
        rows_held = row["rows"] if row["table"] else None
        table.add_row(row["asset"], *map(_shown, (rows_held, row["watermark"], last_run, row["last_result"], row["error"])))
    console.print(table)


def show_models(rows: Sequence[dict[str, Any]]) -> None:
    """The version in service of every model, and how good it was out of fold."""
    facts = _table("Models", "model", *MODEL_FACTS)
    for row in rows:
        told = row | {"last_trained": _to_the_minute(row.get("last_trained"))}
        facts.add_row(row["model"], *(_shown(told.get(name)) for name in MODEL_FACTS.values()))
    console.print(facts)
    for row in rows:
        if row.get("problem") is not None:
            console.print(f"[red]{row['model']} failed last time:[/red] {row['problem']}", highlight=False, markup=True)
    scores = _table("Scores out of fold", "model", *SCORES_SHOWN, "weight in stack")
    for row in rows:
        figures = (_figure(name, row.get("scores", {}).get(name)) for name in SCORES_SHOWN.values())
        scores.add_row(row["model"], *figures, _figure("weight", row.get("weight")))
    console.print(scores)


def show_registry(rows: Sequence[dict[str, Any]]) -> None:
    """Every model: what serves, what is in shadow, and what was decided last."""
    table = _table("Registry", "model", "on", "in service", "since", "versions", "in shadow", "last decision")
    for row in rows:
        shadows = ", ".join(map(str, row["shadow_versions"])) or NONE
        on = "yes" if row["enabled"] else "no"
        shown = map(_shown, (row["active_version"], row["active_since"], row["versions"], shadows, row["last_decision"]))
        table.add_row(row["model"], on, *shown)
    console.print(table)


def show_model(found: dict[str, Any]) -> None:
    """One model's versions and decisions, newest first."""
    versions = _table(f"Versions of {found['model']}", "version", *VERSION_SHOWN)
    for row in found["all_versions"]:
        told = row | {"rank_ic": _figure("rank_ic", row["rank_ic"])}
        versions.add_row(str(row["version"]), *(_shown(told[name]) for name in VERSION_SHOWN.values()))
    console.print(versions)
    decisions = Table(title="Decisions, newest first", title_justify="left", box=SIMPLE_HEAD)
    for name in ("session", "version", "decision", "by", "reason"):
        decisions.add_column(name, overflow="fold")
    for row in found["decisions"]:
        decisions.add_row(row["as_of"], str(row["version"]), row["decision"], row["by"], row["reason"])
    console.print(decisions)


def show_jobs(rows: Sequence[dict[str, Any]], page: int, pages: int, count: int) -> None:
    """A page of the training jobs."""
    title = f"Training jobs, {count} in all" + (f", page {page} of {pages}" if pages > 1 else "")
    table = Table(*JOB_SHOWN, title=title, title_justify="left", box=SIMPLE_HEAD)
    for row in rows:
        times = (_shown(_to_the_minute(row[name])) for name in ("requested_at", "finished_at"))
        models = (", ".join(row[name]) or NONE for name in ("succeeded", "failed"))
        table.add_row(str(row["job"]), row["reason"], row["state"], *times, *models, _shown(row["error"]))
    console.print(table)


def show_suggestions(rows: pl.DataFrame, profile: RiskProfile) -> None:
    """Suggested stocks, best first."""
    when = f" after the close of {rows['session'][0]}" if rows.height else ""
    table = Table(title=f"Suggested stocks, profile {profile.name}{when}", title_justify="left", box=SIMPLE_HEAD)
    for name in ("", "symbol", "name", "sector"):
        table.add_column(name, no_wrap=True, max_width=LONGEST_NAME)
    for name in ("close", "vol.", "predicted", "score", "weight"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows.iter_rows(named=True):
        predicted = NONE if row["predicted_return"] is None else f"{row['predicted_return']:+.3%}"
        figures = [
            f"{row['close']:.2f}",
            f"{row['volatility']:.0%}",
            predicted,
            f"{row['total_score']:.3f}",
            f"{row['weight']:.1%}",
        ]
        table.add_row(str(row["rank"]), row["symbol"], row["name"] or NONE, row["sector"] or NONE, *figures)
    console.print(table)
    if rows.is_empty():
        console.print(f"No stock passes the filters of profile {profile.name}: {profile.description}", highlight=False)


def show_backtest(summary: pl.DataFrame) -> None:
    """The figures of every model's record."""
    table = _table("Backtest: fills at the next open, after costs", "model", *(name.replace("_", " ") for name in BACKTEST_SHOWN))
    for (model,), rows in summary.sort(MODEL).group_by(MODEL, maintain_order=True):
        values = dict(rows.select(METRIC, VALUE).iter_rows())
        table.add_row(str(model), *(_figure(name, values.get(name)) for name in BACKTEST_SHOWN))
    console.print(table)


def show_drift(drift: pl.DataFrame) -> None:
    """How many features have drifted how far."""
    statistics = drift["statistic"].unique().sort().to_list()
    table = _table("Features by severity of their drift", "", *statistics)
    for severity in SEVERITIES:
        graded = drift.filter(pl.col("severity") == severity)
        table.add_row(severity, *(str(graded.filter(pl.col("statistic") == name).height) for name in statistics))
    console.print(table)


def show_web_ui() -> None:
    """How to go on."""
    console.print("Every table, with its picture, in the web UI: [bold]make ui[/bold], then open http://127.0.0.1:3000", highlight=False)


def _table(title: str, first: str, *figures: str) -> Table:
    """A table whose first column names the row and whose others are figures."""
    table = Table(first, title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in figures:
        table.add_column(name, justify="right")
    return table


def _shown(value: object) -> str:
    return NONE if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _to_the_minute(moment: str | None) -> str | None:
    return None if moment is None else moment[:MINUTES].replace("T", " ")


def outcome_of(event: Ended) -> str:
    """How a stage ended, in a word or two."""
    return "failed" if event.error is not None else "up to date" if event.up_to_date else "made"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return NONE
    if name == "sessions":
        return f"{value:.0f}"
    return f"{value:.1%}" if name in PERCENT else f"{value:.4f}"
