"""Where market data comes from, and how each source is asked."""

from datetime import date
from typing import Annotated

from pydantic import Field

from stock_pipeline.settings.kinds import Seconds, Section


class IbkrSettings(Section):
    """How Interactive Brokers' gateway (or TWS) is reached. It is asked to read only."""

    host: Annotated[str, Field(description="where TWS or IB Gateway listens")] = "127.0.0.1"
    port: Annotated[
        int, Field(ge=1, le=65535, description="its port: 4002 and 4001 of a gateway (paper and live), 7497 and 7496 of TWS")
    ] = 4002
    client_id: Annotated[
        int, Field(ge=1, description="by which it tells its clients apart, from 1 on; give each data directory its own")
    ] = 17
    connect_seconds: Annotated[Seconds, Field(description="how long to wait for the connection")] = 10
    request_seconds: Annotated[int, Field(ge=1, description="how long to wait for an answer")] = 60
    requests_at_once: Annotated[int, Field(ge=1, description="requests under way at the same time")] = 5
    requests_per_ten_minutes: Annotated[
        int,
        Field(ge=1, description=("pace of requests for bars; Interactive Brokers allows 60 for small bars and is milder with daily ones")),
    ] = 60
    budget_seconds: Annotated[
        int,
        Field(
            ge=1,
            description=("what is not answered by then goes to the next source; at 60 requests in ten minutes that is some 120 symbols"),
        ),
    ] = 900


class YahooSettings(Section):
    """How Yahoo Finance is asked."""

    requests_at_once: Annotated[int, Field(ge=1, description="requests under way at the same time")] = 4
    request_seconds: Annotated[Seconds, Field(description="how long to wait for an answer")] = 30
    retries: Annotated[int, Field(ge=0, description="how often a request is made again after an answer that says too many")] = 4
    retry_delay_seconds: Annotated[
        float, Field(gt=0, description="how long to wait before the first retry; each later one waits twice as long")
    ] = 2.0
    budget_seconds: Annotated[int, Field(ge=1, description="what is not answered by then goes to the next source")] = 900


class SourceSettings(Section):
    """Where market data comes from: the first source, and those that are asked for what it could not give."""

    name: Annotated[str, Field(description="source of market data that is asked first: sample, sample-long, files, yahoo or ibkr")] = (
        "sample"
    )
    fallbacks: Annotated[
        tuple[str, ...], Field(description="sources to ask, in this order, for what the first could not give, as a list")
    ] = ()
    path: Annotated[str | None, Field(description="bars of the source files: a file or a glob")] = None
    actions_path: Annotated[str | None, Field(description="splits and dividends for the source files: a file or a glob")] = None
    fundamentals_path: Annotated[str | None, Field(description="fundamentals for the source files: a file or a glob")] = None
    instruments_path: Annotated[
        str | None, Field(description="names, exchanges, sectors and industries for the source files: a file or a glob")
    ] = None
    universe_path: Annotated[
        str | None, Field(description="who belongs to the universe from when to when: a file or a glob with symbol, first and last")
    ] = None
    renames_path: Annotated[str | None, Field(description="changes of symbol: a file or a glob with old, new and session")] = None
    symbols: Annotated[
        tuple[str, ...] | None,
        Field(
            description=(
                "only these symbols, as a list; when left out all of a file's, and of a live source the members of "
                "the universe, or those in the store"
            )
        ),
    ] = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", description="prices that are said to be in another currency are refused")] = "USD"
    history_from: Annotated[date, Field(description="first session that a live source is asked for")] = date(2010, 1, 4)
    overlap: Annotated[int, Field(ge=0, description="sessions that a live source is asked for again, to notice restatements")] = 5
    ibkr: IbkrSettings = IbkrSettings()
    yahoo: YahooSettings = YahooSettings()
