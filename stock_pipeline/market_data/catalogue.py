"""The sources by name. A new one is a file in ``sources/`` and a line here."""

from collections.abc import Callable
from dataclasses import dataclass

from stock_pipeline.core.named import entry_named
from stock_pipeline.market_data.sources.files import FilesSource, SideFiles
from stock_pipeline.market_data.sources.ibkr import IbkrSource
from stock_pipeline.market_data.sources.sample import SampleSource
from stock_pipeline.market_data.sources.sample_long import SampleLongSource
from stock_pipeline.market_data.sources.source import Source
from stock_pipeline.market_data.sources.yahoo import YahooSource
from stock_pipeline.settings import SourceSettings


@dataclass(frozen=True)
class SourceEntry:
    """A source that can be chosen by ``name``; ``takes_path`` where the user's files are what it reads."""

    name: str
    description: str
    open: Callable[[SourceSettings], Source]
    takes_path: bool = False


def _files(settings: SourceSettings) -> Source:
    return FilesSource(settings.path, SideFiles(settings.actions_path, settings.fundamentals_path, settings.instruments_path))


CATALOGUE: tuple[SourceEntry, ...] = (
    SourceEntry("sample", "524 stocks of the S&P 500, 245 sessions to 2010-08-20", lambda _: SampleSource()),
    SourceEntry("sample-long", "5 stocks, 2000 to 2013, with an adjusted close", lambda _: SampleLongSource()),
    SourceEntry("files", "CSV or Parquet files of your own", _files, takes_path=True),
    SourceEntry("ibkr", "Interactive Brokers, through its gateway", lambda settings: IbkrSource(settings.ibkr)),
    SourceEntry("yahoo", "Yahoo Finance", lambda settings: YahooSource(settings.yahoo)),
)


def source_entry(name: str) -> SourceEntry:
    """The catalogue's entry of that name.

    Raises:
        InputError: there is no such source.
    """
    return entry_named(name, CATALOGUE, "source")


def open_source(name: str, settings: SourceSettings) -> Source:
    """The source of that name.

    Raises:
        InputError: there is no such source, or it lacks what it needs.
    """
    return source_entry(name).open(settings)
