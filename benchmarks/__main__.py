"""``python -m benchmarks [NAME] [--data FILES] [--members FILES] [--renames FILES]``: run every benchmark or the one named.

Standard output has one JSON object a line, ``{"benchmark", "figure", "value", "unit", "target"}``, printed as soon as it is known;
everything else goes to standard error. Exit code 2 for wrong input, 1 where a benchmark could not be measured. A missed target is
no error: timings depend on the machine, so whoever reads the figures judges them.
"""

import argparse
import glob
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from benchmarks.catalogue import CATALOGUE, Benchmark, Data
from benchmarks.cold_process import BenchmarkError
from benchmarks.figure import json_line

WRONG_INPUT, FAILED = 2, 1


class WrongInputError(Exception):
    """The user asked for something that is not there. The message is one sentence."""


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments ask for and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        chosen = _chosen(options.name, options.data, options.members or options.renames)
        asked = Data(*(_absolute(option, getattr(options, option)) for option in ("data", "members", "renames")))
    except WrongInputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return WRONG_INPUT
    # All of them first: one that fails does not keep the others from being measured.
    outcomes = [_measured(benchmark, asked) for benchmark in chosen]
    return 0 if all(outcomes) else FAILED


def _parser() -> argparse.ArgumentParser:
    described = "; ".join(f"{benchmark.name}: {benchmark.description}" for benchmark in CATALOGUE)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=f"Measure speed and memory. {described}")
    parser.add_argument("name", nargs="?", help="the benchmark to run; all of them when left out")
    parser.add_argument("--data", metavar="FILES", help="a CSV or Parquet file, or a glob, instead of the packaged sample")
    parser.add_argument("--members", metavar="FILES", help="members of the universe: a file or a glob with symbol, first and last")
    parser.add_argument("--renames", metavar="FILES", help="changes of symbol: a file or a glob with old, new and session")
    return parser


def _chosen(name: str | None, data: str | None, members: str | None) -> tuple[Benchmark, ...]:
    if name is None and members is None:
        return CATALOGUE
    if name is None:
        raise WrongInputError("--members and --renames belong to one benchmark; name it, as in: quality --members FILES")
    chosen = next((benchmark for benchmark in CATALOGUE if benchmark.name == name), None)
    if chosen is None:
        raise WrongInputError(f"benchmark {name!r} is not known; choose one of {', '.join(entry.name for entry in CATALOGUE)}")
    if data and not chosen.takes_data:
        raise WrongInputError(f"benchmark {name} takes no --data; leave it out")
    if members and not chosen.takes_members:
        raise WrongInputError(f"benchmark {name} takes no --members and no --renames; leave them out")
    return (chosen,)


def _absolute(option: str, given: str | None) -> str | None:
    """The files given as the measured process, which runs in another folder, has to be given them."""
    if given is None:
        return None
    pattern = str(Path(given).absolute())
    if not glob.glob(pattern, recursive=True):  # noqa: PTH207  (takes absolute patterns)
        raise WrongInputError(f"--{option} {given!r} matches no file; give a CSV or Parquet file or a glob")
    return pattern


def _measured(benchmark: Benchmark, asked: Data) -> bool:
    print(f"{benchmark.name}: {benchmark.description}", file=sys.stderr, flush=True)
    try:
        for figure in benchmark.measured(asked):
            print(json_line(benchmark.name, figure), flush=True)
    except BenchmarkError as error:
        print(f"Error: {error}", file=sys.stderr)
        return False
    return True


def _stop(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    # Leave by way of the finally blocks, which end the measured process and remove its folder.
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    sys.exit(main(sys.argv[1:]))
