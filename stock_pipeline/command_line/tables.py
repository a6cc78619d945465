"""The tables that the command line shows. Figures are never cut; long text stands below its table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from stock_pipeline.command_line.layout import Column, day, figure, identifier, words
from stock_pipeline.command_line.terminal import BAD, GOOD, NONE, heading, say, show_table
from stock_pipeline.core.columns import METRIC, MODEL, VALUE
from stock_pipeline.drift.severity import SEVERITIES
from stock_pipeline.orchestration.progress import Blocked, Finished
from stock_pipeline.orchestration.verdict import HomeVerdict, nothing_in
from stock_pipeline.portfolio.profiles import RiskProfile

MINUTES: Final = len("2010-08-20T22:45")
ASSET, RESULT = identifier("asset"), identifier("result")
ASSET_COLUMNS: Final = {
    "asset": ASSET,
    "rows": figure("rows"),
    "watermark": day("watermark"),
    "last_run": day("last run, UTC"),
    "last_result": identifier("last result"),
}
JOB_COLUMNS: Final = {
    "job": figure("job"),
    "reason": identifier("reason"),
    "state": identifier("state"),
    "requested_at": day("requested, UTC"),
    "finished_at": day("finished, UTC"),
    "trained": figure("succeeded"),
    "not_trained": figure("failed"),
}
REGISTRY_COLUMNS: Final = {
    "model": identifier("model"),
    "on": identifier("enabled"),
    "active_version": figure("active version"),
    "active_since": day("active from"),
    "versions": figure("versions"),
    "in_shadow": figure("in shadow"),
    "last_decision": day("last decision"),
}
VERSION_COLUMNS: Final = {
    "version": figure("version"),
    "status": identifier("status"),
    "as_of": day("trained as of"),
    "active_from": day("active from"),
    "active_to": day("active to"),
    "rows": figure("rows"),
    "rank_ic": figure("rank IC"),
}
DECISION_COLUMNS: Final = {
    "as_of": day("as of"),
    "version": figure("version"),
    "decision": identifier("decision"),
    "by": identifier("by"),
}
MODEL_COLUMNS: Final = {
    "model": identifier("model"),
    "active_version": figure("version"),
    "trained_as_of": day("trained as of"),
    "last_trained": day("last trained, UTC"),
    "rows": figure("training rows"),
    "features": figure("features"),
    "size_bytes": figure("bytes"),
}
METRIC_COLUMNS: Final = {
    "model": identifier("model"),
    "rank_ic": figure("rank IC"),
    "icir": figure("ICIR"),
    "positive_ic_share": figure("positive IC share"),
    "mae": figure("MAE"),
    "baseline_mae": figure("baseline MAE"),
    "r2": figure("R2"),
    "weight": figure("weight in stack"),
}
SUGGESTION_COLUMNS: Final = {
    "rank": figure("rank"),
    "symbol": identifier("symbol"),
    "name": words("name"),
    "sector": words("sector"),
    "close": figure("close"),
    "volatility": figure("annual vol."),
    "predicted_excess_return": figure("predicted excess"),
    "interval": figure("80 % interval"),
    "probability_positive": figure("odds"),
    "round_trip_cost": figure("cost"),
    "total_score": figure("total score"),
    "weight": figure("weight"),
}
EXPLAINED: Final = (
    "Predicted excess: expected return over the mean of all stocks, before costs, from the next open over {}; "
    "the interval holds four of five outcomes; odds: of beating that mean; cost: of a round trip."
)
BACKTEST_COLUMNS: Final = {
    "model": identifier("model"),
    "sessions": figure("sessions"),
    "total_return": figure("total return"),
    "benchmark_total_return": figure("benchmark return"),
    "annual_volatility": figure("annual vol."),
    "sharpe": figure("Sharpe"),
    "maximum_drawdown": figure("maximum drawdown"),
    "mean_turnover": figure("mean turnover"),
}
PERCENT: Final = frozenset({"total_return", "benchmark_total_return", "annual_volatility", "maximum_drawdown", "positive_ic_share"})


def show_made(ended: Sequence[Finished], stopped: Sequence[Blocked], seconds: float) -> None:
    """Show the outcome of each asset of a run, its errors in full, and the blocking checks that failed."""
    rows = ((event.asset, f"{event.rows:,}", f"{event.seconds:.1f}", outcome_of(event)) for event in ended)
    show_table(f"Finished in {seconds:.0f} s", (ASSET, figure("rows written"), figure("seconds"), RESULT), rows)
    for event in ended:
        if event.remade is not None:
            say(f"{event.asset} was rebuilt: {event.remade}")
        if event.error is not None:
            say(event.error, lead=f"{event.asset} failed:")
    for check in stopped:
        say(f"so its downstream assets were skipped: {check.facts}", lead=f"check {check.check} of {check.asset} failed,")


def show_dry_run(notes: Mapping[str, str]) -> None:
    """Show the scores of each model in a dry run, which keeps nothing."""
    heading("Dry run, nothing was written")
    for asset, note in notes.items():
        say(note, lead=f"{asset.partition('/')[2]}:", lead_style="bold")


def show_verdict(verdict: HomeVerdict, home: object) -> None:
    """Show whether all is well, every problem, and the data directory."""
    say(verdict.sentence, BAD if verdict.problems else GOOD)
    for problem in verdict.problems:
        say(problem.what, lead=f"{problem.of}:")
    if verdict.state != "empty":
        say(f"Data directory: {home}")


def show_note(note: str | None) -> None:
    """Say what a reader of the results should know; nothing where there is nothing."""
    if note is not None:
        say(note, lead="Note:")


def show_universe(told: str | None) -> None:
    """Say who is in the universe and who is not, where a run has made it anew."""
    if told is not None:
        say(told, lead="Universe:")


def show_nothing_yet(home: object) -> None:
    """Say that nothing has been made in the data directory yet."""
    say(nothing_in(home))


def show_assets(rows: Sequence[Mapping[str, Any]]) -> None:
    """Show the status of every asset."""
    _show_rows("Assets", ASSET_COLUMNS, ({**row, "rows": row["rows"] if row["table"] else None} for row in rows))


def show_models(rows: Sequence[Mapping[str, Any]]) -> None:
    """Show the active version of every model, its out-of-fold metrics, and why its last training failed, if it did."""
    active = [row for row in rows if row["active_version"] is not None]
    _show_rows("Models", MODEL_COLUMNS, active)
    without = [row for row in rows if row["active_version"] is None]
    for told, found in (("Never trained", 0), ("Trained, but without an active version", 1)):
        names = [row["model"] for row in without if min(row["versions"], 1) == found]
        if names:
            say(f"{told}: {', '.join(names)}.")
    for row in rows:
        if row.get("problem") is not None:
            say(row["problem"], lead=f"{row['model']} failed last time:")
    metrics = ({**row["metrics"], "weight": row["weight"]} for row in active)
    figures = (
        {"model": row["model"], **{key: _metric(key, own.get(key)) for key in METRIC_COLUMNS if key != "model"}}
        for row, own in zip(active, metrics, strict=True)
    )
    _show_rows("Out-of-fold metrics", METRIC_COLUMNS, figures)


def show_registry(rows: Sequence[Mapping[str, Any]]) -> None:
    """Show every model: its active version, its shadow versions, and the last decision."""
    shown = ({**row, "on": row["enabled"], "in_shadow": ", ".join(map(str, row["shadow_versions"])) or None} for row in rows)
    _show_rows("Registry", REGISTRY_COLUMNS, shown)


def show_model(found: Mapping[str, Any]) -> None:
    """Show one model's versions and decisions, newest first; long texts stand below their table."""
    versions = found["all_versions"]
    _show_rows(
        f"Versions of {found['model']}", VERSION_COLUMNS, ({**row, "rank_ic": _metric("rank_ic", row["rank_ic"])} for row in versions)
    )
    for row in versions:
        if row["artefact"] is not None:
            say(row["artefact"], lead=f"artefact of version {row['version']}:", lead_style="")
    _show_rows("Decisions, newest first", DECISION_COLUMNS, found["decisions"])
    for row in found["decisions"]:
        say(row["reason"], lead=f"version {row['version']} was {row['decision']} on {row['as_of']}:", lead_style="")


def show_jobs(rows: Sequence[Mapping[str, Any]], page: int, pages: int, count: int) -> None:
    """Show a page of the training jobs, and below it their errors.

    Args:
        rows: the jobs of the page, as ``training_jobs.as_json_row`` gives them.
        page: its number, from 1.
        pages: how many there are.
        count: how many jobs there are on all of them.
    """
    title = f"Training jobs, {count} in all" + (f", page {page} of {pages}" if pages > 1 else "")
    shown = ({**row, "trained": len(row["succeeded"]), "not_trained": len(row["failed"])} for row in rows)
    _show_rows(title, JOB_COLUMNS, shown)
    for row in rows:
        for why, models in _by_reason(row["failed"]).items():
            say(f"not trained: {', '.join(models)}: {why}", lead=f"job {row['job']}:")
        if row["error"] is not None:
            say(row["error"], lead=f"job {row['job']}:")
    if rows:
        say("The models of a job: `stock-pipeline training-jobs show` and its number.")


def show_job(row: Mapping[str, Any]) -> None:
    """Show one training job, a line for each field."""
    for name, value in row.items():
        shown = f"{_minute(value)} UTC" if name.endswith("_at") and value is not None else _in_full(value)
        say(shown, lead=f"{name.replace('_', ' ')}:", lead_style="bold")


def show_suggestions(rows: pl.DataFrame, profile: RiskProfile, horizon: int, held: int | None = None, asked: int | None = None) -> None:
    """Show suggested stocks, best first.

    Args:
        rows: rows of SUGGESTED_STOCKS, those to show.
        profile: the risk profile that they are suggested for.
        horizon: sessions of the return that is predicted.
        held: how many stocks the profile holds; None: as many as are shown.
        asked: how many were asked for; a note says where there are fewer. None: no limit, and no note.
    """
    when = f" after the close of {rows['session'][0]}" if rows.height else ""
    _show_rows(f"Suggested stocks, profile {profile.name}{when}", SUGGESTION_COLUMNS, map(_suggestion, rows.iter_rows(named=True)), 2)
    held = rows.height if held is None else held
    if not held:
        say(f"No stock passes the filters of profile {profile.name}: {profile.description}")
    elif asked is not None and held < asked:
        many = "1 stock" if held == 1 else f"{held} stocks"
        say(f"Profile {profile.name} has {many}, fewer than the {asked:,} asked for; no other passes its filters.")
    if rows["predicted_excess_return"].count() + rows["excess_return_low"].count():
        say(EXPLAINED.format("the next session" if horizon == 1 else f"{horizon} sessions"))
    if rows["predicted_excess_return"].count() and not (rows["predicted_excess_return"] >= rows["round_trip_cost"]).any():
        say("No predicted excess shown here reaches the cost of its round trip: a trade for it alone would not pay.")


def _suggestion(row: Mapping[str, Any]) -> dict[str, Any]:
    predicted = row["predicted_excess_return"]
    return {
        **row,
        "close": f"{row['close']:,.2f}",
        "volatility": f"{row['volatility']:.0%}",
        "predicted_excess_return": None if predicted is None else _signed(predicted, 4),
        "interval": _interval(row["excess_return_low"], row["excess_return_high"]),
        "probability_positive": None if row["probability_positive"] is None else f"{row['probability_positive']:.1%}",
        "round_trip_cost": None if row["round_trip_cost"] is None else f"{row['round_trip_cost']:.2%}",
        "total_score": f"{row['total_score']:.3f}",
        "weight": f"{row['weight']:.1%}",
    }


def _interval(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{_signed(low, 1)}..{_signed(high, 1)}"


def _signed(share: float, decimals: int) -> str:
    """A share in percent with its sign, without one where it rounds to nothing."""
    told = f"{share:+z.{decimals}%}"
    return told if float(told[:-1]) else told[1:]


def show_backtest(summary: pl.DataFrame) -> None:
    """Show the backtest metrics of every model."""
    shown = []
    for (model,), rows in summary.sort(MODEL).group_by(MODEL, maintain_order=True):
        values = dict(rows.select(METRIC, VALUE).iter_rows())
        shown.append({"model": model, **{name: _metric(name, values.get(name)) for name in BACKTEST_COLUMNS if name != "model"}})
    _show_rows("Backtest: fills at the next open, after costs", BACKTEST_COLUMNS, shown)


def show_drift(drift: pl.DataFrame) -> None:
    """Show how many features have each severity of drift, by statistic."""
    statistics = drift["statistic"].unique().sort().to_list()
    graded = ((severity, drift.filter(pl.col("severity") == severity)["statistic"]) for severity in SEVERITIES)
    rows = ((severity, *((found == name).sum() for name in statistics)) for severity, found in graded)
    show_table("Features by drift severity", (identifier("severity"), *map(figure, statistics)), rows)


def show_web_ui() -> None:
    """Show where to look next: the web UI."""
    heading()
    say("Every table, with its chart, in the web UI: make ui, then open http://127.0.0.1:3000")


def _show_rows(title: str, columns: Mapping[str, Column], rows: Iterable[Mapping[str, Any]], keys: int = 1) -> None:
    """Show the values of each row under the titles of the columns."""
    show_table(title, tuple(columns.values()), ([_shown(row.get(key), column) for key, column in columns.items()] for row in rows), keys)


def _shown(value: object, column: Column) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return _minute(value) if column.dated and isinstance(value, str) and value.endswith("Z") else value


def _minute(moment: str) -> str:
    """A moment in ISO 8601, such as 2010-08-20T22:45:01Z, as people read it."""
    return moment[:MINUTES].replace("T", " ")


def _in_full(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{', '.join(names)}: {why}" for why, names in _by_reason(value).items()) or NONE
    if isinstance(value, list):
        return ", ".join(map(str, value)) or NONE
    return NONE if value is None else "yes" if value is True else "no" if value is False else str(value)


def _by_reason(failed: Mapping[str, str]) -> dict[str, list[str]]:
    """The models that failed for each reason, so that none is shown twice."""
    found: dict[str, list[str]] = {}
    for model, why in failed.items():
        found.setdefault(why, []).append(model)
    return found


def outcome_of(event: Finished) -> str:
    """The outcome of a stage: failed, up to date or succeeded."""
    return "failed" if event.error is not None else "up to date" if event.up_to_date else "succeeded"


def _metric(name: str, value: float | None) -> str | None:
    if value is None:
        return None
    if name == "sessions":
        return f"{value:,.0f}"
    return f"{value:z.1%}" if name in PERCENT else f"{value:z.4f}"
