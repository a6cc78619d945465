"""The sources by name. A new one is a file in ``sources/`` and a line here."""

from collections.abc import Callable
from dataclasses import dataclass

from stock_pipeline.core.errors import InputError
from stock_pipeline.market_data.sources.files import FilesSource
from stock_pipeline.market_data.sources.sample import SampleSource
from stock_pipeline.market_data.sources.sample_long import SampleLongSource
from stock_pipeline.market_data.sources.source import Source


@dataclass(frozen=True)
class SourceEntry:
    """A source that can be chosen by ``name``; ``open`` receives the path that the user gave, if any."""

    name: str
    description: str
    open: Callable[[str | None], Source]


CATALOGUE: tuple[SourceEntry, ...] = (
    SourceEntry("sample", "524 stocks of the S&P 500, 245 sessions to 2010-08-20", lambda _path: SampleSource()),
    SourceEntry("sample-long", "5 stocks, 2000 to 2013, with an adjusted close", lambda _path: SampleLongSource()),
    SourceEntry("files", "CSV or Parquet files of your own", FilesSource),
)


def open_source(name: str, path: str | None = None) -> Source:
    """The source of that name.

    Raises:
        InputError: there is no such source, or it lacks what it needs.
    """
    for entry in CATALOGUE:
        if entry.name == name:
            return entry.open(path)
    raise InputError(f"source {name!r} is not known; choose one of {', '.join(entry.name for entry in CATALOGUE)}")
