"""Where market data comes from, and how each source is asked."""

from datetime import date
from typing import Annotated

from pydantic import Field

from stock_pipeline.settings.kinds import Seconds, Section


class IbkrSettings(Section):
    """How Interactive Brokers' gateway (or TWS) is reached. It is asked to read only."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 4002
    client_id: Annotated[int, Field(ge=1, description="0 would take over orders placed by hand")] = 17
    connect_seconds: Seconds = 10
    request_seconds: Annotated[int, Field(ge=1, description="a request that is not answered by then has failed")] = 60
    requests_at_once: Annotated[int, Field(ge=1)] = 5
    requests_per_ten_minutes: Annotated[int, Field(ge=1)] = 60
    budget_seconds: Annotated[int, Field(ge=1, description="what is not answered by then goes to the next source")] = 900


class YahooSettings(Section):
    """How Yahoo Finance is asked."""

    requests_at_once: Annotated[int, Field(ge=1)] = 4
    request_seconds: Seconds = 30
    retries: Annotated[int, Field(ge=0, description="of one request, after an answer that says too many")] = 4
    retry_delay_seconds: Annotated[float, Field(gt=0, description="before the first retry; doubled before each further one")] = 2.0
    budget_seconds: Annotated[int, Field(ge=1, description="what is not answered by then goes to the next source")] = 900


class SourceSettings(Section):
    """Where market data comes from: the first source, and those that are asked for what it could not give."""

    name: str = "sample"
    fallbacks: tuple[str, ...] = Field(default=(), description="sources to ask, in this order, for what the first could not give")
    path: Annotated[str | None, Field(description="bars of the source files: a file or a glob")] = None
    actions_path: Annotated[str | None, Field(description="splits and dividends for the source files: a file or a glob")] = None
    fundamentals_path: Annotated[str | None, Field(description="fundamentals for the source files: a file or a glob")] = None
    instruments_path: Annotated[str | None, Field(description="names, sectors and the like for the source files: a file or a glob")] = None
    universe_path: Annotated[str | None, Field(description="who belongs to the universe from when to when: symbol, first, last")] = None
    renames_path: Annotated[str | None, Field(description="changes of symbol: old, new, session")] = None
    symbols: tuple[str, ...] | None = Field(default=None, description="only these symbols; all that the source has when left out")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="prices in another currency are refused")] = "USD"
    history_from: Annotated[date, Field(description="first session to ask a live source for")] = date(2010, 1, 4)
    overlap: Annotated[int, Field(ge=0, description="sessions asked for again, to notice restatements")] = 5
    ibkr: IbkrSettings = IbkrSettings()
    yahoo: YahooSettings = YahooSettings()
