"""Every benchmark, one line each. A new one is a file in this folder and one line here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks import features, graph, ingest, life, models, promotion, quality, run
from benchmarks.figure import Figure


@dataclass(frozen=True)
class Data:
    """The files to measure with: bars, members of the universe and changes of symbol; None where they were not given."""

    bars: str | None = None
    members: str | None = None
    renames: str | None = None


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: what it is called on the command line.
        description: one sentence for users.
        measure: yields the figures as they are known; receives the files of bars, or None for the packaged sample, and where it takes
            members those and the changes of symbol.
        takes_data: whether other files than the packaged sample can be measured.
        takes_members: whether a membership can be given.
    """

    name: str
    description: str
    measure: Callable[..., Iterator[Figure]]
    takes_data: bool = False
    takes_members: bool = False

    def measured(self, asked: Data) -> Iterator[Figure]:
        """The figures over the files given."""
        return self.measure(asked.bars, asked.members, asked.renames) if self.takes_members else self.measure(asked.bars)


CATALOGUE: Final[tuple[Benchmark, ...]] = (
    Benchmark("graph", "Load all definitions in a cold process.", graph.measure),
    Benchmark("ingest", "Bring bars into a fresh store, beside DuckDB alone; then one more night.", ingest.measure, takes_data=True),
    Benchmark("features", "Compute Alpha158 beside Qlib; rebuild sets and bring them on by a night.", features.measure, takes_data=True),
    Benchmark("models", "Train every model on 500,000 samples, then load, ask and explain them.", models.measure),
    Benchmark(
        "quality", "Rank IC of every model and the stack, walk-forward 2010 to 2017.", quality.measure, takes_data=True, takes_members=True
    ),
    Benchmark(
        "development", "The same on 2008 and 2009, on which choices were made.", quality.develop, takes_data=True, takes_members=True
    ),
    Benchmark("promotion", "How often the promotion rule takes noise, an equal version and a better one.", promotion.measure),
    Benchmark("life", "A month of nights: versions trained, shadowed, promoted, refused, rolled back.", life.measure, takes_data=True),
    Benchmark("run", "Run the full pipeline in a cold process, twice.", run.measure, takes_data=True),
)
