"""The errors of sources. Each has a short ``word`` that the ingestion report shows as the reason."""

from typing import ClassVar

from stock_pipeline.core.errors import StockPipelineError


class SourceError(StockPipelineError):
    """A source could not give what was asked. ``about_all``: the error concerns the source, so other symbols would fail too."""

    word: ClassVar[str] = "failed"
    about_all: ClassVar[bool] = False

    def __init_subclass__(cls, *, word: str, about_all: bool = False) -> None:
        cls.word, cls.about_all = word, about_all


class SourceDownError(SourceError, word="source down", about_all=True):
    """The source does not answer, or the connection was lost."""


class WrongClientError(SourceError, word="client refused", about_all=True):
    """The gateway refuses this client: its id is in use, or not allowed."""


class OutOfTimeError(SourceError, word="out of time", about_all=True):
    """The time that the source may take is used up; what it has not answered by then goes to the next source."""


class RequestTimeoutError(SourceError, word="timed out"):
    """A request was not answered within its time."""


class RateLimitedError(SourceError, word="rate limited"):
    """The source asks for fewer requests, even after waiting and asking again."""


class RefusedRequestError(SourceError, word="request refused"):
    """The source does not take the request as it is."""


class UnknownSymbolError(SourceError, word="unknown symbol"):
    """The source knows no such symbol."""


class ReportedDelistedError(SourceError, word="said to be delisted"):
    """The source says that the symbol may be delisted; believed only when it says so again on another day."""


class NoPermissionError(SourceError, word="no permission"):
    """The account may not see this instrument's data."""


class NoDataError(SourceError, word="no data"):
    """The source knows the symbol and has no bar of it in the sessions asked for."""


class UnreadableAnswerError(SourceError, word="unreadable answer"):
    """The answer lacks what it should have, such as a column or every price."""
