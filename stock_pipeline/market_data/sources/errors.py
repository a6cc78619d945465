"""What a source may answer instead of data. Each error has a short ``word`` that the ingestion report shows as the reason."""

from typing import ClassVar

from stock_pipeline.core.errors import StockPipelineError


class SourceError(StockPipelineError):
    """A source could not give what was asked. ``about_all`` says that the next symbol would fare no better."""

    word: ClassVar[str] = "failed"
    about_all: ClassVar[bool] = False


class SourceDownError(SourceError):
    """Nobody answers, or the connection was lost."""

    word = "source down"
    about_all = True


class WrongClientError(SourceError):
    """The gateway refuses this client: its id is in use, or not allowed."""

    word = "client refused"
    about_all = True


class OutOfTimeError(SourceError):
    """The time that the source may take is used up; what it has not answered by then goes to the next source."""

    word = "out of time"
    about_all = True


class RequestTimeoutError(SourceError):
    """A request was not answered within its time."""

    word = "timed out"


class RateLimitedError(SourceError):
    """The source asks for fewer requests, even after waiting and asking again."""

    word = "rate limited"


class RefusedRequestError(SourceError):
    """The source does not take the request as it is."""

    word = "request refused"


class UnknownSymbolError(SourceError):
    """The source knows no such symbol."""

    word = "unknown symbol"


class SaidDelistedError(SourceError):
    """The source says that the symbol may be delisted; believed only when it says so again on another day."""

    word = "said to be delisted"


class NoPermissionError(SourceError):
    """The account may not see this instrument's data."""

    word = "no permission"


class NoDataError(SourceError):
    """The source knows the symbol and has no bar of it in the sessions asked for."""

    word = "no data"


class UnreadableAnswerError(SourceError):
    """The answer lacks what it should have, such as a column or every price."""

    word = "unreadable answer"
