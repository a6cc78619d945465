"""The sources of market data, and how each is requested."""

from datetime import date

from pydantic import Field

from stock_pipeline.settings.kinds import A_CENTURY_OF_DAYS, Currency, Seconds, Section
from stock_pipeline.settings.lists import Names, NamesOrAll
from stock_pipeline.settings.paths import FilesPattern


class IbkrSettings(Section):
    """The connection to Interactive Brokers' gateway (or TWS), which is read only."""

    host: str = Field("127.0.0.1", description="where TWS or IB Gateway listens")
    port: int = Field(4002, ge=1, le=65535, description="its port: 4002 and 4001 of a gateway (paper and live), 7497 and 7496 of TWS")
    client_id: int = Field(17, ge=1, description="number of this client at the gateway, from 1 on; give each data directory its own")
    connect_seconds: Seconds = Field(10, description="how long to wait for the connection")
    request_seconds: int = Field(60, ge=1, description="how long to wait for an answer")
    requests_at_once: int = Field(5, ge=1, description="requests under way at the same time")
    requests_per_ten_minutes: int = Field(
        60, ge=1, description="pace of requests for bars; Interactive Brokers allows 60 for small bars and is milder with daily ones"
    )
    budget_seconds: int = Field(
        900,
        ge=1,
        description="what is not answered by then goes to the next source; at 60 requests in ten minutes that is some 120 symbols",
    )


class YahooSettings(Section):
    """The requests to Yahoo Finance."""

    requests_at_once: int = Field(4, ge=1, description="requests under way at the same time")
    request_seconds: Seconds = Field(30, description="how long to wait for an answer")
    retries: int = Field(4, ge=0, description="how often a request is repeated after an answer that there were too many")
    retry_delay_seconds: float = Field(2.0, gt=0, description="how long to wait before the first retry; each later one waits twice as long")
    budget_seconds: int = Field(900, ge=1, description="what is not answered by then goes to the next source")


class SourceSettings(Section):
    """The sources of market data: the first one, and the fallbacks for what it could not give."""

    name: str = Field("sample", description="source of market data that is asked first; the README lists them")
    fallbacks: Names = Field((), description="sources to ask, in this order, for what the first could not give, as a list")
    path: FilesPattern = Field(None, description="bars of the source files: a file or a glob")
    actions_path: FilesPattern = Field(None, description="splits and dividends for the source files: a file or a glob")
    fundamentals_path: FilesPattern = Field(None, description="fundamentals for the source files: a file or a glob")
    instruments_path: FilesPattern = Field(
        None, description="names, exchanges, sectors and industries for the source files: a file or a glob"
    )
    universe_path: FilesPattern = Field(None, description="members of the universe: a file or a glob with symbol, first and last")
    confirmed_path: FilesPattern = Field(
        None, description="suspect bars that you have found right: a file or a glob with symbol and session"
    )
    renames_path: FilesPattern = Field(None, description="changes of symbol: a file or a glob with old, new and session")
    symbols: NamesOrAll = Field(
        None,
        description="only these symbols, as a list; when left out all of a file's, and of a live source the members of the universe, "
        "or those in the store",
    )
    currency: Currency = Field("USD", description="prices stated in another currency are refused")
    history_from: date = Field(date(2010, 1, 4), description="first session that a live source is asked for")
    refetch_sessions: int = Field(
        5, ge=0, le=A_CENTURY_OF_DAYS, description="sessions that a live source is asked for again, to notice restatements"
    )
    ibkr: IbkrSettings = IbkrSettings()
    yahoo: YahooSettings = YahooSettings()
