"""The tables that the command line shows."""

import sys
from collections.abc import Iterable, Mapping, Sequence
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
REGISTRY_FACTS = {
    "model": "model",
    "on": "enabled",
    "in service": "active_version",
    "since": "active_since",
    "versions": "versions",
    "in shadow": "shadow_versions",
    "last decision": "last_decision",
}
VERSION_FACTS = {
    "version": "version",
    "status": "status",
    "trained as of": "as_of",
    "served from": "active_from",
    "to": "active_to",
    "rows": "rows",
    "rank IC": "rank_ic",
    "artefact": "artefact",
}
MODEL_FACTS = {
    "model": "model",
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
    "positive IC share": "positive_ic_share",
    "MAE": "mae",
    "of zero": "zero_mae",
    "R2": "r2",
    "weight in stack": "weight",
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
PERCENT = {"total_return", "benchmark_total_return", "annual_volatility", "maximum_drawdown", "positive_ic_share"}

console = Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)


def show_made(ended: Sequence[Ended], stopped: Sequence[Stopped], seconds: float) -> None:
    """What each asset of a run did, the errors in full, and the checks that stopped it."""
    rows = ((event.asset, f"{event.rows:,}", f"{event.seconds:.1f}", outcome_of(event)) for event in ended)
    _print_table(f"Made in {seconds:.0f} s", ("asset", "rows written", "seconds", "result"), rows)
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
    _print_table("Dry run, nothing was written", ("model", "found"), ((asset.split("/")[1], note) for asset, note in notes.items()))


def show_assets(rows: Sequence[dict[str, Any]]) -> None:
    """The status of every asset."""
    told = [row | {"rows": row["rows"] if row["table"] else None, "last_run": _to_the_minute(row["last_run"])} for row in rows]
    columns = {"asset": "asset", "rows": "rows", "watermark": "watermark", "last run, UTC": "last_run", "last result": "last_result"}
    _print_facts("Assets", columns | {"error": "error"}, told)


def show_models(rows: Sequence[dict[str, Any]]) -> None:
    """The version in service of every model, and how good it was out of fold."""
    told = [row | {"last_trained": _to_the_minute(row.get("last_trained"))} for row in rows]
    _print_facts("Models", MODEL_FACTS, told)
    for row in rows:
        if row.get("problem") is not None:
            console.print(f"[red]{row['model']} failed last time:[/red] {row['problem']}", highlight=False, markup=True)
    measured = [row.get("scores", {}) | {"model": row["model"], "weight": row.get("weight")} for row in rows]
    scores = ((row["model"], *(_figure(name, row.get(name)) for name in SCORES_SHOWN.values())) for row in measured)
    _print_table("Scores out of fold", ("model", *SCORES_SHOWN), scores)


def show_registry(rows: Sequence[dict[str, Any]]) -> None:
    """Every model: what serves, what is in shadow, and what was decided last."""
    told = [
        row | {"enabled": "yes" if row["enabled"] else "no", "shadow_versions": ", ".join(map(str, row["shadow_versions"])) or NONE}
        for row in rows
    ]
    _print_facts("Registry", REGISTRY_FACTS, told)


def show_model(found: dict[str, Any]) -> None:
    """One model's versions and decisions, newest first."""
    told = [row | {"version": str(row["version"]), "rank_ic": _figure("rank_ic", row["rank_ic"])} for row in found["all_versions"]]
    _print_facts(f"Versions of {found['model']}", VERSION_FACTS, told)
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
        known = (str(row["rank"]), row["symbol"], row["name"] or NONE, row["sector"] or NONE)
        figures = (f"{row['close']:.2f}", f"{row['volatility']:.0%}", predicted, f"{row['total_score']:.3f}", f"{row['weight']:.1%}")
        table.add_row(*known, *figures)
    console.print(table)
    if rows.is_empty():
        console.print(f"No stock passes the filters of profile {profile.name}: {profile.description}", highlight=False)


def show_backtest(summary: pl.DataFrame) -> None:
    """The figures of every model's record."""
    shown = []
    for (model,), rows in summary.sort(MODEL).group_by(MODEL, maintain_order=True):
        values = dict(rows.select(METRIC, VALUE).iter_rows())
        shown.append((str(model), *(_figure(name, values.get(name)) for name in BACKTEST_SHOWN)))
    _print_table("Backtest: fills at the next open, after costs", ("model", *(name.replace("_", " ") for name in BACKTEST_SHOWN)), shown)


def show_drift(drift: pl.DataFrame) -> None:
    """How many features have drifted how far."""
    statistics = drift["statistic"].unique().sort().to_list()
    graded = ((severity, drift.filter(pl.col("severity") == severity)["statistic"]) for severity in SEVERITIES)
    rows = ((severity, *(str((found == name).sum()) for name in statistics)) for severity, found in graded)
    _print_table("Features by severity of their drift", ("", *statistics), rows)


def show_web_ui() -> None:
    """How to go on."""
    console.print("Every table, with its picture, in the web UI: [bold]make ui[/bold], then open http://127.0.0.1:3000", highlight=False)


def _print_table(title: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table whose first column names the row and whose others are figures."""
    table = Table(names[0], title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in names[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_facts(title: str, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A table of what each row has under the keys that stand beside the names of the columns."""
    _print_table(title, tuple(columns), (tuple(_shown(row.get(key)) for key in columns.values()) for row in rows))


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
