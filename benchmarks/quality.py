"""``quality`` and ``development``: how well the models rank the next session's returns, walk-forward on years that they never saw.

What could be chosen (the feature set, parameters, how scores are freed of exposures) was chosen on 2008 and 2009 with ``development``;
``quality`` tests 2010 to 2017, each year after training on all that came before it.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.cold_process import BenchmarkError, fresh_folder, run_cold
from benchmarks.figure import Figure

FEATURE_SET: Final = "combined"
LEAST_RANK_IC, LEAST_ICIR = 0.022, 0.25


def measure(data: str | None, members: str | None = None, renames: str | None = None) -> Iterator[Figure]:
    """2010 to 2017, a year at a time; the targets are the least that the stack should reach.

    ``members`` and ``renames`` are files of members of the universe and of changes of symbol; without them every stock is a member.
    """
    yield from _measure((data, members, renames), 2010, 2017, 12)


def develop(data: str | None, members: str | None = None, renames: str | None = None) -> Iterator[Figure]:
    """2008 and 2009, half a year at a time; see ``measure``."""
    yield from _measure((data, members, renames), 2008, 2009, 6)


def _measure(files: tuple[str | None, str | None, str | None], first: int, last: int, months: int) -> Iterator[Figure]:
    data, members, renames = files
    if data is None:
        raise BenchmarkError(f"the packaged sample does not span {first} to {last}; give a panel that does with --data")
    with fresh_folder() as folder:
        record = folder / "quality.json"
        arguments = [str(record), data, members or "", renames or "", str(first), str(last), str(months), FEATURE_SET]
        run_cold(["-m", "benchmarks.watched_quality", *arguments], folder).require_success("the walk-forward test")
        found: dict[str, Any] = json.loads(record.read_text())
        yield Figure("stocks in the universe of a session, mean", round(found.pop("stocks"), 1), "stocks")
        for model, figures in found.items():
            is_stack = model == "stack"
            yield Figure(f"{model} rank IC", round(figures["rank_ic"], 4), "correlation", LEAST_RANK_IC if is_stack else None)
            yield Figure(f"{model} ICIR", round(figures["icir"], 3), "ratio", LEAST_ICIR if is_stack else None)
            yield Figure(f"{model} t of the rank IC", round(figures["rank_ic_t"], 2), "ratio")
            for year, value in figures["by_year"].items():
                yield Figure(f"{model} rank IC {year}", round(value, 4), "correlation")
        best = max(figures["rank_ic"] for model, figures in found.items() if model != "stack")
        yield Figure("stack less its best member, rank IC", round(found["stack"]["rank_ic"] - best, 4), "correlation", 0.0)
