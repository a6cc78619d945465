"""The verdict on a data directory, from the status of its assets and its training jobs: well, or wrong with its problems. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Final, Literal

ENDED: Final = frozenset({"COMPLETED", "FAILED"})


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    of: str  # an asset, such as models/lightgbm, or a training job
    what: str  # what is wrong with it, in a clause


@dataclass(frozen=True)
class HomeVerdict:
    """The verdict on a data directory as a whole."""

    state: Literal["well", "wrong", "empty"]  # "empty": nothing was ever made in it, which is no error
    sentence: str
    problems: tuple[Problem, ...] = ()

    @property
    def readable(self) -> dict[str, Any]:
        """The verdict ready for JSON."""
        problems = [{"of": problem.of, "what": problem.what} for problem in self.problems]
        return {"state": self.state, "sentence": self.sentence, "problems": problems}


def nothing_in(home: object) -> str:
    """The sentence on a data directory in which nothing has been made yet."""
    return f"Nothing is in {home} yet; run `stock-pipeline run` first."


def verdict_on(
    home: object,
    assets: Sequence[Mapping[str, Any]],
    reached: date | None,
    jobs: Iterable[Mapping[str, Any]],
    models: Sequence[Mapping[str, Any]],
    reasons: Mapping[str, str] = MappingProxyType({}),
) -> HomeVerdict:
    """The verdict on a data directory: wrong where something failed (an asset, a check, a training) or rows end too early.

    Assets without a table, such as the models, which are trained at their own times, may end before it.

    Args:
        home: the data directory, for the sentence.
        assets: rows of ``asset_status``.
        reached: the last session ingested; None where there is none yet.
        jobs: training jobs, the latest first, with ``models``, ``succeeded`` and ``failed`` decoded.
        models: rows of ``model_status``.
        reasons: why a check failed, by its name, where that is known.
    """
    if reached is None and all(row["last_run"] is None for row in assets):
        return HomeVerdict("empty", nothing_in(home))
    made = (*_failed(assets), *_failed_checks(assets, reasons), *_behind(assets, reached), *_failed_jobs(jobs, assets))
    found = tuple(_unique((*made, *_untrained(models, assets))))
    if not found:
        return HomeVerdict("well", f"All is well: every table has reached {reached}, and nothing failed.")
    many = f"{len(found)} things are" if len(found) > 1 else "1 thing is"
    return HomeVerdict("wrong", f"Not all is well: {many} wrong.", found)


def _unique(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The first problem of each asset or job: a failed one is also behind for that reason."""
    seen: set[str] = set()
    for problem in problems:
        if problem.of not in seen:
            seen.add(problem.of)
            yield problem


def _failed(assets: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    for row in assets:
        if row["last_result"] == "failed" or row["error"] is not None:
            yield Problem(row["asset"], f"failed last time: {row['error'] or 'without a reason'}{_waiting_for(row, assets)}")


def _failed_checks(assets: Sequence[Mapping[str, Any]], reasons: Mapping[str, str]) -> Iterator[Problem]:
    for row in assets:
        if failed := row.get("failed_checks"):
            why = "; ".join(reasons[name] for name in failed if name in reasons) or "the web UI shows the reason under its checks"
            yield Problem(row["asset"], f"failed {', '.join(failed)}: {why}{_waiting_for(row, assets)}")


def _waiting_for(row: Mapping[str, Any], assets: Iterable[Mapping[str, Any]]) -> str:
    waiting = sum(row["asset"] in other.get("waits_for", ()) for other in assets)
    return f"; {waiting} assets wait for that" if waiting > 1 else "; 1 asset waits for that" if waiting else ""


def _behind(assets: Iterable[Mapping[str, Any]], reached: date | None) -> Iterator[Problem]:
    if reached is None:
        yield Problem("market_data", "no session has been ingested yet")
        return
    for row in assets:
        if (
            row["table"] is None
            or row.get("waits_for")
            or (row["watermark"] is not None and date.fromisoformat(row["watermark"]) >= reached)
        ):
            continue
        at = "has never been made" if row["watermark"] is None else f"has reached {row['watermark']} only"
        yield Problem(row["asset"], f"{at}; the last session ingested is {reached}")


def _untrained(models: Iterable[Mapping[str, Any]], assets: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
    """Without any active version nothing is predicted, and stocks are suggested by their risk alone."""
    waiting = any(row["asset"].startswith("models/") and row.get("waits_for") for row in assets)  # training could not succeed
    if not waiting and all(row["active_version"] is None for row in models):
        yield Problem("models", "none has an active version, so nothing is predicted; train them with `stock-pipeline train`")


def _failed_jobs(jobs: Iterable[Mapping[str, Any]], assets: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
    """The models that their last training job did not train, and the last job where it failed as a whole. Dry runs do not count."""
    ended = [row for row in jobs if row["state"] in ENDED and not row["dry_run"]]
    if ended and ended[0]["error"] is not None:
        yield Problem(f"training job {ended[0]['job']}", f"failed: {ended[0]['error']}")
    judged: set[str] = set()
    assets_of = {row["asset"].split("/")[-1]: row["asset"] for row in assets}
    for row in ended:
        for model, why in row["failed"].items():
            if model not in judged:
                yield Problem(assets_of.get(model, f"models/{model}"), f"was not trained by training job {row['job']}: {why}")
        judged.update(row["failed"], row["succeeded"])
